/* bytes.c - bytes that no prediction hits: literals, and substitutes in missed units. */
#include "codec/decode/symbols.h"

enum {
    MIX_K = 0x2545F491,
    EXPECTED_K = 0x3D4D51CB,
    EXPECTED_C = 0x1234567,
    OPCODE_K = (int)0x85EBCA6Bu,
};

/* 1 + next bit of x while the bits so far (with a leading 1) agree with it; else 0. */
static uint32_t guess(uint32_t x, uint32_t so_far, unsigned bit)
{
    return (x | 256) >> (bit + 1) == so_far ? 1 + (x >> bit & 1) : 0;
}

/* Context of the byte that is expected. */
static uint32_t expected_context(uint32_t x, uint32_t so_far, unsigned bit)
{
    return x * (uint32_t)EXPECTED_K + EXPECTED_C + (guess(x, so_far, bit) << 8) +
           so_far * (uint32_t)MIX_K;
}

static uint32_t before(struct moult_codec *c, uint32_t n)
{
    return c->at >= n ? moult_output_byte(c, c->at - n) : 0;
}

/* --- literals ------------------------------------------------------------------------ */

/* What the instruction so far says of the next byte. */
static uint32_t opcode_context(struct moult_codec *c, uint32_t kind, uint32_t phase)
{
    if (kind == 0) { return 0; }
    uint32_t c1 = before(c, 1), c2 = before(c, 2), c3 = before(c, 3);
    if (kind == 2) { return (c3 << 2 | phase) | 0x4000; }
    switch (phase) {
    case 0:
        return c1;
    case 1:
        return c1 | 0x100;
    case 2:
        if (c->header->isa == MOULT_PATCH_RISCV) {
            return ((c2 & 0x7f) << 4 | c1 >> 4) | 0x1000;
        }
        return ((c2 & 15) << 4 | c1 >> 4) | 0x1000;
    default:
        return ((c3 & 0x7f) << 4 | c1 >> 4) | 0x2000;
    }
}

/* The byte to expect: where the last cover would have gone on, or the last match. -1: none.
 */
static int32_t expected_byte(struct moult_codec *c)
{
    if (c->header->base_size > 0 && !c->lm) {
        uint32_t old = c->at + c->rep[0];
        if (old >= c->header->base_size) { return -1; }
        uint8_t byte;
        moult_view_get(c, &c->base, old, &byte, 1);
        return byte;
    }
    if ((c->ht & 1) == 0 || c->nrep[0] > c->at) { return -1; }
    return (int32_t)before(c, c->nrep[0]);
}

uint8_t moult_code_literal(struct moult_codec *c, uint8_t byte)
{
    struct moult_model *m = &c->model;
    const struct moult_profile *p = c->profile;
    uint32_t kind, phase = moult_output_phase(c, &kind);
    uint32_t c1 = before(c, 1), opcode = opcode_context(c, kind, phase), so_far = 1;
    int32_t expected = expected_byte(c);
    for (unsigned bit = 8; bit-- > 0;) {
        uint16_t *counters[MOULT_MIX_INPUTS];
        unsigned count = 0;
        uint32_t order0 = (4 * kind + phase) << 8 | so_far;
        uint32_t order1 = c1 << 8 | so_far;
        uint32_t by_opcode = (opcode + 1) * (uint32_t)OPCODE_K + so_far * (uint32_t)MIX_K;
        counters[count++] = &m->o0[moult_hash(order0, p->o0)];
        counters[count++] = &m->o1[moult_hash(order1, p->o1)];
        counters[count++] = &m->op[moult_hash(by_opcode, p->op)];
        if (expected >= 0) {
            uint32_t x = expected_context((uint32_t)expected, so_far, bit);
            counters[count++] = &m->ex[moult_hash(x, p->ex)];
        }
        unsigned set = MOULT_MIX_LITERAL + 4 * phase + bit / 2 + (expected >= 0 ? 0 : 16);
        so_far = so_far << 1 | moult_model_mix(m, &c->rc, (uint32_t)byte >> bit & 1u,
                                               counters, count, set);
    }
    return (uint8_t)so_far;
}

/* --- substitutes --------------------------------------------------------------------- */

static uint8_t substitute(struct moult_codec *c, uint32_t ti, uint32_t e, uint8_t byte)
{
    struct moult_model *m = &c->model;
    const struct moult_profile *p = c->profile;
    uint32_t c1 = before(c, 1), last = (e + c->last_difference[ti]) & 255, so_far = 1;
    for (unsigned bit = 8; bit-- > 0;) {
        uint32_t own = 768 * ti + 256 * guess(e, so_far, bit) + so_far;
        uint32_t by_last = (3 * ti + guess(last, so_far, bit)) * 8 + bit + 77777;
        uint16_t *counters[MOULT_MIX_INPUTS] = {
            &m->sub[moult_hash(own, p->sub)],
            &m->ex[moult_hash(expected_context(e, so_far, bit), p->ex)],
            &m->o1[moult_hash(c1 << 8 | so_far, p->o1)],
            &m->o0[so_far],
            &m->sub[moult_hash(by_last, p->sub)],
        };
        so_far = so_far << 1 | moult_model_mix(m, &c->rc, (uint32_t)byte >> bit & 1u,
                                               counters, 5, MOULT_MIX_SUB + (7 - bit));
    }
    return (uint8_t)so_far;
}

uint8_t moult_code_substitute(struct moult_codec *c, unsigned i, unsigned misses,
                              uint8_t byte)
{
    uint32_t ti = 4u * c->unit.type + i, e = c->unit.predicted[i];
    uint32_t context = 8 * ti + (misses | (i == 0)) + 100003;
    uint16_t *equal = &c->model.sub[moult_hash(context, c->profile->sub)];
    if (moult_rc_counted(&c->rc, byte == e, equal)) { return (uint8_t)e; }
    byte = substitute(c, ti, e, byte);
    c->last_difference[ti] = (uint8_t)(byte - e);
    return byte;
}
