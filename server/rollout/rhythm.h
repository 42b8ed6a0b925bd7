/* rhythm.h - how often a device really comes, learned from the gaps between its check-ins.
 *
 * Layer    server/rollout: pure.
 * Memory   struct rhythm, 24 bytes, one per device.
 * Why      "silent" must mean something else for a meter that polls every five minutes
 *          than for a sensor that wakes once a week.
 */
#ifndef MOULT_SERVER_ROLLOUT_RHYTHM_H
#define MOULT_SERVER_ROLLOUT_RHYTHM_H

#include <stdint.h>

#define RHYTHM_BINS                                                                        \
    24u /* bin k: gaps of 2^k up to 2^(k+1) seconds; the last 97 d and up                  \
         */
#define RHYTHM_HALVE_AT                                                                    \
    256u                      /* samples; then all bins are halved, so that old ones fade  \
                               */
#define RHYTHM_SAMPLES_MIN 8u /* with fewer, the expected interval is used */
#define RHYTHM_MAX_S 1209600u /* 14 days */

struct rhythm {
    uint8_t bins[RHYTHM_BINS];
};

/* One more gap between two check-ins. Leave out gaps that contain an update or a server
 * outage. */
void rhythm_note(struct rhythm *rhythm, uint32_t gap_s);

/* R in seconds: upper edge of the bin with the 95th percentile, at least told_s (what the
 * server told the device last), at most 14 d unless told_s is more; with too few samples
 * max(expected_s, told_s). Never 0. */
uint32_t rhythm_s(const struct rhythm *rhythm, uint32_t told_s, uint32_t expected_s);

#endif
