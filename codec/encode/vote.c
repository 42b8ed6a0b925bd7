/* vote.c - the map: from which address on everything moved by how much. Every unit with a
 * target in an aligned part votes; the cheapest sequence of shifts wins. */
#include <stdlib.h>
#include <string.h>
#include "codec/decode/walker.h"
#include "codec/encode/work.h"

enum {
    SHIFT_MAX = 0x200000, /* bytes; what is said to move further did not move */
    GAIN = 1400,          /* hundredths of a bit that a vote is worth */
    GAIN_AGAIN = 490,     /* when it says the same as the one before */
    LOSS = 3400,          /* hundredths of a bit that an entry costs */
};

struct vote {
    uint32_t target;
    int32_t shift;
    int32_t gain;
    uint32_t state; /* index of the shift among all that occur */
};

/* Where the dynamic programme came from. */
struct step {
    int32_t before; /* vote, -1 none */
    bool is_entry;
};

struct election {
    struct moult_work *w;
    struct vote *votes;
    uint32_t count;
    int32_t *shifts; /* sorted */
    uint32_t shift_count;
    int64_t *value; /* best sum that ends with this shift */
    int32_t *last;  /* vote there */
    struct step *steps;
};

static int by_target(const void *left, const void *right)
{
    const struct vote *a = left, *b = right;
    if (a->target != b->target) { return a->target < b->target ? -1 : 1; }
    if (a->shift != b->shift) { return a->shift < b->shift ? -1 : 1; }
    return 0;
}

static int by_number(const void *left, const void *right)
{
    const int32_t *a = left, *b = right;
    return *a == *b ? 0 : *a < *b ? -1 : 1;
}

static void vote_of_unit(struct election *e, uint32_t at)
{
    struct moult_codec *c = e->w->probe;
    const struct moult_unit *u = &c->unit;
    uint32_t target;
    bool is_local = u->type == MOULT_UNIT_BR || u->type == MOULT_UNIT_BC;
    if (!u->has_target || u->type == MOULT_UNIT_HI || is_local || u->is_word) { return; }
    if (!moult_enc_target(c, e->w->result.data + at, &target)) { return; }
    int32_t shift = (int32_t)(target - u->target);
    if (shift > -SHIFT_MAX && shift < SHIFT_MAX && e->count < e->w->result.size / 4) {
        e->votes[e->count++] = (struct vote){.target = u->target, .shift = shift};
    }
}

static void collect(struct election *e)
{
    struct moult_work *w = e->w;
    moult_enc_codec_init(w, w->probe);
    for (size_t i = 0; i < w->cover_count; i++) {
        const struct moult_enc_cover *cover = &w->covers[i];
        moult_enc_probe(w, cover->old, cover->at);
        uint32_t end = cover->at + cover->size;
        struct moult_codec *c = w->probe;
        while (c->at < end) {
            moult_walker_next(c, end - c->at);
            vote_of_unit(e, c->at);
            c->at += c->unit.size;
        }
    }
}

/* Sort; fold what says the same; number the shifts. */
static void prepare(struct election *e)
{
    qsort(e->votes, e->count, sizeof *e->votes, by_target);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        struct vote *last = kept > 0 ? &e->votes[kept - 1] : NULL;
        if (last && by_target(last, &e->votes[i]) == 0) {
            last->gain += GAIN_AGAIN;
            continue;
        }
        e->votes[kept] = e->votes[i];
        e->votes[kept++].gain = GAIN;
    }
    e->count = kept;
    for (uint32_t i = 0; i < kept; i++) {
        e->shifts[i] = e->votes[i].shift;
    }
    e->shifts[kept] = 0;
    qsort(e->shifts, kept + 1, sizeof *e->shifts, by_number);
    for (uint32_t i = 0; i <= kept; i++) {
        if (e->shift_count == 0 || e->shifts[e->shift_count - 1] != e->shifts[i]) {
            e->shifts[e->shift_count++] = e->shifts[i];
        }
    }
    for (uint32_t i = 0; i < kept; i++) {
        const int32_t *found = bsearch(&e->votes[i].shift, e->shifts, e->shift_count,
                                       sizeof *e->shifts, by_number);
        e->votes[i].state = (uint32_t)(found - e->shifts);
    }
}

/* Votes of one target at once, so that they see only what was before. Ties: the first. */
static int32_t elect(struct election *e, int64_t loss)
{
    const int64_t never = INT64_MIN / 2;
    int32_t zero = 0, best_last = -1;
    int64_t best = 0;
    for (uint32_t i = 0; i < e->shift_count; i++) {
        e->value[i] = never;
    }
    int32_t *at = bsearch(&zero, e->shifts, e->shift_count, sizeof zero, by_number);
    e->value[at - e->shifts] = 0;
    e->last[at - e->shifts] = -1;
    for (uint32_t i = 0, end = 0; i < e->count; i = end) {
        int64_t new_best = best;
        int32_t new_last = best_last;
        for (end = i; end < e->count && e->votes[end].target == e->votes[i].target; end++) {
            const struct vote *v = &e->votes[end];
            bool is_entry = e->value[v->state] < best - loss;
            int64_t value = (is_entry ? best - loss : e->value[v->state]) + v->gain;
            e->steps[end] =
                (struct step){is_entry ? best_last : e->last[v->state], is_entry};
            e->value[v->state] = value;
            e->last[v->state] = (int32_t)end;
            if (value > new_best) {
                new_best = value;
                new_last = (int32_t)end;
            }
        }
        best = new_best;
        best_last = new_last;
    }
    return best_last;
}

/* The entries on the way to the last vote; false: more than `most`. */
static bool list(const struct election *e, int32_t last, uint32_t most)
{
    struct moult_work *w = e->w;
    uint32_t count = 0;
    for (int32_t i = last; i >= 0; i = e->steps[i].before) {
        if (!e->steps[i].is_entry) { continue; }
        if (count == most) { return false; }
        w->map[count++] =
            (struct moult_move){e->votes[i].target, (uint32_t)e->votes[i].shift};
    }
    for (uint32_t i = 0; i < count / 2; i++) {
        struct moult_move swapped = w->map[i];
        w->map[i] = w->map[count - 1 - i];
        w->map[count - 1 - i] = swapped;
    }
    w->map_count = 0;
    for (uint32_t i = 0; i < count; i++) { /* a shift that goes on is no entry */
        if (w->map_count > 0 && w->map[w->map_count - 1].shift == w->map[i].shift) {
            continue;
        }
        w->map[w->map_count++] = w->map[i];
    }
    return true;
}

void moult_enc_map(struct moult_work *w)
{
    uint32_t most = w->header.profile == MOULT_PATCH_M8 ? 256 : 512;
    if (w->base.size == 0 || w->header.isa == MOULT_PATCH_GENERIC) { return; }
    w->map = moult_work_array(w, most, sizeof *w->map);
    size_t mark = moult_work_mark(w);
    struct election e = {.w = w};
    e.votes = moult_work_array(w, w->result.size / 4 + 1, sizeof *e.votes);
    if (w->status != MOULT_OK) { return; }
    collect(&e);
    if (e.count > 0) {
        e.shifts = moult_work_array(w, e.count + 1, sizeof *e.shifts);
        e.value = moult_work_array(w, e.count + 1, sizeof *e.value);
        e.last = moult_work_array(w, e.count + 1, sizeof *e.last);
        e.steps = moult_work_array(w, e.count, sizeof *e.steps);
        if (w->status != MOULT_OK) { return; }
        prepare(&e);
        int64_t loss = LOSS;
        while (!list(&e, elect(&e, loss), most)) {
            loss += loss * 3 / 10;
        }
    }
    moult_work_release(w, mark);
}
