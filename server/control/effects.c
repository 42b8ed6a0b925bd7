/* effects.c - see effects.h. */
#include "server/control/effects.h"
#include <string.h>
#include "server/base/mem.h"

enum { CAPACITY_FIRST = 64 };

static void drop_from(struct effects *effects, size_t start)
{
    for (size_t i = start; i < effects->count; i++) {
        mem_free(effects->items[i].data);
    }
    effects->count = start;
}

void effects_release(struct effects *effects)
{
    drop_from(effects, 0);
    mem_free(effects->items);
    memset(effects, 0, sizeof *effects);
}

void effects_job_begins(struct effects *effects)
{
    effects->job_start = effects->count;
    effects->job_new_count = effects->new_count;
    effects->has_failed = false;
}

void effects_job_undone(struct effects *effects)
{
    drop_from(effects, effects->job_start);
    effects->new_count = effects->job_new_count;
    effects->has_failed = false;
}

void effects_clear(struct effects *effects)
{
    drop_from(effects, 0);
    effects->job_start = 0;
    effects->new_count = effects->job_new_count = 0;
    if (effects->capacity > 4096) { /* after a bulk verb: give the memory back */
        mem_free(effects->items);
        effects->items = NULL;
        effects->capacity = 0;
    }
}

static bool reserve(struct effects *effects)
{
    if (effects->count < effects->capacity) { return true; }
    if (effects->count >= EFFECTS_MAX) { return false; }
    size_t capacity = effects->capacity ? effects->capacity * 2 : CAPACITY_FIRST;
    struct effect *items = mem_resize(effects->items, capacity * sizeof *items);
    if (!items) { return false; }
    effects->items = items;
    effects->capacity = capacity;
    return true;
}

void effects_push(struct effects *effects, const struct effect *effect)
{
    if (!reserve(effects)) {
        mem_free(effect->data);
        effects->has_failed = true;
        return;
    }
    effects->items[effects->count++] = *effect;
}

void effects_device(struct effects *effects, const struct device_durable *device)
{
    struct effect effect = {.kind = EFFECT_DEVICE, .num = device->num, .device = *device};
    effects_push(effects, &effect);
}

void effects_num(struct effects *effects, enum effect_kind kind, int64_t num)
{
    struct effect effect = {.kind = kind, .num = num};
    effects_push(effects, &effect);
}

void effects_new_device(struct effects *effects)
{
    effects->new_count++;
}

enum moult_status effects_status(const struct effects *effects)
{
    return effects->has_failed ? MOULT_E_NOMEM : MOULT_OK;
}
