/* health.h - health checks that most products need: link, free heap, living tasks.
 *
 * Layer    device, public. Each is in a file of its own.
 * Optional a product links those that it adds.
 * Memory   one small struct per check, the caller's, as long as the session lives.
 * Threads  all but moult_task_kick() on the thread of moult_step().
 *
 * Use it   after moult_session_init(), before the first step:
 *          static struct moult_heap_check heap = {.free_min = 20000};
 *          moult_health_add_heap(&session, &heap, 60000);
 *
 * Contact with the server needs no check: no trial ends well without a check-in that was
 * answered with an order that verifies.
 *
 * deadline_ms  as of struct moult_health_check: still waiting so long after the trial
 *              began is failure; 0: the confirm timeout.
 *
 * The functions that add return as moult_health_add().
 */
#ifndef MOULT_HEALTH_H
#define MOULT_HEALTH_H

#include "moult/session.h"
#include "moult/update.h"

/* --- link: passes once the network interface is up and has an address --- */

struct moult_link_check {
    bool (*is_up)(void *context);
    void *context;
};

MOULT_MUST_CHECK enum moult_status moult_health_add_link(struct moult_session *session,
                                                         struct moult_link_check *check,
                                                         uint32_t deadline_ms);

/* --- heap: fails as soon as less is free than a floor; passes when that did not happen for
 * hold_ms. Needs the port's free_heap, and largest_block where block_min is not 0;
 * otherwise MOULT_E_ARG. --- */

struct moult_heap_check {
    uint32_t free_min;  /* bytes free, at least */
    uint32_t block_min; /* bytes of the largest free block, at least; 0: not asked */
    uint32_t hold_ms;   /* looked at about once a second for so long. 0: 10,000 */

    /* --- of the check --- */
    struct moult_session *session;
    uint64_t since_ms; /* 0: not yet looked at */
};

MOULT_MUST_CHECK enum moult_status moult_health_add_heap(struct moult_session *session,
                                                         struct moult_heap_check *check,
                                                         uint32_t deadline_ms);

/* --- tasks: fails when a task does not kick within its period; passes when every task has
 * kicked and hold_ms passed. The failing task's name is in the report. --- */

#define MOULT_TASKS_MAX 8u
#define MOULT_TASK_PERIOD_MIN_MS 2000u /* the check is asked about once a second */

struct moult_task {
    const char *name;   /* 1..15 printable ASCII, borrowed */
    uint32_t period_ms; /* longest time between two kicks, at least 2,000 */
    _Atomic uint32_t kicks;
    uint32_t seen;
    uint64_t seen_ms;
    bool is_seen;
};

struct moult_tasks_check {
    uint32_t hold_ms; /* 0: 10,000 */

    /* --- of the check --- */
    struct moult_session *session;
    uint64_t since_ms;
    uint8_t count;
    struct moult_task tasks[MOULT_TASKS_MAX];
    char name[24]; /* "tasks", or "task " and who failed */
};

/* Registers a task of the application; *task is what it kicks with.
 * MOULT_OK; MOULT_E_SPACE: MOULT_TASKS_MAX are registered; MOULT_E_ARG: name or period. */
MOULT_MUST_CHECK enum moult_status moult_task_add(struct moult_tasks_check *check,
                                                  const char *name, uint32_t period_ms,
                                                  struct moult_task **task);

/* "I am alive": from the task itself, on any thread, at any time. Not from an interrupt
 * that interrupts the same task's kick. */
void moult_task_kick(struct moult_task *task);

MOULT_MUST_CHECK enum moult_status moult_health_add_tasks(struct moult_session *session,
                                                          struct moult_tasks_check *check,
                                                          uint32_t deadline_ms);

#endif
