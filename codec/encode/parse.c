/* parse.c - the cheapest tokens: anchors stay, between them a shortest path over positions
 * with prices in hundredths of a bit. Prices are guesses; the coder learns better ones. */
#include <string.h>
#include "codec/decode/walker.h"
#include "codec/encode/finder.h"
#include "codec/encode/work.h"

enum {
    ANCHOR_MIN = 96,  /* bytes of a cover that is taken as it is */
    WINDOW = 1 << 16, /* positions of one shortest path */
    COVER_MAX = 400,  /* bytes of one edge; joined again afterwards */
    LOOK = 2048,      /* bytes that an edge may reach */
    CANDIDATES = 12,
    REPEAT_SIZE_MAX = 273, /* bytes of a repeated distance's edge */
    MISSES_MAX = 8,        /* before a cover that costs more than literals is left */
    PATIENCE = 6000,

    LITERAL = 620,
    LITERAL_FULL = 740, /* without base */
    TOKEN = 300,
    HIT = 8,
    MISS = 400,
    MISS_TARGET = 800,
    MISS_BYTE = 600,
};
#define NEVER UINT32_MAX

/* The cheapest way to a position, and what the coder would know there. */
struct node {
    uint32_t cost;
    uint32_t from; /* position before, in the window */
    uint8_t kind;
    uint32_t size, source;
    uint32_t last_old;
    uint32_t rep[MOULT_REPEATS], nrep[MOULT_REPEATS];
};

struct parse {
    struct moult_work *w;
    struct moult_finder finder;
    struct node *nodes; /* WINDOW + 1 */
    uint32_t literal;
    uint32_t begin, end; /* of the window */
    uint32_t next_shift; /* base minus result position of the anchor behind; */
    bool has_next;
    bool follows_cover; /* the token before the gap ended at its last_old */
    struct node start;  /* knowledge where the next window begins */
};

static uint32_t bits(uint32_t per_bit, uint32_t value)
{
    return per_bit * moult_enc_log2(value);
}

static uint32_t distance_of(uint32_t a, uint32_t b)
{
    int32_t d = (int32_t)(a - b);
    return d < 0 ? 0u - (uint32_t)d : (uint32_t)d;
}

static void front(uint32_t list[MOULT_REPEATS], uint32_t value)
{
    unsigned i = 0;
    while (i < MOULT_REPEATS - 1 && list[i] != value) {
        i++;
    }
    for (; i > 0; i--) {
        list[i] = list[i - 1];
    }
    list[0] = value;
}

struct edge {
    uint32_t cost, size, source;
    uint8_t kind;
};

/* Take the edge from position i when it is cheaper than what leads there. */
static void relax(struct parse *p, uint32_t i, const struct edge *edge)
{
    struct node *to = &p->nodes[i + edge->size];
    if (edge->cost >= to->cost) { return; }
    const struct node *from = &p->nodes[i];
    uint32_t at = p->begin + i;
    *to = *from;
    to->cost = edge->cost;
    to->from = i;
    to->kind = edge->kind;
    to->size = edge->size;
    to->source = edge->source;
    if (edge->kind == MOULT_TOKEN_COVER) {
        to->last_old = edge->source + edge->size;
        front(to->rep, edge->source - at);
    } else if (edge->kind != MOULT_TOKEN_LITERAL) {
        front(to->nrep, edge->source);
    }
}

/* --- covers -------------------------------------------------------------------------- */

/* Bits of a cover's place. */
static uint32_t address_cost(const struct node *n, uint32_t at, uint32_t old)
{
    for (unsigned r = 0; r < MOULT_REPEATS; r++) {
        if (n->rep[r] == old - at) { return 150 + 100 * r; }
    }
    return 600 + bits(105, distance_of(old, n->last_old));
}

/* All edges of covers from one place of the base: units as they are predicted. */
static void try_cover(struct parse *p, uint32_t i, uint32_t old, uint32_t room)
{
    struct moult_work *w = p->w;
    struct moult_codec *c = w->probe;
    const struct node *from = &p->nodes[i];
    uint32_t at = p->begin + i, place = address_cost(from, at, old), misses = 0;
    bool goes_on = i == 0 && old == from->last_old && p->follows_cover;
    bool joins = p->has_next && old - at == p->next_shift;
    uint32_t begin = goes_on ? from->cost : from->cost + TOKEN + place, cost = begin;
    uint32_t most = room < COVER_MAX ? room : COVER_MAX;
    if (most > w->base.size - old) { most = (uint32_t)w->base.size - old; }
    moult_enc_probe(w, old, at);
    for (uint32_t size = 0; size < most;) {
        moult_walker_next(c, 4);
        const struct moult_unit *u = &c->unit;
        if (size + u->size > room || size + u->size > w->base.size - old) { break; }
        bool is_hit = memcmp(u->predicted, w->result.data + at + size, u->size) == 0;
        uint32_t substitute = u->has_target ? MISS_TARGET : (uint32_t)MISS_BYTE * u->size;
        cost += is_hit ? HIT : MISS + substitute;
        misses += !is_hit;
        size += u->size;
        c->at += u->size;
        uint32_t by_literals = size * p->literal;
        if (!is_hit && misses > MISSES_MAX && cost - from->cost > by_literals) { break; }
        if (is_hit) {
            struct edge edge = {.size = size, .source = old, .kind = MOULT_TOKEN_COVER};
            edge.cost = goes_on ? cost : cost + 400 + bits(120, size);
            if (joins && at + size == p->end && cost >= TOKEN + place) {
                edge.cost = cost - TOKEN - place;
                if (edge.cost < from->cost) { edge.cost = from->cost; }
            }
            relax(p, i, &edge);
        }
        if (cost - from->cost > by_literals + PATIENCE) { break; }
    }
}

struct candidates {
    uint32_t old[CANDIDATES];
    unsigned count;
};

static void add(const struct parse *p, struct candidates *list, uint32_t at, uint32_t old,
                bool is_sure)
{
    const struct moult_work *w = p->w;
    if (old >= w->base.size || w->base.size - old < 4 || list->count == CANDIDATES) {
        return;
    }
    for (unsigned i = 0; i < list->count; i++) {
        if (list->old[i] == old) { return; }
    }
    uint32_t room = p->end - at;
    uint32_t compared = room < 3 ? room : 3;
    if (is_sure || memcmp(w->base_normal + old, w->result_normal + at, compared) == 0) {
        list->old[list->count++] = old;
    }
}

static void covers_from(struct parse *p, uint32_t i, uint32_t room)
{
    const struct node *n = &p->nodes[i];
    uint32_t at = p->begin + i;
    struct candidates list = {.count = 0};
    for (unsigned r = 0; r < MOULT_REPEATS; r++) {
        add(p, &list, at, at + n->rep[r], false);
    }
    add(p, &list, at, n->last_old, false);
    if (p->has_next) { add(p, &list, at, at + p->next_shift, false); }
    if (i == 0) { add(p, &list, at, n->last_old, true); }
    uint32_t near[MOULT_FINDER_NEAR];
    unsigned count = moult_finder_near(&p->finder, at, room, n->last_old, near);
    for (unsigned k = 0; k < count; k++) {
        add(p, &list, at, near[k], false);
    }
    for (unsigned k = 0; k < list.count; k++) {
        try_cover(p, i, list.old[k], room);
    }
}

/* --- matches ------------------------------------------------------------------------- */

static void repeats_from(struct parse *p, uint32_t i, uint32_t room)
{
    const struct node n = p->nodes[i];
    const uint8_t *here = p->w->result.data + p->begin + i;
    uint32_t most = room < REPEAT_SIZE_MAX ? room : REPEAT_SIZE_MAX;
    for (unsigned r = 0; r < MOULT_REPEATS; r++) {
        if (n.nrep[r] > p->begin + i) { continue; }
        uint32_t common = moult_enc_common(here - n.nrep[r], here, most);
        for (uint32_t size = 2; size <= common; size++) {
            struct edge edge = {.cost = n.cost + 500 + 70 * r + bits(110, size),
                                .size = size,
                                .source = n.nrep[r],
                                .kind = MOULT_TOKEN_MATCH};
            relax(p, i, &edge);
        }
    }
}

/* Edges of all sizes up to the match's, from the first that it is better at. */
static void edges_of(struct parse *p, uint32_t i, const struct moult_found *found)
{
    bool is_moved = found->is_moved, is_short = found->size < 4;
    uint32_t base = is_moved ? 250 + 350 : is_short ? 200 + 400 : 200 + 300;
    for (uint32_t size = found->least; size <= found->size; size++) {
        uint32_t length = is_short ? (size == 2 ? 100 : 0) : bits(110, size);
        struct edge edge = {.cost = p->nodes[i].cost + base + 200 +
                                    bits(100, found->distance) + length,
                            .size = size,
                            .source = found->distance,
                            .kind = is_moved ? MOULT_TOKEN_MOVED : MOULT_TOKEN_MATCH};
        relax(p, i, &edge);
    }
}

static void matches_from(struct parse *p, uint32_t i, uint32_t room)
{
    struct moult_found found[MOULT_FINDER_FOUND];
    repeats_from(p, i, room);
    unsigned count = moult_finder_find(&p->finder, p->begin + i, room, found);
    for (unsigned k = 0; k < count; k++) {
        edges_of(p, i, &found[k]);
    }
}

/* --- windows and gaps ---------------------------------------------------------------- */

static void append(struct moult_work *w, struct moult_enc_token token)
{
    struct moult_enc_token *last = w->tokens + w->token_count - (w->token_count > 0);
    bool is_same = w->token_count > 0 && last->kind == token.kind;
    if (is_same && token.kind == MOULT_TOKEN_LITERAL) {
        last->size += token.size;
    } else if (is_same && token.kind == MOULT_TOKEN_COVER &&
               last->from + last->size == token.from) {
        last->size += token.size;
    } else if (w->token_count == w->token_capacity) {
        w->status = MOULT_E_SPACE; /* so many tokens are no smaller than the result */
    } else {
        w->tokens[w->token_count++] = token;
    }
}

/* Turn the way back to front, and write it down. */
static void take_path(struct parse *p, uint32_t size)
{
    uint32_t next = size;
    for (uint32_t i = size; i > 0;) { /* `from` becomes the position behind */
        uint32_t before = p->nodes[i].from;
        p->nodes[i].from = next;
        next = i;
        i = before;
    }
    for (uint32_t i = 0, to = next; i < size; i = to, to = p->nodes[to].from) {
        const struct node *n = &p->nodes[to];
        append(p->w, (struct moult_enc_token){n->kind, p->begin + i, n->size, n->source});
        if (to == size) { break; }
    }
}

static void shortest_path(struct parse *p)
{
    uint32_t size = p->end - p->begin;
    for (uint32_t i = 1; i <= size; i++) {
        p->nodes[i].cost = NEVER;
    }
    p->nodes[0] = p->start;
    p->nodes[0].cost = 0;
    for (uint32_t i = 0; i < size; i++) {
        uint32_t room = size - i < LOOK ? size - i : LOOK;
        struct edge literal = {
            .cost = p->nodes[i].cost + p->literal, .size = 1, .kind = MOULT_TOKEN_LITERAL};
        relax(p, i, &literal);
        if (p->w->base.size > 0) { covers_from(p, i, room); }
        matches_from(p, i, room);
    }
    p->start = p->nodes[size];
    take_path(p, size);
}

/* [from, to) by shortest paths. */
static void fill_gap(struct parse *p, uint32_t from, uint32_t to)
{
    struct moult_work *w = p->w;
    while (from < to && moult_work_progress(w, MOULT_ENCODER_PARSE, from, w->result.size)) {
        uint32_t border = (from / WINDOW + 1) * WINDOW;
        bool is_last = to <= border;
        bool has_next = p->has_next;
        p->begin = from;
        p->end = is_last ? to : border;
        p->has_next = has_next && is_last;
        shortest_path(p);
        p->has_next = has_next;
        p->follows_cover =
            w->token_count > 0 && w->tokens[w->token_count - 1].kind == MOULT_TOKEN_COVER;
        from = p->end;
    }
}

static void take_anchor(struct parse *p, const struct moult_enc_cover *cover)
{
    append(p->w,
           (struct moult_enc_token){MOULT_TOKEN_COVER, cover->at, cover->size, cover->old});
    p->start.last_old = cover->old + cover->size;
    front(p->start.rep, cover->old - cover->at);
    p->follows_cover = true;
}

/* [from, to) of the result, with the anchors that lie in it. */
static void parse_range(struct parse *p, uint32_t from, uint32_t to)
{
    struct moult_work *w = p->w;
    for (size_t i = 0; i < w->cover_count && w->status == MOULT_OK; i++) {
        struct moult_enc_cover cover = w->covers[i];
        if (cover.size < ANCHOR_MIN || cover.at < from || cover.at >= to) { continue; }
        if (cover.size > to - cover.at) { cover.size = to - cover.at; }
        p->has_next = true;
        p->next_shift = cover.old - cover.at;
        fill_gap(p, from, cover.at);
        if (w->status == MOULT_OK) { take_anchor(p, &cover); }
        from = cover.at + cover.size;
    }
    p->has_next = false;
    fill_gap(p, from, to);
}

void moult_enc_parse(struct moult_work *w)
{
    struct parse p = {.w = w};
    w->token_capacity = w->result.size / 5 + 4096;
    w->tokens = moult_work_array(w, w->token_capacity, sizeof *w->tokens);
    size_t mark = moult_work_mark(w);
    p.nodes = moult_work_array(w, WINDOW + 1, sizeof *p.nodes);
    moult_finder_init(&p.finder, w);
    if (w->status != MOULT_OK) { return; }
    moult_enc_codec_init(w, w->probe);
    p.literal = w->base.size > 0 ? LITERAL : LITERAL_FULL;
    for (unsigned i = 0; i < MOULT_REPEATS; i++) {
        p.start.nrep[i] = 1;
    }
    uint32_t end = (uint32_t)w->result.size;
    if (w->derived_size > 0) {
        parse_range(&p, 0, w->derived_from);
        parse_range(&p, w->derived_from + w->derived_size, end);
    } else {
        parse_range(&p, 0, end);
    }
    moult_work_release(w, mark);
}
