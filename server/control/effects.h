/* effects.h - what a job changes in memory, kept back until its COMMIT.
 *
 * Layer    server/control, private to this folder.
 * Why      the table of devices, wakes and rollouts in memory must never say what the
 *          database could still lose. A job pushes effects; they are applied after COMMIT,
 *          or dropped with the job.
 * Memory   one growing array, EFFECTS_MAX entries at most.
 * Threads  writer.
 */
#ifndef MOULT_SERVER_CONTROL_EFFECTS_H
#define MOULT_SERVER_CONTROL_EFFECTS_H

#include <stddef.h>
#include "formats/status.h"
#include "server/control/device_table.h"

#define EFFECTS_MAX 2000000u /* a bulk verb over a million devices, two effects each */

enum effect_kind {
    EFFECT_DEVICE,  /* the device is now so */
    EFFECT_REMOVED, /* the device of `num` is gone */
    EFFECT_WAKE,    /* tell the device `num` to check in */
    EFFECT_CLEAR,   /* its retained wake is over */
    EFFECT_PHASE,   /* phase `phase` of rollout `num` has opened: wake its devices */
    EFFECT_PLANNED, /* devices of `data` (count rows) are planned in rollout `num` */
    EFFECT_RELEASE, /* data: a struct store_release to cache */
    EFFECT_KEYSET,  /* data: a struct cached_keyset to cache */
    EFFECT_TOKEN,   /* data: a struct token_entry that opens doors from now on */
};

struct effect_plan_row {
    uint32_t device; /* index in the device table */
    uint8_t phase;
};

struct effect {
    enum effect_kind kind;
    uint8_t phase;
    int64_t num;
    struct device_durable device;
    void *data; /* a block of mem.c, owned */
    size_t count;
};

struct effects {
    struct effect *items; /* owned */
    size_t count, capacity;
    size_t job_start;     /* items from here on are of the job that runs */
    size_t new_count;     /* devices inserted that the table does not have yet */
    size_t job_new_count; /* the same, before the job that runs */
    bool has_failed;      /* one did not fit: the job must fail */
};

void effects_release(struct effects *effects);
void effects_job_begins(struct effects *effects);
void effects_job_undone(struct effects *effects); /* drops those of the job */
void effects_clear(struct effects *effects);      /* drops all */

/* Moves data. What does not fit sets has_failed. */
void effects_push(struct effects *effects, const struct effect *effect);
void effects_device(struct effects *effects, const struct device_durable *device);
void effects_num(struct effects *effects, enum effect_kind kind, int64_t num);
/* A device was inserted: it takes room in the table from now on. */
void effects_new_device(struct effects *effects);

/* MOULT_OK, or MOULT_E_NOMEM when an effect of this job did not fit. */
MOULT_MUST_CHECK enum moult_status effects_status(const struct effects *effects);

#endif
