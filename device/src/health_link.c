/* health_link.c - see moult/health.h: the network interface is up. */
#include "formats/codes.h"
#include "moult/health.h"

static enum moult_health run(void *context)
{
    const struct moult_link_check *check = context;
    return check->is_up(check->context) ? MOULT_HEALTH_OK : MOULT_HEALTH_WAIT;
}

enum moult_status moult_health_add_link(struct moult_session *session,
                                        struct moult_link_check *check,
                                        uint32_t deadline_ms)
{
    if (!check->is_up) { return MOULT_E_ARG; }
    const struct moult_health_check row = {"link", run, check, deadline_ms,
                                           MOULT_R_TRIAL_NO_NETWORK};
    return moult_health_add(session, &row);
}
