/* session_states.h - the update session, as data.
 *
 * From this one table come the enum, the names in logs, docs/design/session.dot (compared
 * by tests/unit/device/states_test.c) and the assert on every transition. A state may
 * always stay where it is. These numbers are in RAM only; what reaches flash is enum
 * moult_stage (journal.h).
 */
#ifndef MOULT_DEVICE_SESSION_STATES_H
#define MOULT_DEVICE_SESSION_STATES_H

#include <stdint.h>

#define TO(name) (1u << MOULT_STATE_##name)

/*    name      waits for                                  may go to */
#define MOULT_STATES(X)                                                                    \
    X(LOAD, "the stored records", TO(MEASURE))                                             \
    X(MEASURE, "the digest of the running image", TO(CLASSIFY))                            \
    X(CLASSIFY, "how the chip booted", TO(IDLE) | TO(VERIFY) | TO(CONFIRM) | TO(ROLLBACK)) \
    X(IDLE, "the next check-in, or a wake",                                                \
      TO(CHECKIN) | TO(KEYSET) | TO(APPLY) | TRIAL_ENDS)                                   \
    X(CHECKIN, "a nonce and a connection", TO(REPLY) | TO(IDLE) | TRIAL_ENDS)              \
    X(REPLY, "the answer to a check-in",                                                   \
      TO(KEYSET) | TO(ENDPOINTS) | TO(ORDER) | TO(IDLE) | TRIAL_ENDS)                      \
    X(KEYSET, "the next keyset", TO(ENDPOINTS) | TO(ORDER) | TO(IDLE) | TRIAL_ENDS)        \
    X(ENDPOINTS, "a newer endpoint list", TO(ORDER) | TO(IDLE) | TRIAL_ENDS)               \
    X(ORDER, "a verified assignment",                                                      \
      TO(KEYSET) | TO(RELEASE) | TO(REBOOT) | TO(IDLE) | TRIAL_ENDS)                       \
    X(RELEASE, "the release statement", TO(COMPONENT) | TO(SOURCE) | TO(IDLE))             \
    X(COMPONENT, "the data components, staged", TO(SOURCE) | TO(RECHECK) | TO(IDLE))       \
    X(SOURCE, "a usable source",                                                           \
      TO(PREPARE) | TO(REHASH) | TO(CLEAN) | TO(VERIFY) | TO(RECHECK) | TO(IDLE))          \
    X(PREPARE, "the plan on flash, the first sector erased", TO(FETCH) | TO(IDLE))         \
    X(REHASH, "the digest of what is written", TO(FETCH) | TO(PREPARE) | TO(IDLE))         \
    X(FETCH, "a connection for the next range",                                            \
      TO(RECEIVE) | TO(REPORT) | TO(BACKOFF) | TO(CLEAN) | TO(COMPONENT) | TO(SOURCE) |    \
          TO(PREPARE) | TO(IDLE))                                                          \
    X(RECEIVE, "bytes of the transfer",                                                    \
      TO(ERASE) | TO(FETCH) | TO(BACKOFF) | TO(SOURCE) | TO(PREPARE) | TO(IDLE))           \
    X(ERASE, "one sector erased", TO(PROGRAM) | TO(IDLE))                                  \
    X(PROGRAM, "one sector written and read back", TO(RECORD) | TO(ERASE) | TO(IDLE))      \
    X(RECORD, "the progress record", TO(RECEIVE) | TO(FETCH) | TO(IDLE))                   \
    X(BACKOFF, "the retry timer, or moult_resume()", TO(FETCH) | TO(CHECKIN) | TO(IDLE))   \
    X(CLEAN, "nothing old behind the image", TO(VERIFY) | TO(SOURCE) | TO(IDLE))           \
    X(VERIFY, "the digest of the slot, read from flash",                                   \
      TO(IMAGE) | TO(SOURCE) | TO(PREPARE) | TO(IDLE))                                     \
    X(IMAGE, "the image's own headers and checksum", TO(RECHECK) | TO(IDLE))               \
    X(RECHECK, "both statements, verified again",                                          \
      TO(GATE) | TO(ARM) | TO(COMPONENT) | TO(IDLE))                                       \
    X(GATE, "permission to activate", TO(REPORT) | TO(IDLE))                               \
    X(REPORT, "reports delivered, or given up for now", TO(FETCH) | TO(ARM) | TO(IDLE))    \
    X(ARM, "the first 32 bytes", TO(SWITCH) | TO(IDLE))                                    \
    X(SWITCH, "the boot slot", TO(REBOOT) | TO(IDLE))                                      \
    X(CONFIRM, "the image marked valid", TO(APPLY) | TO(IDLE) | TO(ROLLBACK))              \
    X(APPLY, "the staged components, live", TO(CONFIRM) | TO(CHECKIN) | TO(IDLE))          \
    X(ROLLBACK, "the way back", TO(REBOOT) | TO(IDLE))                                     \
    X(REBOOT, "the reset", 0)

#define TRIAL_ENDS (TO(CONFIRM) | TO(ROLLBACK))

enum moult_state {
#define X(name, waits, next) MOULT_STATE_##name,
    MOULT_STATES(X)
#undef X
        MOULT_STATE_COUNT
};
_Static_assert(MOULT_STATE_COUNT <= 32, "the sets of next states are 32 bits");

/* Which states may follow: bit n is state n. */
extern const uint32_t moult_state_next[MOULT_STATE_COUNT];

/* In words; in words.c, which a device that logs numbers does not link. */
struct moult_state_words {
    const char *name, *waits_for;
};
extern const struct moult_state_words moult_state_words[MOULT_STATE_COUNT];

#endif
