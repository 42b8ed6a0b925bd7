/* assignment.h - the state machine of one device in one rollout.
 *
 * Layer    server/rollout: pure (state, event, now) -> (state, actions).
 * Memory   struct assignment, one per (rollout, device); the caller's.
 * Page     docs/design/rollout-engine.md.
 * Use it   fill struct assignment from the store, assignment_step() or assignment_tick(),
 *          store it again with compare-and-set on (generation, state), do what the effect
 *          says. A check-in is: its reports, oldest first, then assignment_running_event()
 *          of its running digest.
 *
 * Two rules that nothing here bends: a device's word never proves that it runs the new
 * image, only the digest in a check-in does; and silence after the reboot is a failure.
 */
#ifndef MOULT_SERVER_ROLLOUT_ASSIGNMENT_H
#define MOULT_SERVER_ROLLOUT_ASSIGNMENT_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "server/rollout/assignment_states.h"
#include "server/rollout/retry.h"

enum assignment_outcome {
    ASSIGNMENT_OUTCOME_OPEN,
    ASSIGNMENT_OUTCOME_SUCCESS,
    ASSIGNMENT_OUTCOME_FAILURE,
    ASSIGNMENT_OUTCOME_NEUTRAL,
};

enum assignment_clock {
    ASSIGNMENT_CLOCK_NONE,
    ASSIGNMENT_CLOCK_OFFER,    /* offer_ttl_ms since the offer */
    ASSIGNMENT_CLOCK_DOWNLOAD, /* stall since progress, and a total since the start */
    ASSIGNMENT_CLOCK_STALL,    /* max(stall_min_ms, 3 R) since entry */
    ASSIGNMENT_CLOCK_SILENT,   /* silent_factor * R since last heard */
    ASSIGNMENT_CLOCK_TRIAL,    /* the device's own trial limit more */
    ASSIGNMENT_CLOCK_SOAK,     /* as SILENT; and the end of the soak */
};

enum assignment_state {
    ASSIGNMENT_NO_STATE = 0,
#define X(name, number, word, outcome, clock) ASSIGNMENT_##name = number,
    ASSIGNMENT_STATES(X)
#undef X
};
#define ASSIGNMENT_STATE_COUNT 17u /* numbers 0..16 */
#define ASSIGNMENT_ACTIVE_MAX 9u   /* states 1..9 hold the device's slot */

enum assignment_event_kind {
#define X(name, ...) ASSIGNMENT_EV_##name,
    ASSIGNMENT_EVENTS(X)
#undef X
        ASSIGNMENT_EVENT_COUNT
};

/* Bits of flags. Stored: never renumber. */
enum {
    ASSIGNMENT_REACHED = 1 << 0,   /* checked in since its phase opened */
    ASSIGNMENT_ATTEMPTED = 1 << 1, /* entered downloading, or something behind it */
    ASSIGNMENT_OUT_OF_BAND =
        1 << 2,                  /* came to the image without our offer: not for gates */
    ASSIGNMENT_ALREADY = 1 << 3, /* ran the image when it was to be offered: likewise */
    ASSIGNMENT_LATE = 1 << 4, /* back from silent after its phase had closed: counts on as
                                 silent */
    ASSIGNMENT_INFERRED = 1 << 5, /* the reason is the server's guess; the device's word may
                                     still replace it */
    ASSIGNMENT_STOPPING = 1 << 6, /* aborted while busy: told at its next check-in */
    ASSIGNMENT_ELIGIBLE = 1 << 7, /* was eligible for its phase when planned */
};

struct assignment {
    uint8_t state; /* enum assignment_state */
    uint8_t phase;
    uint16_t flags;
    uint32_t generation; /* 1, then one more for every attempt; a new deployment id each */
    uint16_t reason, detail; /* of the last failure; 0 none */
    uint32_t inferred;       /* bit n: state number n was skipped, its report was lost */
    struct retry_tries tries;
    uint16_t soak_checkins; /* check-ins with the new digest since soaking began */
    uint16_t reboots;       /* entries into rebooting since reboots_since_ms */
    uint32_t offset;        /* furthest byte reported */
    uint32_t tried_offset;  /* the same when `tries` was last counted or reset */
    int64_t entered_ms;     /* when the present state was entered */
    int64_t heard_ms;       /* last contact of the device */
    int64_t progress_ms;    /* last download progress */
    int64_t offered_ms;     /* first offer of this generation; 0: none yet */
    int64_t started_ms;     /* first downloaded byte of this generation; 0: none yet */
    int64_t reboots_since_ms;
    int64_t not_before_ms; /* planned again after a failure: no offer before this */
    int64_t grace_ms;      /* server outage since last heard: added to every time limit */
};

/* Time limits, all from configuration. */
struct assignment_limits {
    int64_t offer_ttl_ms;   /* an offer is drawn up anew after this; default 7 d */
    int64_t stall_min_ms;   /* default 1 h */
    int64_t total_min_ms;   /* default 24 h */
    int64_t silent_min_ms;  /* default 15 min */
    int64_t silent_max_ms;  /* default 30 d; or 2 R when that is more */
    int64_t trial_limit_ms; /* the confirm timeout told to devices; default 5 min */
    uint32_t silent_factor; /* default 3 */
    uint32_t loop_max;      /* entries into rebooting within loop_window_ms; default 3 */
    int64_t loop_window_ms; /* default 24 h */
    struct retry_limits retry;
};

/* What holds for this device in this rollout now. */
struct assignment_terms {
    const struct assignment_limits *limits; /* borrowed for the call */
    int64_t rhythm_ms;                      /* R of the device (rhythm.h) */
    int64_t soak_ms;                        /* of its phase */
    uint32_t image_size;  /* bytes; 5 % of it as progress reset the tries */
    uint32_t jitter;      /* any number: spreads retries */
    bool is_withheld;     /* rollout paused, or download only: verified may wait for ever */
    bool is_phase_closed; /* its phase has passed or failed: counters stand */
    bool is_slot_free;    /* no other assignment of the device is active */
    bool is_ending;       /* rollout aborted: no more attempts */
};

struct assignment_event {
    enum assignment_event_kind kind;
    int64_t now_ms;
    uint16_t reason,
        detail;      /* FAILED, ROLLED_BACK, CANCEL, LOST: why; 0 where the engine knows */
    uint32_t offset; /* PROGRESS: bytes so far */
};

/* What a step did, and what is to be done about it. */
struct assignment_effect {
    bool is_accepted;        /* false: ignored, *assignment untouched */
    bool is_moved;           /* another state than before */
    bool is_retry;           /* failed, and planned again: see not_before_ms */
    bool is_ended;           /* holds the slot no longer: clear the wake */
    bool is_recovered;       /* back from silent */
    bool is_poison;          /* a failure that counts against (device, release) */
    bool is_loop;            /* SRV_UPDATE_LOOP: quarantine the device */
    uint8_t from;            /* enum assignment_state before */
    uint16_t reason, detail; /* of the failure that was retried or ended it; 0 none */
};

const char *assignment_state_word(unsigned state); /* "planned"; "?" for no state */
/* The state of that word; ASSIGNMENT_NO_STATE when there is none. */
enum assignment_state assignment_state_parse(const char *word);
const char *assignment_event_word(enum assignment_event_kind kind); /* "SAW_OLD" */
enum assignment_outcome assignment_outcome(unsigned state);
bool assignment_is_active(unsigned state);
/* The table's cell; ASSIGNMENT_NO_STATE: ignored. */
enum assignment_state assignment_next(unsigned state, enum assignment_event_kind kind);

/* A fresh one: planned, generation 1. */
void assignment_init(struct assignment *assignment, uint8_t phase, int64_t now_ms);

/* The event that a report of this kind is (`report` of fleet's device API, key 4: 1
 * downloading .. 11 user deferred). False: it moves nothing (an event, trial and confirmed,
 * which the check-in itself must prove, and deferrals). download_only: whether the rollout
 * stops at staged. */
bool assignment_report_event(uint8_t report_state, bool download_only,
                             enum assignment_event_kind *kind);

/* The event that a check-in with this running image is. new_digest: the rollout's;
 * old_digest: what ran at the offer (NULL: not known). is_trial: key 6 says so. */
enum assignment_event_kind assignment_running_event(const uint8_t running[32],
                                                    const uint8_t new_digest[32],
                                                    const uint8_t *old_digest,
                                                    bool is_trial);

/* Does one event. Every accepted event except GRANT, WITHDRAW, TIMEOUT, CANCEL, SUPERSEDE,
 * LOST and RETRY is a sign of life and renews heard_ms. */
struct assignment_effect assignment_step(struct assignment *assignment,
                                         const struct assignment_event *event,
                                         const struct assignment_terms *terms);

/* Ends what an abort finds: up to awaiting_consent as CANCEL; a busy device (downloading,
 * written, verified) is marked ASSIGNMENT_STOPPING and cancelled at its next check-in,
 * whose answer says so; from rebooting on it is left to finish. */
struct assignment_effect assignment_stop(struct assignment *assignment, int64_t now_ms,
                                         const struct assignment_terms *terms);

/* The check-in itself is contact: heard_ms and the flag REACHED. True: the flag is new. */
bool assignment_heard(struct assignment *assignment, int64_t now_ms);

/* Time went by: TIMEOUT or SOAKED when one is due, else an ignored effect. */
struct assignment_effect assignment_tick(struct assignment *assignment, int64_t now_ms,
                                         const struct assignment_terms *terms);

/* When assignment_tick() has to be called next; INT64_MAX: never. */
int64_t assignment_deadline_ms(const struct assignment *assignment,
                               const struct assignment_terms *terms);

/* After this it is shown as late: R after rebooting. INT64_MAX in other states. */
int64_t assignment_late_ms(const struct assignment *assignment,
                           const struct assignment_terms *terms);

#endif
