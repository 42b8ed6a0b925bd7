/* rollout_limits.h - every maximum of the rollout engine, with its reason.
 *
 * Layer    server/rollout: pure.
 */
#ifndef MOULT_SERVER_ROLLOUT_ROLLOUT_LIMITS_H
#define MOULT_SERVER_ROLLOUT_ROLLOUT_LIMITS_H

#define ROLLOUT_PHASES_MAX 16u       /* a person reads them on one screen; bits of a mask */
#define ROLLOUT_DEVICES_MAX 4000000u /* of one target; counts and sums fit 32 bits */
#define ROLLOUT_REASON_SIZE 200u     /* bytes of a state's reason with its NUL */
#define ROLLOUT_WORDS_SIZE 160u      /* bytes of a gate's words with their NUL */
#define ROLLOUT_RATE_TENTHS_MAX                                                            \
    60000000u /* tenths of offers a minute: 100,000 a second   \
                                           */

#endif
