/* gates.h - the judgement on a phase: go on, wait, or stop.
 *
 * Layer    server/rollout: pure, integers only.
 * Page     docs/design/rollout-engine.md, "Gates".
 * Why      percentages are compared as products (f * 10000 >= bp * decided), never rounded:
 * 5 of 100 is five percent, 4.99 is not. The denominator is what has been decided, never
 * the target: offline devices neither hold a phase nor dilute failures.
 */
#ifndef MOULT_SERVER_ROLLOUT_GATES_H
#define MOULT_SERVER_ROLLOUT_GATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/rollout/assignment.h"
#include "server/rollout/rollout_limits.h"

/* Counted per phase; each is a sum over its assignments of what gates_count() says. */
struct phase_counters {
    uint32_t target;                        /* assignments in the phase */
    uint32_t eligible;                      /* of them eligible when planned */
    uint32_t reached;                       /* checked in since the phase opened */
    uint32_t attempted;                     /* entered downloading */
    uint32_t decided;                       /* ended, neutral and covered ones excluded */
    uint32_t confirmed;                     /* successes: confirmed or staged */
    uint32_t failed;                        /* rolled back, failed or silent */
    uint32_t silent;                        /* of failed */
    uint32_t covered;                       /* on the image without our doing */
    uint32_t neutral;                       /* superseded or cancelled */
    uint32_t retrying;                      /* planned again after a failure */
    uint32_t crash_loops;                   /* failed with TRIAL_CRASH_LOOP */
    uint32_t by_class[FAILURE_CLASS_COUNT]; /* failed, by class of reason */
    uint32_t by_state[ASSIGNMENT_STATE_COUNT]; /* assignments in each state */
};
#define PHASE_COUNTER_COUNT (12u + FAILURE_CLASS_COUNT + ASSIGNMENT_STATE_COUNT)

/* Adds (sign 1) or takes away (sign -1) one assignment's contribution. To move an
 * assignment: take away, change, add. */
void gates_count(struct phase_counters *counters, const struct assignment *assignment,
                 int sign);

#define GATES_CLASS(class) (1u << (class))
#define GATES_CLASSES_DEFAULT                                                              \
    (GATES_CLASS(FAILURE_FIRMWARE) | GATES_CLASS(FAILURE_DEVICE) |                         \
     GATES_CLASS(FAILURE_AUTHENTICITY))

/* Shares in hundredths of a percent. A count of 0 switches a gate off. */
struct gate_rules {
    uint32_t success_bp;         /* default 9500 */
    uint32_t success_min_sample; /* default 20, or all when the phase is smaller */
    uint32_t
        success_reached_bp; /* of those reached so many must be decided; default 9000 */
    uint32_t failure_bp;    /* default 500; 0: off */
    uint32_t failure_min_sample; /* default 10 */
    uint32_t failure_classes; /* GATES_CLASS bits; default firmware, device, authenticity */
    uint32_t failure_count; /* so many failures at any sample size; default 3 in phase 0 */
    uint32_t
        single_classes; /* one failure of these is enough; default authenticity, phase 0 */
    bool single_crash_loop; /* one crash loop is enough; default phase 0 */
    uint32_t delivery_bp;   /* transport failures hold the phase; default 2000; 0: off */
    uint32_t delivery_min;  /* default 20 */
};

enum gate_verdict { GATE_FAIL = -1, GATE_HOLD = 0, GATE_PASS = 1 };

/* What spoke. Stored: never renumber. */
enum gate_kind {
    GATE_NONE = 0,    /* nothing yet: still too few decided */
    GATE_SUCCESS = 1, /* success gate: with PASS it holds, with HOLD not yet */
    GATE_FAILURE = 2, /* failed share */
    GATE_FAILURE_COUNT = 3,
    GATE_SINGLE = 4,    /* one authenticity failure or crash loop */
    GATE_DELIVERY = 5,  /* the network is ill, not the image */
    GATE_ALL_ENDED = 6, /* everything ended and the success gate was not met */
};

struct gate_result {
    enum gate_verdict verdict;
    enum gate_kind kind;
    uint32_t have;   /* numerator of what spoke */
    uint32_t of;     /* its denominator; 0: a count */
    uint32_t want;   /* share in hundredths of a percent, or a count */
    uint32_t sample; /* decided devices needed before the gate may speak */
};

/* The defaults of the table in the page, for a phase with this index. */
void gate_rules_default(struct gate_rules *rules, uint32_t phase_index);

/* Judges. acknowledged: failures that an operator has seen and resumed over; the failure
 * gates speak again only when there are more. Order: single, count, share, delivery, all
 * ended, success. */
struct gate_result gates_judge(const struct gate_rules *rules,
                               const struct phase_counters *counters,
                               uint32_t acknowledged);

/* "3 of 3 decided devices failed, limit 5 %": a sentence without a full stop into out. */
void gate_words(const struct gate_result *result, char out[ROLLOUT_WORDS_SIZE]);
const char *gate_kind_word(enum gate_kind kind); /* "failure_count" */

#endif
