/* health_heap.c - see moult/health.h: memory stays free. */
#include "formats/codes.h"
#include "moult/health.h"

enum { HOLD_MS = 10000 };

static bool is_low(const struct moult_heap_check *check)
{
    const struct moult_port *port = check->session->port;
    if (port->free_heap(port->context) < check->free_min) { return true; }
    return check->block_min != 0 && port->largest_block(port->context) < check->block_min;
}

static enum moult_health run(void *context)
{
    struct moult_heap_check *check = context;
    uint64_t now_ms = check->session->now_ms;
    if (is_low(check)) { return MOULT_HEALTH_FAILED; }
    if (check->since_ms == 0) { check->since_ms = now_ms ? now_ms : 1; }
    return now_ms - check->since_ms >= check->hold_ms ? MOULT_HEALTH_OK : MOULT_HEALTH_WAIT;
}

enum moult_status moult_health_add_heap(struct moult_session *session,
                                        struct moult_heap_check *check,
                                        uint32_t deadline_ms)
{
    const struct moult_port *port = session->port;
    bool has_block = check->block_min == 0 || port->largest_block;
    if (!port->free_heap || !has_block || check->free_min == 0) { return MOULT_E_ARG; }
    if (check->hold_ms == 0) { check->hold_ms = HOLD_MS; }
    check->session = session;
    check->since_ms = 0;
    const struct moult_health_check row = {"heap", run, check, deadline_ms,
                                           MOULT_R_TRIAL_HEALTH};
    return moult_health_add(session, &row);
}
