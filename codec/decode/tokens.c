/* tokens.c - what comes next, from where, how much. */
#include "codec/decode/symbols.h"
#include "formats/bytes.h"

/* Counters of a choice among four: the index in unary. */
static unsigned code_index(struct moult_codec *c, unsigned index, uint16_t counters[3])
{
    unsigned i = 0;
    while (i < MOULT_REPEATS - 1 && !moult_rc_counted(&c->rc, index == i, &counters[i])) {
        i++;
    }
    return i;
}

static void to_front(uint32_t list[MOULT_REPEATS], unsigned from, uint32_t value)
{
    for (unsigned i = from; i > 0; i--) {
        list[i] = list[i - 1];
    }
    list[0] = value;
}

static unsigned index_in(const uint32_t list[MOULT_REPEATS], uint32_t value)
{
    unsigned i = 0;
    while (i < MOULT_REPEATS && list[i] != value) {
        i++;
    }
    return i;
}

/* 0 outside segments, 1 data, 2 code. */
static unsigned region(const struct moult_codec *c)
{
    if (c->segment < 0) { return 0; }
    return c->header->new_segments[c->segment].is_code ? 2 : 1;
}

enum moult_token moult_code_token(struct moult_codec *c, enum moult_token token)
{
    struct moult_model *m = &c->model;
    uint32_t is_other = moult_rc_counted(&c->rc, token != MOULT_TOKEN_LITERAL,
                                         &m->not_literal[c->ht * 4 + (c->at & 3)]);
    if (!is_other) { return MOULT_TOKEN_LITERAL; }
    if (c->header->base_size > 0 &&
        !moult_rc_counted(&c->rc, token != MOULT_TOKEN_COVER, &m->not_cover[c->hk])) {
        return MOULT_TOKEN_COVER;
    }
    if (c->header->new_count == 0) { return MOULT_TOKEN_MATCH; }
    uint32_t is_moved =
        moult_rc_counted(&c->rc, token == MOULT_TOKEN_MOVED, &m->relocating[region(c)]);
    return is_moved ? MOULT_TOKEN_MOVED : MOULT_TOKEN_MATCH;
}

uint32_t moult_code_cover_from(struct moult_codec *c, uint32_t old)
{
    struct moult_model *m = &c->model;
    unsigned i = index_in(c->rep, old - c->at);
    if (moult_rc_counted(&c->rc, i < MOULT_REPEATS, m->cover_repeat)) {
        i = code_index(c, i, m->cover_which);
        old = c->at + c->rep[i];
        to_front(c->rep, i, c->rep[i]);
    } else {
        bool is_good = true;
        int32_t d = moult_rc_signed(&c->rc, (int32_t)(old - c->last_old), m->number_address,
                                    m->sign_address, &is_good);
        old = c->last_old + (uint32_t)d;
        to_front(c->rep, MOULT_REPEATS - 1, old - c->at);
        c->is_bad |= !is_good;
    }
    if (old >= c->header->base_size) { c->is_bad = true; }
    return old;
}

/* A size of at most `most`, coded less `least`. */
static uint32_t code_size(struct moult_codec *c, uint32_t size, uint32_t least,
                          uint32_t most, uint16_t model[MOULT_EG_SIZE])
{
    enum { BITS_MAX = 24 };
    bool is_good = true;
    size = moult_rc_number(&c->rc, size - least, model, BITS_MAX, &is_good) + least;
    if (!is_good || size > most) {
        c->is_bad = true;
        return least;
    }
    return size;
}

uint32_t moult_code_cover_size(struct moult_codec *c, uint32_t old, uint32_t size)
{
    uint32_t room = c->limit - c->at, there = c->header->base_size - old;
    return code_size(c, size, 1, room < there ? room : there, c->model.number_cover);
}

uint32_t moult_code_match_size(struct moult_codec *c, uint32_t size)
{
    return code_size(c, size, 2, c->limit - c->at, c->model.number_match);
}

/* Bits from the lowest up, each in the context of those before. */
static uint32_t code_low_bits(struct moult_codec *c, uint32_t value, unsigned count,
                              uint16_t counters[16])
{
    uint32_t m = 1, out = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t bit = moult_rc_counted(&c->rc, value >> i & 1, &counters[m & 15]);
        m = m << 1 | bit;
        out |= bit << i;
    }
    return out;
}

/* Class of a distance less one: twice its bit length, and the bit below the top. */
static uint32_t slot_of(uint32_t d)
{
    if (d < 4) { return d; }
    uint32_t top = 0;
    while (d >> top > 1) {
        top++;
    }
    return top * 2 + (d >> (top - 1) & 1);
}

static uint32_t code_slot(struct moult_codec *c, uint32_t slot, uint16_t counters[64])
{
    uint32_t m = 1;
    for (unsigned i = 6; i-- > 0;) {
        m = m << 1 | moult_rc_counted(&c->rc, slot >> i & 1, &counters[m]);
    }
    return m & 63;
}

/* A distance less one. */
static uint32_t code_far(struct moult_codec *c, uint32_t d, uint32_t size)
{
    enum { FIRST_MODELLED = 4, FIRST_RAW = 14, ALIGN_BITS = 4 };
    struct moult_model *m = &c->model;
    uint32_t set = size - 2 < 3 ? size - 2 : 3;
    uint32_t slot = code_slot(c, slot_of(d), m->slot[set]);
    if (slot < FIRST_MODELLED) { return slot; }
    unsigned footer = slot / 2 - 1;
    uint32_t base = (2 | (slot & 1)) << footer, rest = d - base;
    if (slot < FIRST_RAW) {
        return base + code_low_bits(c, rest, footer, m->slot_low[slot - FIRST_MODELLED]);
    }
    uint32_t high = moult_rc_raw(&c->rc, rest >> ALIGN_BITS, footer - ALIGN_BITS);
    return base + (high << ALIGN_BITS) + code_low_bits(c, rest, ALIGN_BITS, m->slot_align);
}

uint32_t moult_code_match_distance(struct moult_codec *c, uint32_t size, uint32_t distance)
{
    struct moult_model *m = &c->model;
    unsigned i = index_in(c->nrep, distance);
    if (moult_rc_counted(&c->rc, i < MOULT_REPEATS, &m->match_repeat[size == 2 ? 0 : 1])) {
        i = code_index(c, i, m->match_which);
        distance = c->nrep[i];
        to_front(c->nrep, i, distance);
    } else {
        distance = code_far(c, distance - 1, size) + 1;
        to_front(c->nrep, MOULT_REPEATS - 1, distance);
    }
    if (distance == 0 || distance > c->at) { c->is_bad = true; }
    return distance;
}

void moult_token_done(struct moult_codec *c, enum moult_token token, uint32_t old)
{
    bool is_literal = token == MOULT_TOKEN_LITERAL;
    c->hk = (uint8_t)((c->hk << 1 | !is_literal) & 3);
    c->ht = (uint8_t)((c->ht << 1 | !is_literal) & 7);
    if (token == MOULT_TOKEN_COVER) {
        c->last_old = old;
        c->lm = false;
    } else if (!is_literal) {
        c->lm = true;
    }
}

static uint32_t code_step(struct moult_codec *c, uint32_t step)
{
    enum { BITS_MAX = 31 };
    bool is_good = true;
    uint32_t by_four = moult_rc_counted(&c->rc, step % 4 == 0, &c->model.map_four[0]);
    uint32_t n = moult_rc_number(&c->rc, by_four ? step / 4 : step, c->model.number_match,
                                 BITS_MAX, &is_good);
    if (!is_good || (by_four && n > UINT32_MAX / 4)) { c->is_bad = true; }
    return by_four ? n * 4 : n;
}

static uint32_t code_change(struct moult_codec *c, int32_t change)
{
    bool is_good = true;
    uint32_t by_four = moult_rc_counted(&c->rc, change % 4 == 0, &c->model.map_four[1]);
    int32_t n = moult_rc_signed(&c->rc, by_four ? change / 4 : change,
                                c->model.number_target, c->model.sign_target, &is_good);
    c->is_bad |= !is_good;
    return by_four ? (uint32_t)n * 4 : (uint32_t)n;
}

struct moult_move moult_code_move(struct moult_codec *c, struct moult_move before,
                                  struct moult_move move)
{
    uint32_t step = code_step(c, move.address - before.address);
    uint32_t change = code_change(c, (int32_t)(move.shift - before.shift));
    return (struct moult_move){before.address + step, before.shift + change};
}
