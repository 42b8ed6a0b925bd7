/* walker.c - see walker.h: places, data, and what is no ESP code. Code is in
 * walker_xtensa.c and walker_riscv.c. */
#include "codec/decode/walker.h"
#include <assert.h>
#include <string.h>
#include "codec/decode/operand.h"
#include "formats/bytes.h"

enum {
    PRE_ROLL = 768,      /* bytes walked before a cover, to be in step */
    SEARCH = 8192,       /* bytes in which a function's entry is looked for */
    PIECE = 512,         /* bytes of either per step */
    COUNT_START = 100,   /* of units, so that an age is never negative */
    SEEN_FREE = 1 << 20, /* bytes of pre-roll for nothing */
    SEEN_PER_BYTE = 64,  /* and for each byte put out */
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

bool moult_is_plausible(const struct moult_walker *w, uint32_t address)
{
    static const uint32_t reach[3] = {0, 65536, 196608};
    for (uint32_t i = 0; i < w->segment_count; i++) {
        const struct moult_patch_segment *s = &w->segments[i];
        if (address - s->address < s->size + reach[s->reach]) { return true; }
    }
    return false;
}

bool moult_is_in_code(const struct moult_walker *w, uint32_t address)
{
    for (uint32_t i = 0; i < w->segment_count; i++) {
        const struct moult_patch_segment *s = &w->segments[i];
        if (s->is_code && address - s->address < s->size) { return true; }
    }
    return false;
}

void moult_walker_read(struct moult_codec *c, uint32_t offset, uint8_t *out, uint32_t size,
                       bool is_ahead)
{
    if (!c->walker.is_relocating) {
        moult_view_get(c, is_ahead ? &c->ahead : &c->base, offset, out, size);
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        out[i] = moult_output_byte(c, offset + i);
    }
}

/* The segment that holds w->at, or the gap. */
static void locate(struct moult_walker *w)
{
    if (w->at >= w->from && w->at < w->end) { return; }
    w->segment = -1;
    w->from = w->at;
    w->end = w->size;
    for (uint32_t i = 0; i < w->segment_count; i++) {
        const struct moult_patch_segment *s = &w->segments[i];
        if (w->at < s->offset) {
            w->end = smaller(s->offset, w->size);
            return;
        }
        if (w->at - s->offset < s->size) {
            w->segment = (int32_t)i;
            w->from = s->offset;
            w->end = smaller(s->offset + s->size, w->size);
            return;
        }
    }
}

static void start(struct moult_codec *c, uint32_t at)
{
    struct moult_walker *w = &c->walker;
    w->at = at;
    w->raw_until = 0;
    w->count = COUNT_START;
    w->from = 1;
    w->end = 0;
    w->is_dry = w->after_jump = w->is_searching = false;
    memset(w->high, 0, sizeof w->high);
}

void moult_walker_relocate(struct moult_codec *c, uint32_t from)
{
    struct moult_walker *w = &c->walker;
    start(c, from);
    w->is_relocating = true;
    w->segments = c->header->new_segments;
    w->segment_count = c->header->new_count;
    w->size = c->at;
}

void moult_walker_begin(struct moult_codec *c, uint32_t old)
{
    struct moult_walker *w = &c->walker;
    start(c, old);
    w->is_relocating = false;
    w->segments = c->header->base_segments;
    w->segment_count = c->header->base_count;
    w->size = c->header->base_size;
    w->seek_to = old;
    w->place_shift = c->at - old;
    locate(w);
    if (c->header->isa == MOULT_PATCH_GENERIC || w->segment < 0 ||
        !w->segments[w->segment].is_code) {
        return;
    }
    w->is_dry = true;
    w->is_searching = moult_is_xtensa(c);
    uint32_t low = w->from;
    w->at = (old - low > PRE_ROLL ? old - PRE_ROLL : low) & ~3u;
    if (w->at < low) { w->at = low; }
    w->seek_low = old - low > SEARCH ? old - SEARCH : low;
    if (w->is_searching) {
        w->raw_until = w->at; /* where to begin when there is no entry */
        w->at = old & ~3u;
    }
}

/* Backwards for the entry of the function that holds the cover's begin. */
static void search(struct moult_codec *c)
{
    enum { CHUNK = MOULT_CODEC_WINDOW - 4 };
    struct moult_walker *w = &c->walker;
    uint8_t b[3];
    for (uint32_t done = 0; done < PIECE; done += 4) {
        if (w->at < w->seek_low) { break; }
        if (done % CHUNK == 0) { /* fill the window with what lies before */
            uint32_t low = w->at > CHUNK ? w->at - CHUNK : 0;
            moult_walker_read(c, low, b, 1, true);
        }
        bool fits = w->end - w->at >= 3;
        if (fits) { moult_walker_read(c, w->at, b, 3, true); }
        if (fits && moult_is_entry(b)) {
            w->is_searching = false;
            w->raw_until = 0;
            return;
        }
        c->pre_rolled += 4;
        if (w->at < 4) { break; }
        w->at -= 4;
    }
    if (w->at >= 4 && w->at >= w->seek_low) { return; } /* goes on with the next piece */
    w->is_searching = false;
    w->at = w->raw_until;
    w->raw_until = 0;
}

bool moult_walker_seek(struct moult_codec *c)
{
    struct moult_walker *w = &c->walker;
    if (w->is_searching) {
        search(c);
        return false;
    }
    if (!w->is_dry) { return true; }
    uint32_t from = w->at;
    while (w->at < w->seek_to && w->at - from < PIECE) {
        uint32_t at = w->at;
        moult_walker_next(c, 4);
        if (w->at > w->seek_to) { w->raw_until = w->at; }
        c->pre_rolled += w->at - at;
    }
    if (c->pre_rolled > SEEN_FREE + (uint64_t)SEEN_PER_BYTE * c->at) { c->is_bad = true; }
    if (w->at < w->seek_to) { return false; }
    w->at = w->seek_to;
    w->is_dry = false;
    return true;
}

/* --- data ---------------------------------------------------------------------------- */

static void plain(struct moult_codec *c, unsigned type, unsigned size, uint32_t key)
{
    c->unit.type = (uint8_t)type;
    c->unit.size = (uint8_t)size;
    c->unit.key = key;
}

/* A unit of four bytes that says where `target` is. */
static void word(struct moult_codec *c, unsigned type, uint32_t target, uint32_t key)
{
    plain(c, type, 4, key);
    c->unit.has_target = true;
    c->unit.target = target;
}

static bool is_relative(const struct moult_walker *w, uint32_t address, uint32_t value)
{
    return moult_is_in_code(w, address + value) && value > 0x10000 && value < 0xffff0000;
}

/* Pointers relative to themselves, as in exception tables. */
static bool walk_relative(struct moult_codec *c, const struct moult_place *place)
{
    enum { BACK_MIN = 8, BACK_END = 0x200000 };
    uint32_t value = get_le32(place->bytes), address = place->address;
    if (is_relative(&c->walker, address, value)) {
        word(c, MOULT_UNIT_PCR, address + value, value >> 24);
        return true;
    }
    bool may = place->left >= 8 && value >= BACK_MIN && value < BACK_END && value % 4 == 0;
    if (may && is_relative(&c->walker, address + 4, get_le32(place->bytes + 4))) {
        word(c, MOULT_UNIT_PCN, address - value, 1);
        return true;
    }
    return false;
}

/* Bytes before the next pointer that is not aligned; 0: none close by. */
static unsigned to_unaligned(const struct moult_walker *w, const struct moult_place *place)
{
    if (place->left < 8) { return 0; }
    for (unsigned k = 1; k < 4; k++) {
        if (moult_is_plausible(w, get_le32(place->bytes + k))) { return k; }
    }
    return 0;
}

static void walk_data(struct moult_codec *c, const struct moult_place *place)
{
    const uint8_t *b = place->bytes;
    bool is_aligned = place->at % 4 == 0;
    if (place->left < 4) {
        plain(c, MOULT_UNIT_RAW, 1, b[0]);
        return;
    }
    if (moult_is_xtensa(c)) {
        unsigned before = is_aligned ? to_unaligned(&c->walker, place) : 0;
        if (!is_aligned && moult_is_plausible(&c->walker, get_le32(b))) {
            word(c, MOULT_UNIT_PTR, get_le32(b), 1);
            return;
        }
        if (before > 0) {
            plain(c, MOULT_UNIT_RAW, before, b[0]);
            return;
        }
    } else if (is_aligned && walk_relative(c, place)) {
        return;
    }
    if (is_aligned) {
        plain(c, MOULT_UNIT_DAT, 4, b[1]);
    } else {
        plain(c, MOULT_UNIT_RAW, 1, b[0]);
    }
}

/* Bytes of no segment: words that repeat differences, as counters and addresses do. */
static void walk_other(struct moult_codec *c, const struct moult_place *place)
{
    if (place->at % 4 != 0 || place->left < 4) {
        plain(c, MOULT_UNIT_RAW, 1, place->bytes[0]);
        return;
    }
    uint32_t value = get_le32(place->bytes), expected = value;
    bool is_known =
        !c->walker.is_relocating && moult_correction_of(c, value)->target == value;
    if (is_known || moult_is_plausible(&c->walker, value)) {
        expected = moult_corrected(c, value);
    }
    word(c, MOULT_UNIT_DAT, value, place->bytes[1]);
    put_le32(c->unit.predicted, expected);
    c->unit.is_word = true;
}

/* --- any place ----------------------------------------------------------------------- */

static void walk(struct moult_codec *c, const struct moult_place *place)
{
    const struct moult_walker *w = &c->walker;
    const uint8_t *b = place->bytes;
    if (place->at < w->raw_until && w->raw_until <= place->at + 3) {
        plain(c, MOULT_UNIT_RAW, w->raw_until - place->at, b[0]);
        return;
    }
    if (!place->segment || c->header->isa == MOULT_PATCH_GENERIC) {
        walk_other(c, place);
        return;
    }
    bool may_point = moult_is_xtensa(c) || !place->segment->is_code;
    if (may_point && place->at % 4 == 0 && place->left >= 4 &&
        moult_is_plausible(w, get_le32(b))) {
        word(c, MOULT_UNIT_PTR, get_le32(b), get_le32(b) * 0x9E3779B1u >> 22);
    } else if (!place->segment->is_code) {
        walk_data(c, place);
    } else if (moult_is_xtensa(c)) {
        moult_walk_xtensa(c, place);
    } else {
        moult_walk_riscv(c, place);
    }
}

/* Write the target's new place into the prediction; what does not fit stays as it was. */
static void predict(struct moult_codec *c, uint32_t new_address)
{
    struct moult_unit *u = &c->unit;
    bool is_own = u->is_word || u->type == MOULT_UNIT_HI; /* they did it themselves */
    if (!u->has_target || is_own) { return; }
    uint32_t target = moult_unit_expected(c, u);
    if (u->type == MOULT_UNIT_CALL || u->type == MOULT_UNIT_L32R) { target &= ~3u; }
    uint8_t bytes[4];
    if (moult_operand_put(u, new_address, moult_is_riscv(c), target, bytes)) {
        memcpy(u->predicted, bytes, sizeof bytes);
    }
}

/* A unit that does not fit any more says nothing but its bytes. */
static void cut(struct moult_codec *c, uint32_t room)
{
    struct moult_unit *u = &c->unit;
    u->size = (uint8_t)room;
    if (c->walker.is_relocating) { return; }
    if (u->type != MOULT_UNIT_DAT) { u->type = MOULT_UNIT_RAW; }
    u->has_target = u->is_word = false;
    memcpy(u->predicted, u->old, sizeof u->old);
}

void moult_walker_next(struct moult_codec *c, uint32_t room)
{
    struct moult_walker *w = &c->walker;
    locate(w);
    assert(w->at < w->end && room > 0);
    uint8_t bytes[8] = {0};
    struct moult_place place = {.bytes = bytes, .at = w->at, .left = w->end - w->at};
    moult_walker_read(c, w->at, bytes, smaller(place.left, sizeof bytes), false);
    if (w->segment >= 0) {
        place.segment = &w->segments[w->segment];
        place.address = place.segment->address + (w->at - w->from);
    }
    if (!w->is_dry) { place.new_address = moult_new_address(c, c->at); }

    c->unit = (struct moult_unit){.address = place.address};
    memcpy(c->unit.old, bytes, sizeof c->unit.old);
    memcpy(c->unit.predicted, bytes, sizeof c->unit.predicted);
    c->unit_at = w->at;
    walk(c, &place);
    if (!w->is_dry) { predict(c, place.new_address); }
    if (c->unit.size > room && !w->is_dry) { cut(c, room); }
    w->at += c->unit.size;
}
