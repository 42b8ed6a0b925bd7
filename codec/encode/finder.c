/* finder.c - see finder.h. */
#include "codec/encode/finder.h"
#include <string.h>
#include "codec/decode/operand.h"
#include "codec/decode/walker.h"
#include "formats/bytes.h"

enum {
    HASH_BITS = 17,
    THREE_BITS = 16,
    NEIGHBOURS = 24,     /* suffixes looked at on either side */
    NEIGHBOUR_SIZE = 64, /* bytes that count */
    NEAR_MIN = 4,
    DEPTH = 24,
    DEPTH_FULL = 256, /* without base */
    MOVED_DEPTH = 16,
    MOVED_DEPTH_FULL = 48,
    NICE = 400,          /* bytes: long enough, look no further */
    THREE_FAR = 1 << 14, /* a match of three bytes from further away costs more */
};

static uint32_t hash_of(const uint8_t *bytes)
{
    return get_le32(bytes) * 0x9E3779B1u >> (32 - HASH_BITS);
}

/* --- absolute targets ---------------------------------------------------------------- */

/* What a relocating match would keep: the target, in place of the offset. */
static void absolute_unit(const struct moult_codec *c, uint8_t *out)
{
    const struct moult_unit *u = &c->unit;
    uint32_t w = get_le32(u->old), t = u->target;
    if (!u->has_target || u->is_word) { return; }
    switch (u->type) {
    case MOULT_UNIT_CALL:
        w = (w & 63) | (t >> 2 & 0x3ffff) << 6;
        break;
    case MOULT_UNIT_L32R:
        w = (w & 0xff) | (t >> 2 & 0xffff) << 8;
        break;
    case MOULT_UNIT_JAL:
        w = (w & 0xfff) | (t >> 1 & 0xfffff) << 12;
        break;
    case MOULT_UNIT_HI:
        if ((w & 0x7f) == 0x17) { w = (w & 0xfff) | ((t + 0x800) & 0xfffff000); }
        break;
    case MOULT_UNIT_LO:
        if ((w & 0x7f) != 0x23) { w = (w & 0xfffff) | t << 20; }
        break;
    case MOULT_UNIT_PCR:
        w = t;
        break;
    default:
        return;
    }
    uint8_t bytes[4];
    put_le32(bytes, w);
    memcpy(out, bytes, u->size);
}

/* The probe as after moult_walker_relocate(), but over the whole result: a walk from
 * `from`, put out at `at`. */
static void relocate(struct moult_finder *f, uint32_t from, uint32_t at, uint32_t end)
{
    struct moult_codec *c = f->w->probe;
    c->at = end;
    moult_walker_relocate(c, from);
    c->at = at;
}

static void make_absolute(struct moult_finder *f)
{
    struct moult_work *w = f->w;
    struct moult_codec *c = w->probe;
    memcpy(f->absolute, w->result.data, w->result.size);
    for (unsigned i = 0; i < w->header.new_count; i++) {
        const struct moult_patch_segment *s = &w->header.new_segments[i];
        uint32_t end = s->offset + s->size;
        relocate(f, s->offset, s->offset, end);
        while (c->at < end) {
            moult_walker_next(c, end - c->at);
            absolute_unit(c, f->absolute + c->at);
            c->at += c->unit.size;
        }
    }
}

void moult_finder_init(struct moult_finder *f, struct moult_work *w)
{
    size_t size = w->result.size, heads = (size_t)1 << HASH_BITS;
    *f = (struct moult_finder){.w = w};
    f->head = moult_work_array(w, heads, sizeof *f->head);
    f->chain = moult_work_array(w, size, sizeof *f->chain);
    f->three = moult_work_array(w, (size_t)1 << THREE_BITS, sizeof *f->three);
    bool has_segments = w->header.new_count > 0 && w->header.isa != MOULT_PATCH_GENERIC;
    if (has_segments) {
        f->moved_head = moult_work_array(w, heads, sizeof *f->moved_head);
        f->moved_chain = moult_work_array(w, size, sizeof *f->moved_chain);
        f->absolute = moult_work_array(w, size + 4, 1);
    }
    if (w->status != MOULT_OK) { return; }
    memset(f->head, 0xff, heads * sizeof *f->head); /* -1: nothing */
    memset(f->three, 0xff, ((size_t)1 << THREE_BITS) * sizeof *f->three);
    if (!has_segments) { return; }
    memset(f->moved_head, 0xff, heads * sizeof *f->moved_head);
    moult_enc_codec_init(w, w->probe);
    make_absolute(f);
}

/* --- the base ------------------------------------------------------------------------ */

unsigned moult_finder_near(const struct moult_finder *f, uint32_t at, uint32_t room,
                           uint32_t last_old, uint32_t near[MOULT_FINDER_NEAR])
{
    const struct moult_work *w = f->w;
    if (room < NEAR_MIN) { return 0; }
    const uint8_t *bytes = w->result_normal + at;
    int32_t index = (int32_t)moult_enc_suffix_find(w, bytes, room);
    int64_t score[MOULT_FINDER_NEAR] = {INT64_MIN, INT64_MIN};
    unsigned count = 0;
    for (int32_t step = -1; step <= 1; step += 2) {
        for (int32_t k = 0; k < NEIGHBOURS; k++) {
            int32_t i = step < 0 ? index - 1 - k : index + k;
            if (i < 0 || i >= (int32_t)w->base.size) { break; }
            uint32_t old = (uint32_t)w->suffixes[i], rest = (uint32_t)w->base.size - old;
            uint32_t most = room < NEIGHBOUR_SIZE ? room : NEIGHBOUR_SIZE;
            uint32_t common =
                moult_enc_common(w->base_normal + old, bytes, rest < most ? rest : most);
            if (common < NEAR_MIN) { break; }
            int32_t away = (int32_t)(old - last_old);
            uint32_t far = away < 0 ? 0u - (uint32_t)away : (uint32_t)away;
            int64_t value = (int64_t)common * 5 - moult_enc_log2(far);
            if (value > score[0]) {
                score[1] = score[0];
                near[1] = near[0];
                score[0] = value;
                near[0] = old;
            } else if (value > score[1]) {
                score[1] = value;
                near[1] = old;
            } else {
                continue;
            }
            count = count < MOULT_FINDER_NEAR ? count + 1 : count;
        }
    }
    return count;
}

/* --- the result ---------------------------------------------------------------------- */

static void remember(struct moult_finder *f, uint32_t below)
{
    const struct moult_work *w = f->w;
    for (; f->known < below; f->known++) {
        if (w->result.size - f->known < 4) { continue; }
        uint32_t hash = hash_of(w->result.data + f->known);
        f->chain[f->known] = f->head[hash];
        f->head[hash] = (int32_t)f->known;
        if (!f->absolute) { continue; }
        hash = hash_of(f->absolute + f->known);
        f->moved_chain[f->known] = f->moved_head[hash];
        f->moved_head[hash] = (int32_t)f->known;
    }
}

struct finds {
    struct moult_found *found;
    unsigned count;
};

static void add(struct finds *list, struct moult_found found)
{
    if (list->count < MOULT_FINDER_FOUND) { list->found[list->count++] = found; }
}

static void find_three(struct moult_finder *f, uint32_t at, struct finds *list)
{
    const uint8_t *bytes = f->w->result.data + at;
    uint32_t three = (uint32_t)(bytes[0] | bytes[1] << 8 | bytes[2] << 16);
    int32_t *newest = &f->three[three * 0x9E3779B1u >> (32 - THREE_BITS)];
    if (*newest >= 0 && memcmp(f->w->result.data + *newest, bytes, 3) == 0) {
        uint32_t distance = at - (uint32_t)*newest;
        if (distance > 0 && distance < THREE_FAR) {
            add(list, (struct moult_found){2, 3, distance, false});
        }
    }
    *newest = (int32_t)at;
}

static void find_equal(const struct moult_finder *f, uint32_t at, uint32_t room,
                       struct finds *list)
{
    const uint8_t *data = f->w->result.data;
    unsigned depth = f->w->base.size > 0 ? DEPTH : DEPTH_FULL;
    uint32_t best = 3;
    for (int32_t i = f->head[hash_of(data + at)]; i >= 0 && depth-- > 0; i = f->chain[i]) {
        if (best < room && data[(uint32_t)i + best] != data[at + best]) { continue; }
        uint32_t size = moult_enc_common(data + i, data + at, room);
        if (size <= best) { continue; }
        add(list, (struct moult_found){best + 1, size, at - (uint32_t)i, false});
        best = size;
        if (best > NICE) { break; }
    }
}

/* How much a relocating match from `from` would get right at `at`. */
static uint32_t moved_size(struct moult_finder *f, uint32_t from, uint32_t at,
                           uint32_t most)
{
    struct moult_codec *c = f->w->probe;
    relocate(f, from, at, at);
    while (c->at < at + most) {
        moult_walker_next(c, 4);
        uint32_t size = c->unit.size;
        if (c->at + size > at + most ||
            memcmp(c->unit.predicted, f->w->result.data + c->at, size) != 0) {
            break;
        }
        c->at += size;
    }
    return c->at - at;
}

static void find_moved(struct moult_finder *f, uint32_t at, uint32_t room,
                       struct finds *list)
{
    const uint8_t *data = f->w->result.data;
    unsigned depth = f->w->base.size > 0 ? MOVED_DEPTH : MOVED_DEPTH_FULL;
    uint32_t best = 3;
    for (int32_t i = f->moved_head[hash_of(f->absolute + at)]; i >= 0 && depth-- > 0;
         i = f->moved_chain[i]) {
        uint32_t from = (uint32_t)i, distance = at - from;
        uint32_t like = moult_enc_common(f->absolute + from, f->absolute + at, room);
        if (like <= best) { continue; }
        uint32_t equal = moult_enc_common(data + from, data + at, room);
        if (equal >= like) { continue; }
        uint32_t size = moved_size(f, from, at, room < distance ? room : distance);
        if (size <= best || size <= equal) { continue; }
        uint32_t least = (best > equal ? best : equal) + 1;
        add(list, (struct moult_found){least, size, distance, true});
        best = size;
        if (best > NICE) { break; }
    }
}

unsigned moult_finder_find(struct moult_finder *f, uint32_t at, uint32_t room,
                           struct moult_found found[MOULT_FINDER_FOUND])
{
    struct finds list = {found, 0};
    remember(f, at);
    if (room >= 3) { find_three(f, at, &list); }
    if (room >= 4) {
        if (f->absolute) { find_moved(f, at, room, &list); }
        find_equal(f, at, room, &list);
    }
    return list.count;
}
