/* health_tasks.c - see moult/health.h: the application's tasks are alive. */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include "moult/health.h"

enum { HOLD_MS = 10000, NAME_MAX_SIZE = 15 };

enum moult_status moult_task_add(struct moult_tasks_check *check, const char *name,
                                 uint32_t period_ms, struct moult_task **task)
{
    size_t size = strlen(name);
    if (size == 0 || size > NAME_MAX_SIZE || period_ms < MOULT_TASK_PERIOD_MIN_MS) {
        return MOULT_E_ARG;
    }
    if (check->count == MOULT_TASKS_MAX) { return MOULT_E_SPACE; }
    *task = &check->tasks[check->count++];
    memset(*task, 0, sizeof **task);
    (*task)->name = name;
    (*task)->period_ms = period_ms;
    return MOULT_OK;
}

/* Load and store, not an atomic addition, which an RV32IMC does not have: only one task
 * ever writes here. */
void moult_task_kick(struct moult_task *task)
{
    uint32_t kicks = atomic_load_explicit(&task->kicks, memory_order_relaxed);
    atomic_store_explicit(&task->kicks, kicks + 1, memory_order_relaxed);
}

/* Whether it kicked within its period; before its first kick the period runs as well. */
static bool is_alive(struct moult_task *task, uint64_t now_ms, uint64_t since_ms)
{
    uint32_t kicks = atomic_load_explicit(&task->kicks, memory_order_relaxed);
    if (kicks != task->seen) {
        task->seen = kicks;
        task->seen_ms = now_ms;
        task->is_seen = true;
    }
    uint64_t last_ms = task->is_seen ? task->seen_ms : since_ms;
    return now_ms - last_ms <= task->period_ms;
}

static void blame(struct moult_tasks_check *check, const char *name)
{
    static const char prefix[] = "task ";
    enum { PREFIX = sizeof prefix - 1 };
    _Static_assert(PREFIX + NAME_MAX_SIZE < sizeof check->name, "room for any name");
    memcpy(check->name, prefix, PREFIX);
    memcpy(check->name + PREFIX, name, strlen(name) + 1);
}

static enum moult_health run(void *context)
{
    struct moult_tasks_check *check = context;
    uint64_t now_ms = check->session->now_ms;
    bool is_whole = true;
    if (check->since_ms == 0) { check->since_ms = now_ms ? now_ms : 1; }
    for (unsigned i = 0; i < check->count; i++) {
        struct moult_task *task = &check->tasks[i];
        if (!is_alive(task, now_ms, check->since_ms)) {
            blame(check, task->name);
            return MOULT_HEALTH_FAILED;
        }
        is_whole &= task->is_seen;
    }
    bool is_over = now_ms - check->since_ms >= check->hold_ms;
    return is_whole && is_over ? MOULT_HEALTH_OK : MOULT_HEALTH_WAIT;
}

enum moult_status moult_health_add_tasks(struct moult_session *session,
                                         struct moult_tasks_check *check,
                                         uint32_t deadline_ms)
{
    assert(check->count <= MOULT_TASKS_MAX);
    if (check->count == 0) { return MOULT_E_ARG; }
    if (check->hold_ms == 0) { check->hold_ms = HOLD_MS; }
    check->session = session;
    check->since_ms = 0;
    memcpy(check->name, "tasks", sizeof "tasks");
    const struct moult_health_check row = {check->name, run, check, deadline_ms, 0};
    return moult_health_add(session, &row);
}
