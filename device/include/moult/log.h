/* log.h - what the engine logs: numbers, so that a line costs bytes and not text in flash.
 *
 * Layer    device, public.
 * Use it   port->log(context, level, id, a, b). An id below MOULT_LOG_FIRST is a detail
 *          code: what went wrong; a is its reason, b the platform's error. From there on it
 *          is an event of this table.
 */
#ifndef MOULT_LOG_H
#define MOULT_LOG_H

#include <stdint.h>

#define MOULT_LOG_FIRST 40000u /* above every detail code; the ids fit 16 bits */

/*    name, event in words, what a and b are */
#define MOULT_LOG_EVENTS(X)                                                                \
    X(STATE, "state", "from", "to")                                                        \
    X(BOOT, "boot", "class", "reset")                                                      \
    X(CHECKIN, "check_in", "reports", "bytes")                                             \
    X(ORDER, "order", "action", "next_s")                                                  \
    X(KEYSET, "keyset_adopted", "version", "floor_applied")                                \
    X(PLAN, "plan", "sequence", "size")                                                    \
    X(RESUME, "resume", "offset", "size")                                                  \
    X(RANGE, "range", "from", "behind")                                                    \
    X(SECTOR, "sector_written", "offset", "size")                                          \
    X(ACTIVATE, "activate", "slot", "activations")                                         \
    X(HEALTH, "health", "check", "result")                                                 \
    X(CONFIRMED, "confirmed", "slot", "sequence")                                          \
    X(REPORT, "report", "kind", "entry")                                                   \
    X(ENDPOINTS, "endpoints_adopted", "version", "bank")                                   \
    X(ENDPOINT, "endpoint", "place", "rank")                                               \
    X(UNSTORED, "not_stored", "state", "native")

enum moult_log_id {
    MOULT_LOG_BASE = MOULT_LOG_FIRST - 1,
#define X(name, words, a, b) MOULT_LOG_##name,
    MOULT_LOG_EVENTS(X)
#undef X
        MOULT_LOG_END
};

struct moult_log_words {
    const char *event, *a, *b;
};

/* Words of an event, static; NULL for any other number. In a file of its own, so that a
 * device whose log prints numbers does not link them. */
const struct moult_log_words *moult_log_words(uint16_t id);

/* Name of a session state, for MOULT_LOG_STATE; "?" for any other number. */
const char *moult_state_name(uint32_t state);

#endif
