/* write.c - tokens into bits, block by block, with the decoder's own symbols. */
#include <assert.h>
#include <string.h>
#include "codec/decode/operand.h"
#include "codec/decode/walker.h"
#include "codec/encode/work.h"
#include "formats/bytes.h"

enum { BLOCK_PATCH_MAX = 4096 }; /* bytes of patch that a resumed block may fetch again */

struct writer {
    struct moult_work *w;
    struct moult_codec *c;
    size_t token;     /* under way */
    uint32_t done;    /* bytes of it that are written */
    size_t block_max; /* bytes of the largest block */
};

static void put_known(struct moult_codec *c, uint32_t size)
{
    for (; size > 0; size--) {
        moult_output_put(c, c->known[c->at]);
    }
}

/* --- covers -------------------------------------------------------------------------- */

/* Whether a difference costs less than the bytes that differ. */
static bool is_cheap(const struct moult_codec *c, uint32_t word)
{
    const struct moult_unit *u = &c->unit;
    int32_t d = (int32_t)(word - get_le32(u->predicted));
    for (unsigned i = 0; i < MOULT_REPEATS; i++) {
        if (c->difference_list[i] == d) { return true; }
    }
    unsigned differing = 0;
    uint32_t x = word ^ get_le32(u->predicted);
    for (unsigned i = 0; i < 4; i++) {
        differing += (x >> 8 * i & 0xff) != 0;
    }
    uint32_t size = d < 0 ? 0u - (uint32_t)d : (uint32_t)d;
    return 2 * moult_enc_log2(size) + 3 <= 8 * differing + 2;
}

static bool can_correct(struct moult_codec *c, uint32_t *target)
{
    const uint8_t *bytes = c->known + c->at;
    uint8_t made[4];
    if (!moult_enc_target(c, bytes, target) || !moult_can_correct(c, *target)) {
        return false;
    }
    if (c->unit.is_word) { return is_cheap(c, *target); }
    uint32_t address = moult_new_address(c, c->at);
    return moult_operand_put(&c->unit, address, moult_is_riscv(c), *target, made) &&
           memcmp(made, bytes, c->unit.size) == 0;
}

static void write_miss(struct moult_codec *c)
{
    if (moult_may_correct(c)) {
        uint32_t target = 0;
        bool is_corrected = can_correct(c, &target);
        moult_code_is_corrected(c, is_corrected);
        if (is_corrected) {
            uint8_t made[4];
            moult_code_correction(c, target, made);
            put_known(c, c->unit.size);
            return;
        }
    }
    unsigned misses = 0;
    for (unsigned i = 0; i < c->unit.size; i++) {
        uint8_t byte = c->known[c->at];
        unsigned miss = byte != c->unit.predicted[i];
        moult_code_substitute(c, i, misses, byte);
        misses = (misses << 1 | miss << 1) & 7;
        put_known(c, 1);
    }
}

static bool write_run(struct writer *w, uint32_t room)
{
    enum { RUN = 64 };
    struct moult_codec *c = w->c;
    if (!moult_may_run(c, room)) { return false; }
    const uint8_t *old = w->w->base.data + c->walker.at;
    if (!moult_code_run(c, memcmp(old, c->known + c->at, RUN) == 0)) { return false; }
    put_known(c, RUN);
    c->walker.at += RUN;
    return true;
}

static void write_units(struct writer *w, uint32_t end)
{
    struct moult_codec *c = w->c;
    struct moult_encoder_statistics *s = w->w->statistics;
    while (c->at < end) {
        if (write_run(w, end - c->at)) { continue; }
        moult_walker_next(c, end - c->at);
        bool is_hit = memcmp(c->unit.predicted, c->known + c->at, c->unit.size) == 0;
        s->units[c->unit.type]++;
        s->misses[c->unit.type] += !is_hit;
        moult_code_hit(c, is_hit);
        if (is_hit) {
            put_known(c, c->unit.size);
        } else {
            write_miss(c);
        }
    }
}

static void write_cover(struct writer *w, uint32_t old, uint32_t size)
{
    struct moult_codec *c = w->c;
    moult_code_token(c, MOULT_TOKEN_COVER);
    moult_code_cover_from(c, old);
    moult_code_cover_size(c, old, size);
    moult_recent_push(c, old, size);
    moult_walker_begin(c, old);
    while (!moult_walker_seek(c)) {}
    write_units(w, c->at + size);
    moult_token_done(c, MOULT_TOKEN_COVER, old + size);
}

/* --- the other tokens ---------------------------------------------------------------- */

static void write_literals(struct writer *w, uint32_t size)
{
    struct moult_codec *c = w->c;
    for (; size > 0; size--) {
        moult_code_token(c, MOULT_TOKEN_LITERAL);
        moult_code_literal(c, c->known[c->at]);
        put_known(c, 1);
        moult_token_done(c, MOULT_TOKEN_LITERAL, 0);
    }
}

static void write_match(struct writer *w, enum moult_token kind, uint32_t distance,
                        uint32_t size)
{
    struct moult_codec *c = w->c;
    moult_code_token(c, kind);
    moult_code_match_size(c, size);
    moult_code_match_distance(c, size, distance);
    put_known(c, size);
    moult_token_done(c, kind, 0);
}

/* The next piece of the token under way that fits before the limit. */
static void write_piece(struct writer *w)
{
    struct moult_codec *c = w->c;
    const struct moult_enc_token *t = &w->w->tokens[w->token];
    assert(t->at + w->done == c->at);
    uint32_t size = t->size - w->done, room = c->limit - c->at;
    if (size > room) { size = room; }
    enum moult_token kind = t->kind;
    bool is_rest = kind == MOULT_TOKEN_MOVED && w->done > 0; /* predicts from its begin */
    bool is_match = kind == MOULT_TOKEN_MATCH || kind == MOULT_TOKEN_MOVED;
    if (is_rest || (is_match && size < 2)) { kind = MOULT_TOKEN_LITERAL; }
    w->w->statistics->tokens[kind]++;
    w->w->statistics->bytes[kind] += size;
    switch (kind) {
    case MOULT_TOKEN_LITERAL:
        write_literals(w, size);
        break;
    case MOULT_TOKEN_COVER:
        write_cover(w, t->from + w->done, size);
        break;
    case MOULT_TOKEN_MATCH:
    case MOULT_TOKEN_MOVED:
        write_match(w, kind, t->from, size);
        break;
    }
    w->done += size;
    if (w->done == t->size) {
        w->token++;
        w->done = 0;
    }
}

/* --- blocks -------------------------------------------------------------------------- */

static void write_block(struct writer *w)
{
    struct moult_work *work = w->w;
    struct moult_codec *c = w->c;
    size_t before = work->out.size;
    moult_range_encoder_begin(&work->out);
    moult_codec_reset(c);
    moult_rc_begin(&c->rc);
    while (c->at < c->block_end && !work->out.is_full) {
        if (work->derived_size > 0 && c->at == work->derived_from) {
            put_known(c, work->derived_size);
            continue;
        }
        bool is_before = work->derived_size > 0 && c->at < work->derived_from;
        c->limit = is_before && work->derived_from < c->block_end ? work->derived_from
                                                                  : c->block_end;
        write_piece(w);
    }
    moult_range_encoder_end(&work->out);
    work->statistics->blocks++;
    if (work->out.size - before > w->block_max) { w->block_max = work->out.size - before; }
}

static void begin(struct moult_work *w)
{
    moult_enc_codec_init(w, w->codec);
    w->codec->rc.put = moult_range_encoder_put;
    w->codec->rc.context = &w->out;
}

static void write_map(struct moult_work *w)
{
    w->header.map_count = (uint16_t)w->map_count;
    if (w->map_count == 0) { return; }
    begin(w);
    moult_model_reset(&w->codec->model);
    moult_range_encoder_begin(&w->out);
    moult_rc_begin(&w->codec->rc);
    struct moult_move before = {0, 0};
    for (uint32_t i = 0; i < w->map_count; i++) {
        before = moult_code_move(w->codec, before, w->map[i]);
    }
    moult_range_encoder_end(&w->out);
    w->header.prelude_size = (uint16_t)w->out.size;
}

/* All blocks of this size, behind the map. The largest block's bytes of patch. */
static size_t write_blocks(struct moult_work *w, uint8_t block_log2)
{
    struct writer writer = {.w = w, .c = w->codec};
    w->header.block_log2 = block_log2;
    w->out.size = w->header.prelude_size;
    w->out.is_full = false;
    memset(w->statistics, 0, sizeof *w->statistics);
    begin(w);
    while (w->codec->at < w->result.size && !w->out.is_full) {
        if (!moult_work_progress(w, MOULT_ENCODER_CODE, w->codec->at, w->result.size)) {
            return 0;
        }
        write_block(&writer);
    }
    if (w->codec->is_bad) { w->status = MOULT_E_INTERNAL; }
    return writer.block_max;
}

/* The largest blocks of which none takes more than 4 KB of patch; else the smallest: they
 * cost a little, and make resuming cheap. */
void moult_enc_code(struct moult_work *w)
{
    enum { LOG2_MIN = 16, LOG2_MAX = 23 };
    write_map(w);
    if (w->header.prelude_size > MOULT_PATCH_PRELUDE_MAX) {
        w->status = MOULT_E_INTERNAL;
        return;
    }
    if (write_blocks(w, 0) <= BLOCK_PATCH_MAX) { return; }
    size_t whole = w->out.size;
    for (uint8_t log2 = LOG2_MAX; log2 > LOG2_MIN; log2--) {
        size_t blocks = (w->result.size >> log2) + 1;
        if (blocks == 1 || whole / blocks > BLOCK_PATCH_MAX) { continue; } /* it cannot */
        if (write_blocks(w, log2) <= BLOCK_PATCH_MAX || w->status != MOULT_OK) { return; }
    }
    write_blocks(w, LOG2_MIN);
}
