/* rollout.h - a rollout and its phases: what opens, passes, stops, and why.
 *
 * Layer    server/rollout: pure (state, verb or tick, now) -> (state, outcome).
 * Memory   struct rollout, about 4 KB, the caller's.
 * Page     docs/design/rollout-engine.md.
 * Use it   rollout_init(), rollout_verb(START); after every batch of assignment steps,
 *          and on a tick, rollout_tick(); store rollout, phases and counters in the same
 *          transaction; do
 *          what the outcome says.
 */
#ifndef MOULT_SERVER_ROLLOUT_ROLLOUT_H
#define MOULT_SERVER_ROLLOUT_ROLLOUT_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/status.h"
#include "server/rollout/cohort.h"
#include "server/rollout/gates.h"
#include "server/rollout/rollout_limits.h"

/* name, stored number (never renumber), word */
#define ROLLOUT_STATES(X)                                                                  \
    X(DRAFT, 1, "draft")                                                                   \
    X(SCHEDULED, 2, "scheduled") /* started, opens at start_ms */                          \
    X(RUNNING, 3, "running")                                                               \
    X(HOLDING, 4,                                                                          \
      "holding") /* running; the open phase cannot be decided or needs a word */           \
    X(PAUSED, 5, "paused")                                                                 \
    X(COMPLETED, 6,                                                                        \
      "completed") /* all phases passed; late devices are still offered it */              \
    X(ABORTED, 7, "aborted")

#define PHASE_STATES(X)                                                                    \
    X(WAITING, 1, "waiting")                                                               \
    X(OPEN, 2, "open")                                                                     \
    X(SOAKING, 3, "soaking") /* success gate holds; its time runs */                       \
    X(HOLDING, 4, "holding") /* undecidable so far, or waits for an operator */            \
    X(PASSED, 5, "passed")                                                                 \
    X(FAILED, 6, "failed")                                                                 \
    X(SKIPPED, 7, "skipped") /* no device in it */

enum rollout_state {
    ROLLOUT_NO_STATE = 0,
#define X(name, number, word) ROLLOUT_##name = number,
    ROLLOUT_STATES(X)
#undef X
};
enum phase_state {
    PHASE_NO_STATE = 0,
#define X(name, number, word) PHASE_##name = number,
    PHASE_STATES(X)
#undef X
};

enum rollout_mode { ROLLOUT_FORCED = 1, ROLLOUT_OPTIONAL = 2, ROLLOUT_DOWNLOAD_ONLY = 3 };

enum rollout_verb {
    ROLLOUT_START,
    ROLLOUT_PAUSE, /* drain: who downloads may go on to verified, nothing is activated */
    ROLLOUT_RESUME,
    ROLLOUT_ABORT,
    ROLLOUT_ADVANCE, /* close the open phase by hand */
    ROLLOUT_RETRY,   /* failed, rolled back and silent devices get another generation */
    ROLLOUT_VERB_COUNT,
};

struct phase {
    struct cohort_rule rule;
    enum phase_state state;
    bool needs_approval; /* stays holding after its soak until an operator advances */
    bool by_hand;        /* passed by an operator, not by its gates */
    int64_t
        device_soak_ms; /* of a device: from confirmed by itself to counted as success */
    int64_t soak_ms;    /* of the phase, from when its success gate first held */
    int64_t opened_ms;  /* 0: not yet */
    int64_t success_since_ms; /* the success gate holds since; 0: it does not */
    int64_t closed_ms;        /* passed, failed or skipped; 0: not yet */
    uint32_t acknowledged;    /* failures an operator has resumed over */
    struct gate_rules gates;
    struct gate_result last; /* the latest judgement, for display */
    struct phase_counters counters;
};

struct rollout {
    enum rollout_state state;
    enum rollout_mode mode;
    uint32_t phase_count; /* 1..ROLLOUT_PHASES_MAX */
    int64_t state_since_ms;
    int64_t start_ms;     /* SCHEDULED: opens at this time */
    int64_t phase_max_ms; /* an open phase that cannot be decided holds after this; 14 d */
    uint32_t rate_tenths; /* offers per minute, in tenths; 0: no limit */
    uint64_t rate_tokens; /* thousandths of an offer in the bucket */
    int64_t rate_ms;      /* when the bucket was filled last */
    char state_reason[ROLLOUT_REASON_SIZE]; /* who, what and why, for people */
    struct phase phases[ROLLOUT_PHASES_MAX];
};

/* What a tick or a verb did. Masks: bit i is phase i. */
struct rollout_outcome {
    bool is_changed; /* any state: store it, publish it */
    uint32_t opened; /* phases that opened: wake their devices */
    uint32_t passed, failed, skipped;
    bool is_paused; /* by a gate */
    bool is_completed;
};

const char *rollout_state_word(unsigned state);
enum rollout_state rollout_state_parse(const char *word); /* ROLLOUT_NO_STATE: none */
const char *phase_state_word(unsigned state);
const char *rollout_mode_word(unsigned mode);
enum rollout_mode rollout_mode_parse(const char *word); /* 0: none */
const char *rollout_verb_word(unsigned verb);
/* False: no such verb. */
bool rollout_verb_parse(const char *word, enum rollout_verb *verb);

/* A draft with phase_count waiting phases; rules, gates and soaks are the caller's to fill
 * in afterwards (they start as rest, the defaults, and 0). */
void rollout_init(struct rollout *rollout, uint32_t phase_count, int64_t now_ms);

/* Judges the phases and moves on: failure before success, on every phase that has opened.
 */
struct rollout_outcome rollout_tick(struct rollout *rollout, int64_t now_ms);

/* Whether the verb is allowed now; `expected` (may be NULL) names the states it needs. */
bool rollout_verb_allowed(const struct rollout *rollout, enum rollout_verb verb,
                          const char **expected);

/* Does a verb and, where that makes sense, ticks at once. who_why is copied into
 * state_reason. Assignments are the caller's: ABORT needs CANCEL for those that
 * assignment_next() lets be cancelled, RETRY needs RETRY for the failed ones, before this
 * call. MOULT_OK; MOULT_E_STATE: not in this state, *outcome empty. */
MOULT_MUST_CHECK enum moult_status rollout_verb(struct rollout *rollout,
                                                enum rollout_verb verb, int64_t now_ms,
                                                const char *who_why,
                                                struct rollout_outcome *outcome);

/* Whether devices of this phase may be offered the release now (state and phase; not the
 * rate). */
bool rollout_may_offer(const struct rollout *rollout, uint32_t phase_index);
/* Whether what they hold verified may be activated. */
bool rollout_may_activate(const struct rollout *rollout);
/* Whether the phase has opened at any time. */
bool phase_has_opened(const struct phase *phase);
/* Whether its counters stand: passed, failed or skipped. */
bool phase_is_closed(const struct phase *phase);

/* Takes one offer from the rate. False: none left; *wait_ms until the next. */
bool rollout_take_offer(struct rollout *rollout, int64_t now_ms, int64_t *wait_ms);

#endif
