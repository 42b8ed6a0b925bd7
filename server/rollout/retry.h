/* retry.h - which failures are tried again, how often and after how long.
 *
 * Layer    server/rollout: pure, one constant table over the reasons of api/codes.tsv.
 * Page     docs/design/rollout-engine.md, "Retries".
 */
#ifndef MOULT_SERVER_ROLLOUT_RETRY_H
#define MOULT_SERVER_ROLLOUT_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* Classes of reasons, as counters and gates use them. Stored: never renumber. */
enum failure_class {
    FAILURE_TRANSPORT = 0,
    FAILURE_DEVICE = 1,
    FAILURE_AUTHENTICITY = 2,
    FAILURE_FIRMWARE = 3,
    FAILURE_POLICY = 4,
    FAILURE_SERVER = 5,
    FAILURE_CLASS_COUNT = 6,
};

/* Class of a reason; an unknown reason counts in its stage's class, a hopeless one as
 * firmware. */
enum failure_class failure_class_of(uint16_t reason);
const char *failure_class_name(enum failure_class class);

/* What has been tried already in one assignment. */
struct retry_tries {
    uint8_t by_class[FAILURE_CLASS_COUNT];
    uint8_t same_reason; /* failures in a row with the same reason, this one included */
};

struct retry_limits {
    int64_t base_ms; /* first wait; doubles */
    int64_t cap_ms;  /* longest wait */
};

/* Whether an assignment that failed with `reason` gets another attempt.
 *
 * tries   counts this failure already.
 * jitter  any number; chooses within -50 %..+50 % of the wait.
 * wait_ms set when true. */
bool retry_allowed(uint16_t reason, const struct retry_tries *tries,
                   const struct retry_limits *limits, uint32_t jitter, int64_t *wait_ms);

#endif
