/* log_words.c - see moult/log.h. */
#include <stddef.h>
#include "device/src/session_states.h"
#include "moult/log.h"

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
    return state < MOULT_STATE_COUNT ? moult_state_rules[state].name : "?";
}
