/* align.c - which parts of the result lie where in the base: bsdiff's scan over the masked
 * images (Percival, "Naive differences of executable code"). */
#include "codec/encode/work.h"

enum {
    SLACK = 8,      /* bytes a new place must explain better than the old one */
    COVER_MIN = 12, /* bytes; shorter ones say nothing about moved addresses */
    LOOK = 1 << 16, /* positions between two reports of progress */
};

/* The longest match of result_normal[at...] in the base. */
static uint32_t longest(const struct moult_work *w, uint32_t at, uint32_t *where)
{
    const uint8_t *bytes = w->result_normal + at;
    uint32_t rest = (uint32_t)w->result.size - at, best = 0;
    uint32_t index = moult_enc_suffix_find(w, bytes, rest);
    for (uint32_t k = index > 0 ? index - 1 : 0; k <= index && k < w->base.size; k++) {
        uint32_t old = (uint32_t)w->suffixes[k], there = (uint32_t)w->base.size - old;
        uint32_t size =
            moult_enc_common(w->base_normal + old, bytes, there < rest ? there : rest);
        if (size > best || k < index) {
            best = size;
            *where = old;
        }
    }
    return best;
}

/* Where the scan stands: the newest aligned place, and what was taken of it. */
struct scan {
    const struct moult_work *w;
    uint32_t at, length, where;   /* a match under consideration */
    uint32_t last_at, last_where; /* where the alignment in force began */
    int64_t shift;                /* its base minus result position */
};

static bool agrees(const struct scan *s, uint32_t at)
{
    int64_t old = (int64_t)at + s->shift;
    return old >= 0 && old < (int64_t)s->w->base.size &&
           s->w->base_normal[old] == s->w->result_normal[at];
}

/* Go on until a match says more than the alignment in force does. */
static uint32_t scan_on(struct scan *s)
{
    uint32_t score = 0, counted = s->at += s->length, end = (uint32_t)s->w->result.size;
    for (; s->at < end; s->at++) {
        s->length = longest(s->w, s->at, &s->where);
        for (; counted < s->at + s->length; counted++) {
            score += agrees(s, counted);
        }
        if ((s->length == score && s->length != 0) || s->length > score + SLACK) { break; }
        if (agrees(s, s->at)) { score--; }
    }
    return score;
}

/* How far the alignment in force explains at least half of the bytes, forward. */
static uint32_t extend_forward(const struct scan *s)
{
    int64_t good = 0, best = 0, best_size = 0, end = (int64_t)s->w->base.size;
    for (int64_t i = 0; s->last_at + i < s->at && s->last_where + i < end;) {
        good += s->w->base_normal[s->last_where + i] == s->w->result_normal[s->last_at + i];
        i++;
        if (good * 2 - i > best * 2 - best_size) {
            best = good;
            best_size = i;
        }
    }
    return (uint32_t)best_size;
}

/* The same for the new one, backward from where it begins. */
static uint32_t extend_backward(const struct scan *s)
{
    if (s->at >= s->w->result.size) { return 0; }
    int64_t good = 0, best = 0, best_size = 0;
    for (int64_t i = 1; s->at >= s->last_at + i && s->where >= i; i++) {
        good += s->w->base_normal[s->where - i] == s->w->result_normal[s->at - i];
        if (good * 2 - i > best * 2 - best_size) {
            best = good;
            best_size = i;
        }
    }
    return (uint32_t)best_size;
}

/* Both claim these bytes: the border where most agree. */
static void divide(const struct scan *s, uint32_t *forward, uint32_t *backward)
{
    int64_t overlap = ((int64_t)s->last_at + *forward) - ((int64_t)s->at - *backward);
    if (overlap <= 0) { return; }
    const uint8_t *base = s->w->base_normal, *result = s->w->result_normal;
    int64_t good = 0, best = 0, size = 0;
    for (int64_t i = 0; i < overlap; i++) {
        int64_t from_last = *forward - overlap + i, from_new = -(int64_t)*backward + i;
        good += result[s->last_at + from_last] == base[s->last_where + from_last];
        good -= result[s->at + from_new] == base[s->where + from_new];
        if (good > best) {
            best = good;
            size = i + 1;
        }
    }
    *forward = (uint32_t)(*forward + size - overlap);
    *backward = (uint32_t)(*backward - size);
}

static void take(struct moult_work *w, struct moult_enc_cover cover)
{
    if (cover.size >= COVER_MIN && w->cover_count < w->cover_capacity) {
        w->covers[w->cover_count++] = cover;
    }
}

void moult_enc_align(struct moult_work *w)
{
    if (w->base.size == 0) { return; }
    w->cover_capacity = w->result.size / COVER_MIN + 1; /* they do not overlap */
    w->covers = moult_work_array(w, w->cover_capacity, sizeof *w->covers);
    if (!w->covers) { return; }
    struct scan s = {.w = w};
    uint32_t end = (uint32_t)w->result.size, told = 0;
    while (s.at < end) {
        if (s.at - told >= LOOK) {
            told = s.at;
            if (!moult_work_progress(w, MOULT_ENCODER_ALIGN, s.at, end)) { return; }
        }
        uint32_t score = scan_on(&s);
        if (s.length == score && s.at < end) { continue; }
        uint32_t forward = extend_forward(&s), backward = extend_backward(&s);
        divide(&s, &forward, &backward);
        take(w, (struct moult_enc_cover){s.last_at, s.last_where, forward});
        s.last_at = s.at - backward;
        s.last_where = s.where - backward;
        s.shift = (int64_t)s.where - s.at;
    }
}
