/* words.c - states and events in words, see moult/log.h; not linked where nothing asks. */
#include <stddef.h>
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
