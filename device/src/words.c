/* words.c - states and events in words, see moult/log.h; not linked where nothing asks. */
#include <stddef.h>
#include "device/src/journal.h"
#include "device/src/outbox.h"
#include "device/src/session_states.h"
#include "moult/log.h"

const struct moult_state_words moult_state_words[MOULT_STATE_COUNT] = {
#define X(name, waits, next) [MOULT_STATE_##name] = {#name, waits},
    MOULT_STATES(X)
#undef X
};

const struct moult_log_words *moult_log_words(uint16_t id)
{
    static const struct moult_log_words words[] = {
#define X(name, event, a, b) {event, a, b},
        MOULT_LOG_EVENTS(X)
#undef X
    };
    if (id < MOULT_LOG_FIRST || id >= MOULT_LOG_END) { return NULL; }
    return &words[id - MOULT_LOG_FIRST];
}

const char *moult_state_name(uint32_t state)
{
    return state < MOULT_STATE_COUNT ? moult_state_words[state].name : "?";
}

void moult_progress(const struct moult_session *s, struct moult_progress *out)
{
    bool has_plan = s->plan.stage != MOULT_STAGE_NONE;
    *out = (struct moult_progress){
        .state = moult_state_name(s->state),
        .detail = s->trouble.detail,
        .offset = has_plan ? s->transfer.mark.offset : 0,
        .size = has_plan ? s->plan.size : 0,
        .sequence = s->running.info.sequence,
        .offered = has_plan ? s->plan.sequence : 0,
        .reports = moult_outbox_count(s),
        .on_trial = s->trial.is_on,
    };
}
