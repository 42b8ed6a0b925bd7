/* assigned.h - one device's assignment while a job changes it.
 *
 * Layer    server/control, private to this folder.
 * Threads  writer, inside a job.
 * Use it   assigned_active() or assigned_open(), any number of assigned_step(), then
 *          assigned_save(). Counters of the phase follow each step; events, attempts and
 *          the poison ledger are written with it; the row itself once, at the end.
 */
#ifndef MOULT_SERVER_CONTROL_ASSIGNED_H
#define MOULT_SERVER_CONTROL_ASSIGNED_H

#include "formats/message_report.h"
#include "server/control/internal.h"
#include "server/store/store_device.h"

struct assigned {
    struct control *control;
    struct store_db *db;
    int64_t now_ms;
    struct store_device *device; /* borrowed; its failure fields are kept up to date */
    int64_t rhythm_ms;           /* R of the device */
    bool is_there;               /* false: the device has no such assignment */
    bool is_slot_free;           /* no other assignment of the device is active */
    bool is_dirty;
    struct rollout_slot *slot;
    struct store_assignment row;
    struct assignment engine;
    uint32_t was_generation;
    uint8_t was_state;
};

/* R of a device by the table; the expected interval for one that is not in it yet. */
int64_t control_rhythm_ms(struct control *control, int64_t device_num);

/* The time limits of the configuration. */
void control_limits(const struct control_config *config, struct assignment_limits *limits);

/* An empty one of this device. */
void assigned_init(struct assigned *assigned, struct control *control, struct store_db *db,
                   struct store_device *device, int64_t now_ms);

/* The assignment that holds the device's slot, or, when there is none, the one that ended
 * as silent. is_there says whether there is any. */
MOULT_MUST_CHECK enum moult_status assigned_active(struct assigned *assigned);
/* This row of the device. */
MOULT_MUST_CHECK enum moult_status assigned_open(struct assigned *assigned,
                                                 const struct store_assignment *row);

/* One event. report: what the device said, for diagnostics; NULL: nothing.
 * *effect is set; MOULT_OK also when it was ignored. */
MOULT_MUST_CHECK enum moult_status assigned_step(struct assigned *assigned,
                                                 const struct assignment_event *event,
                                                 const struct moult_report *report,
                                                 struct assignment_effect *effect);
/* The same for what is not an event: contact, time, an abort. */
MOULT_MUST_CHECK enum moult_status assigned_heard(struct assigned *assigned);
MOULT_MUST_CHECK enum moult_status assigned_tick(struct assigned *assigned);
MOULT_MUST_CHECK enum moult_status assigned_stop(struct assigned *assigned);

/* Writes the row if anything changed. */
MOULT_MUST_CHECK enum moult_status assigned_save(struct assigned *assigned);

/* What the engine has to know of it now. */
struct assignment_terms assigned_terms(const struct assigned *assigned,
                                       struct assignment_limits *limits);

/* The device as the table must know it after COMMIT; pushes the effect. */
void assigned_publish(const struct assigned *assigned);
void control_publish_device(struct control *control, const struct store_device *device,
                            const struct assigned *assigned);

#endif
