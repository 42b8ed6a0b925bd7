/* units.c - whether a prediction holds, and what is right when it does not. */
#include <string.h>
#include "codec/decode/operand.h"
#include "codec/decode/symbols.h"
#include "codec/decode/walker.h"
#include "formats/bytes.h"

enum {
    RUN_WORDS = 16,       /* of equal words that one flag may stand for */
    SHIFT_MAX = 0x400000, /* of a target that is corrected as a number */
};

static unsigned bit_length(uint32_t x)
{
    unsigned n = 0;
    for (; x > 0; x >>= 1) {
        n++;
    }
    return n;
}

static unsigned at_most(unsigned x, unsigned most)
{
    return x < most ? x : most;
}

static void remember_outcome(struct moult_codec *c, bool is_hit)
{
    c->hist = c->hist << 1 | !is_hit;
    c->since = is_hit ? c->since + 1 : 0;
}

static bool has_number(const struct moult_unit *u)
{
    return u->has_target && u->type != MOULT_UNIT_HI;
}

bool moult_code_hit(struct moult_codec *c, bool is_hit)
{
    const struct moult_unit *u = &c->unit;
    uint32_t quarter = c->profile->flag / 4u, type = u->type;
    unsigned run = at_most(bit_length(c->since), 11);
    uint32_t known =
        has_number(u) && moult_correction_of(c, u->target)->target == u->target;
    uint32_t what = u->target;
    if (!u->has_target) { what = u->old[0] | (uint32_t)u->old[u->size > 1 ? 1 : 0] << 8; }
    uint32_t by_key = (type << 8 | u->key) * 12 + at_most(run, 7);
    uint32_t by_target = (what << 4 | type) + known * 77777777u;
    const uint32_t index[4] = {
        moult_hash(type * 16 + (c->hist & 15), quarter),
        quarter + moult_hash(type * 12 + run, quarter),
        2 * quarter + moult_hash(by_key, quarter),
        3 * quarter + moult_hash(by_target, quarter),
    };
    is_hit = moult_model_flag(&c->model, &c->rc, is_hit, index, MOULT_MIX_FLAG + type) != 0;
    remember_outcome(c, is_hit);
    return is_hit;
}

bool moult_may_run(const struct moult_codec *c, uint32_t room)
{
    enum { BYTES = 4 * RUN_WORDS };
    const struct moult_walker *w = &c->walker;
    bool is_other = w->segment < 0 || c->header->isa == MOULT_PATCH_GENERIC;
    return is_other && c->since >= RUN_WORDS && c->since % RUN_WORDS == 0 &&
           w->at % 4 == 0 && room >= BYTES && w->at < w->end && w->end - w->at >= BYTES;
}

bool moult_code_run(struct moult_codec *c, bool is_run)
{
    uint16_t *counter = &c->model.run[at_most(bit_length(c->since), 11)];
    is_run = moult_rc_counted(&c->rc, is_run, counter) != 0;
    if (is_run) {
        c->since += RUN_WORDS;
        c->hist = 0;
    }
    return is_run;
}

bool moult_may_correct(const struct moult_codec *c)
{
    return has_number(&c->unit);
}

bool moult_code_is_corrected(struct moult_codec *c, bool is_corrected)
{
    struct moult_model *m = &c->model;
    uint16_t *counter = c->unit.is_word ? m->by_difference : &m->by_target[c->unit.type];
    return moult_rc_counted(&c->rc, is_corrected, counter) != 0;
}

/* How differences of this kind of unit are coded. */
struct list {
    int32_t *recent;
    uint16_t *which, *four; /* four: NULL where all are multiples of four */
    uint16_t *number, *sign;
};

static struct list list_of(struct moult_codec *c)
{
    struct moult_model *m = &c->model;
    const struct moult_unit *u = &c->unit;
    if (u->is_word) {
        return (struct list){c->difference_list, m->difference_which, m->difference_four,
                             m->number_target, m->sign_target};
    }
    if (moult_is_local(u)) {
        return (struct list){c->target_list[1], m->target_which[1], &m->by_four[1],
                             m->number_branch, m->sign_branch};
    }
    bool is_aligned = u->type == MOULT_UNIT_CALL || u->type == MOULT_UNIT_L32R;
    return (struct list){c->target_list[0], m->target_which[0],
                         is_aligned ? NULL : &m->by_four[0], m->number_target,
                         m->sign_target};
}

static void to_front(int32_t *recent, unsigned from, int32_t value)
{
    for (unsigned i = from < MOULT_REPEATS ? from : MOULT_REPEATS - 1; i > 0; i--) {
        recent[i] = recent[i - 1];
    }
    recent[0] = value;
}

/* A difference: one of the last four, or a number. */
static int32_t code_difference(struct moult_codec *c, int32_t d)
{
    struct list list = list_of(c);
    unsigned want = 0, i = 0;
    while (want < MOULT_REPEATS && list.recent[want] != d) {
        want++;
    }
    while (i < MOULT_REPEATS && !moult_rc_counted(&c->rc, want == i, &list.which[i])) {
        i++;
    }
    bool is_good = true;
    if (i < MOULT_REPEATS) {
        d = list.recent[i];
    } else {
        bool by_four = true;
        if (list.four) { by_four = moult_rc_counted(&c->rc, d % 4 == 0, list.four) != 0; }
        int32_t step = by_four ? 4 : 1;
        int32_t n = moult_rc_signed(&c->rc, d / step, list.number, list.sign, &is_good);
        is_good = is_good && n <= INT32_MAX / step && n >= -(INT32_MAX / step);
        d = is_good ? n * step : 0;
    }
    c->is_bad |= !is_good;
    to_front(list.recent, i, d);
    return d;
}

static uint32_t expected_of(const struct moult_codec *c)
{
    return c->unit.is_word ? get_le32(c->unit.predicted) : moult_unit_expected(c, &c->unit);
}

uint32_t moult_code_correction(struct moult_codec *c, uint32_t target, uint8_t bytes[4])
{
    struct moult_unit *u = &c->unit;
    uint32_t expected = expected_of(c);
    int32_t d = code_difference(c, (int32_t)(target - expected));
    target = expected + (uint32_t)d;
    struct moult_correction *known = moult_correction_of(c, u->target);
    *known = (struct moult_correction){u->target, target - u->target};
    if (u->is_word) {
        put_le32(bytes, target);
    } else if (!moult_operand_put(u, moult_new_address(c, c->at), moult_is_riscv(c), target,
                                  bytes)) {
        c->is_bad = true;
    }
    return target;
}

bool moult_can_correct(const struct moult_codec *c, uint32_t target)
{
    const struct moult_unit *u = &c->unit;
    int32_t d = (int32_t)(target - expected_of(c));
    if (u->is_word) { return d != INT32_MIN; }
    bool is_aligned = u->type == MOULT_UNIT_CALL || u->type == MOULT_UNIT_L32R;
    if (d > SHIFT_MAX || d < -SHIFT_MAX || (is_aligned && d % 4 != 0)) { return false; }
    uint8_t bytes[4];
    return moult_operand_put(u, moult_new_address(c, c->at), moult_is_riscv(c), target,
                             bytes);
}
