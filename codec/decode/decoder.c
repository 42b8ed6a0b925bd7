/* decoder.c - see decoder.h: the step machine around the symbols. */
#include "codec/decode/decoder.h"
#include <assert.h>
#include <string.h>
#include "codec/decode/walker.h"

enum {
    STEP_ATOMS = 64, /* atoms of a step at most */
    DIGEST_SIZE = 32,
    CHECKSUM_START = 0xef,
};

enum state {
    MAP,     /* an entry of the map */
    BORDER,  /* between two blocks */
    BEGIN,   /* a block begins */
    TOKEN,   /* a token, or what is derived */
    SIZE,    /* of the cover or match */
    SEEK,    /* the walker, before a cover */
    UNIT,    /* of a cover */
    CORRECT, /* a missed unit as a number */
    BYTES,   /* or byte by byte */
    FAR,     /* the distance of a match */
    COPY,    /* a match */
    MOVED,   /* a relocating one */
    END,
    FAILED,
};

static enum moult_decoder_want fail(struct moult_decoder *d, enum moult_status status)
{
    d->status = status;
    d->state = FAILED;
    return MOULT_DECODER_FAILED;
}

static void set_view(struct moult_view *view, uint8_t *window,
                     bool (*read)(void *, uint32_t, uint8_t *, uint32_t), void *context)
{
    *view = (struct moult_view){
        .read = read, .context = context, .data = window, .window = window};
}

static enum moult_status read_base(void *context, uint32_t offset, uint8_t *out,
                                   uint32_t size)
{
    const struct moult_decoder_io *io = context;
    return io->read_base(io->context, offset, out, size) ? MOULT_OK : MOULT_E_IO;
}

enum moult_status moult_decoder_init(struct moult_decoder *d,
                                     const struct moult_patch_header *header,
                                     const struct moult_decoder_io *io, uint32_t ram_max)
{
    assert(d && header && io);
    memset(d, 0, sizeof *d);
    d->header = *header;
    d->io = *io;
    if (moult_patch_ram(header->profile, header->map_count) > ram_max) {
        return MOULT_E_NOMEM;
    }
    if (header->profile > MOULT_CODEC_PROFILE_MAX) { return MOULT_E_UNSUPPORTED; }
    if (header->map_count > MOULT_CODEC_MAP_MAX) { return MOULT_E_UNSUPPORTED; }
    struct moult_reader base = {&d->io, read_base, header->base_size};
    enum moult_status status = moult_patch_header_base(&d->header, &base);
    if (status != MOULT_OK) { return status; }

    struct moult_codec *c = &d->codec;
    c->header = &d->header;
    c->profile = header->profile == MOULT_PATCH_M8 ? &moult_profile_m8 : &moult_profile_m16;
    set_view(&c->base, c->base_window, io->read_base, io->context);
    set_view(&c->ahead, c->ahead_window, io->read_base, io->context);
    set_view(&c->output, c->output_window, io->read_output, io->context);
    d->fed = header->size;
    d->state = header->map_count > 0 ? MAP : BORDER;
    return MOULT_OK;
}

size_t moult_decoder_feed(struct moult_decoder *d, const uint8_t *data, size_t size)
{
    uint32_t rest = d->header.patch_size - d->fed;
    if (size > rest) { size = rest; }
    size_t taken = moult_rc_feed(&d->codec.rc, data, size);
    d->fed += (uint32_t)taken;
    return taken;
}

/* --- what the caller has to do ------------------------------------------------------- */

static uint32_t consumed(const struct moult_decoder *d)
{
    return d->fed - d->codec.rc.count;
}

static bool has_input(const struct moult_decoder *d)
{
    return d->codec.rc.count >= MOULT_RC_RESERVE || d->fed == d->header.patch_size;
}

/* Where the digest behind the segments begins; 0: it is not derived. */
static uint32_t digest_at(const struct moult_decoder *d)
{
    if (!(d->header.flags & MOULT_PATCH_DIGEST)) { return 0; }
    return (moult_patch_segments_end(&d->header) | 15u) + 1;
}

/* A page is full, the block is, or the digest of all so far comes next. */
static bool must_emit(const struct moult_decoder *d)
{
    const struct moult_codec *c = &d->codec;
    return c->at > d->emitted &&
           (c->at / MOULT_CODEC_PAGE > d->emitted / MOULT_CODEC_PAGE ||
            c->at == c->block_end || c->at == digest_at(d));
}

static enum moult_decoder_want emit(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    uint32_t page_end = (d->emitted / MOULT_CODEC_PAGE + 1) * MOULT_CODEC_PAGE;
    uint32_t end = c->at < page_end ? c->at : page_end;
    d->emit.data = c->ring + d->emitted % MOULT_CODEC_RING;
    d->emit.offset = d->emitted;
    d->emit.size = end - d->emitted;
    d->emitted = end;
    return MOULT_DECODER_EMIT;
}

/* --- map and blocks ------------------------------------------------------------------ */

static bool step_map(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    if (c->map_count == 0) {
        moult_rc_begin(&c->rc);
        moult_model_reset(&c->model);
    }
    struct moult_move move = moult_code_move(c, d->move, d->move);
    if (c->map_count > 0 && move.address <= d->move.address) { c->is_bad = true; }
    d->move = c->map[c->map_count++] = move;
    if (c->map_count < d->header.map_count) { return true; }
    if (consumed(d) != (uint32_t)d->header.size + d->header.prelude_size) {
        c->is_bad = true;
    }
    d->state = BORDER;
    return true;
}

static enum moult_decoder_want step_border(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    if (c->at == d->header.new_size) {
        if (consumed(d) != d->header.patch_size) { return fail(d, MOULT_E_FORMAT); }
        d->state = END;
        return MOULT_DECODER_DONE;
    }
    d->mark = (struct moult_decoder_mark){d->block, consumed(d), c->at, c->checksum};
    d->state = BEGIN;
    return MOULT_DECODER_BLOCK;
}

static bool step_begin(struct moult_decoder *d)
{
    moult_codec_reset(&d->codec);
    moult_rc_begin(&d->codec.rc);
    d->block++;
    d->state = TOKEN;
    return true;
}

/* The newest bytes of output, which matches look for in the ring. */
static bool read_ring(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    uint32_t at = c->at > MOULT_CODEC_RING ? c->at - MOULT_CODEC_RING : 0;
    while (at < c->at) {
        uint32_t size = MOULT_CODEC_WINDOW - at % MOULT_CODEC_WINDOW;
        if (size > c->at - at) { size = c->at - at; }
        uint8_t *to = c->ring + at % MOULT_CODEC_RING;
        if (!d->io.read_output(d->io.context, at, to, size)) { return false; }
        at += size;
    }
    return true;
}

enum moult_status moult_decoder_resume(struct moult_decoder *d,
                                       const struct moult_decoder_mark *mark)
{
    struct moult_codec *c = &d->codec;
    if (d->state != BEGIN || d->block != 0) { return MOULT_E_STATE; }
    uint32_t size = moult_patch_block_size(&d->header);
    bool is_border = mark->output % size == 0 && mark->output / size == mark->block;
    if (!is_border || mark->output >= d->header.new_size || mark->input < d->mark.input ||
        mark->input >= d->header.patch_size) {
        return MOULT_E_RANGE;
    }
    c->rc.count = 0;
    c->at = d->emitted = mark->output;
    c->checksum = mark->checksum;
    d->fed = mark->input;
    d->block = mark->block;
    d->mark = *mark;
    return read_ring(d) ? MOULT_OK : MOULT_E_IO;
}

/* --- tokens -------------------------------------------------------------------------- */

/* Bytes that follow from those before: padding, checksum and digest behind the segments.
 * True: c->at stands among them. */
static bool put_derived(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    uint32_t from = moult_patch_segments_end(&d->header);
    uint32_t size = moult_patch_derived_size(&d->header);
    if (size == 0 || c->at - from >= size) { return false; }
    uint32_t checksum_at = from | 15u;
    if (c->at < checksum_at) {
        moult_output_put(c, 0);
    } else if (c->at == checksum_at) {
        moult_output_put(c, CHECKSUM_START ^ c->checksum);
    } else {
        uint8_t digest[DIGEST_SIZE] = {0};
        assert(d->emitted == c->at);
        c->is_stuck |= !d->io.output_digest(d->io.context, c->at, digest);
        for (unsigned i = 0; i < DIGEST_SIZE; i++) {
            moult_output_put(c, digest[i]);
        }
    }
    return true;
}

/* Where a token that begins at c->at has to end. */
static uint32_t limit_of(const struct moult_decoder *d)
{
    const struct moult_codec *c = &d->codec;
    uint32_t end = moult_patch_segments_end(&d->header);
    bool is_before = moult_patch_derived_size(&d->header) > 0 && c->at < end;
    return is_before && end < c->block_end ? end : c->block_end;
}

static void finish(struct moult_decoder *d)
{
    moult_token_done(&d->codec, d->token.token, d->token.old + d->token.size);
    d->state = TOKEN;
}

static bool step_token(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    if (c->at == c->block_end) {
        d->state = BORDER;
        return false;
    }
    if (put_derived(d)) { return true; }
    c->limit = limit_of(d);
    d->token.token = moult_code_token(c, MOULT_TOKEN_LITERAL);
    d->token.size = d->token.old = 0;
    if (d->token.token == MOULT_TOKEN_LITERAL) {
        moult_output_put(c, moult_code_literal(c, 0));
        finish(d);
        return true;
    }
    if (d->token.token == MOULT_TOKEN_COVER) {
        d->token.old = moult_code_cover_from(c, 0);
    } else if (c->limit - c->at < 2) {
        c->is_bad = true;
    }
    d->state = SIZE;
    return true;
}

static bool step_size(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    if (d->token.token != MOULT_TOKEN_COVER) {
        d->token.size = moult_code_match_size(c, 2);
        d->state = FAR;
        return true;
    }
    d->token.size = moult_code_cover_size(c, d->token.old, 1);
    d->token.end = c->at + d->token.size;
    if (c->is_bad) { return false; }
    moult_recent_push(c, d->token.old, d->token.size);
    moult_walker_begin(c, d->token.old);
    d->state = SEEK;
    return true;
}

/* --- covers -------------------------------------------------------------------------- */

static void put_bytes(struct moult_codec *c, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        moult_output_put(c, bytes[i]);
    }
}

static void next_unit(struct moult_decoder *d)
{
    if (d->codec.at == d->token.end) {
        finish(d);
    } else {
        d->state = UNIT;
    }
}

/* 64 bytes as they are in the base. */
static void put_run(struct moult_codec *c)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 64; i += sizeof bytes) {
        moult_walker_read(c, c->walker.at, bytes, sizeof bytes, false);
        put_bytes(c, bytes, sizeof bytes);
        c->walker.at += (uint32_t)sizeof bytes;
    }
}

static bool step_unit(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    uint32_t room = d->token.end - c->at;
    if (moult_may_run(c, room) && moult_code_run(c, false)) {
        put_run(c);
        next_unit(d);
        return true;
    }
    moult_walker_next(c, room);
    if (moult_code_hit(c, false)) {
        put_bytes(c, c->unit.predicted, c->unit.size);
        next_unit(d);
        return true;
    }
    d->token.byte = d->token.misses = 0;
    d->state = moult_may_correct(c) ? CORRECT : BYTES;
    return true;
}

static bool step_correct(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    if (!moult_code_is_corrected(c, false)) {
        d->state = BYTES;
        return true;
    }
    uint8_t bytes[4];
    moult_code_correction(c, 0, bytes);
    if (c->is_bad) { return false; }
    put_bytes(c, bytes, c->unit.size);
    next_unit(d);
    return true;
}

static bool step_bytes(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    unsigned i = d->token.byte++;
    uint8_t byte = moult_code_substitute(c, i, d->token.misses, 0);
    unsigned miss = byte != c->unit.predicted[i];
    d->token.misses = (d->token.misses << 1 | miss << 1) & 7;
    moult_output_put(c, byte);
    if (d->token.byte == c->unit.size) { next_unit(d); }
    return true;
}

/* --- matches ------------------------------------------------------------------------- */

static bool step_far(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    d->token.distance = moult_code_match_distance(c, d->token.size, 1);
    bool is_moved = d->token.token == MOULT_TOKEN_MOVED;
    if (is_moved && d->token.size > d->token.distance) { c->is_bad = true; }
    if (c->is_bad) { return false; }
    d->token.end = c->at + d->token.size;
    if (is_moved) { moult_walker_relocate(c, c->at - d->token.distance); }
    d->state = is_moved ? MOVED : COPY;
    return true;
}

static bool step_copy(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    do {
        moult_output_put(c, moult_output_byte(c, c->at - d->token.distance));
    } while (c->at < d->token.end && c->at % MOULT_CODEC_PAGE != 0);
    if (c->at == d->token.end) { finish(d); }
    return true;
}

static bool step_moved(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    moult_walker_next(c, d->token.end - c->at);
    put_bytes(c, c->unit.predicted, c->unit.size);
    if (c->at == d->token.end) { finish(d); }
    return true;
}

/* --- the machine --------------------------------------------------------------------- */

/* One atom. False: nothing more in this step. */
static bool atom(struct moult_decoder *d)
{
    switch ((enum state)d->state) {
    case MAP:
        return step_map(d);
    case BEGIN:
        return step_begin(d);
    case TOKEN:
        return step_token(d);
    case SIZE:
        return step_size(d);
    case SEEK:
        if (moult_walker_seek(&d->codec)) { d->state = UNIT; }
        return false;
    case UNIT:
        return step_unit(d);
    case CORRECT:
        return step_correct(d);
    case BYTES:
        return step_bytes(d);
    case FAR:
        return step_far(d);
    case COPY:
        return step_copy(d);
    case MOVED:
        return step_moved(d);
    case BORDER:
    case END:
    case FAILED:
        break;
    }
    return false;
}

enum moult_decoder_want moult_decoder_step(struct moult_decoder *d)
{
    struct moult_codec *c = &d->codec;
    if (d->state == END) { return MOULT_DECODER_DONE; }
    if (d->state == FAILED) { return MOULT_DECODER_FAILED; }
    for (unsigned i = 0; i < STEP_ATOMS; i++) {
        if (must_emit(d)) { return emit(d); }
        if (d->state == BORDER) { return step_border(d); }
        if (!has_input(d)) { return MOULT_DECODER_INPUT; }
        bool goes_on = atom(d);
        if (c->is_bad || c->rc.is_short) { return fail(d, MOULT_E_FORMAT); }
        if (c->is_stuck) { return fail(d, MOULT_E_IO); }
        if (!goes_on) { break; }
    }
    return MOULT_DECODER_AGAIN;
}
