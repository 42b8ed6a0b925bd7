/* random.h - chance comes in through this struct, so that a run replays from its seed.
 *
 * Layer    server/base.
 * Threads  random_system() any; a seeded one by one thread at a time.
 */
#ifndef MOULT_SERVER_BASE_RANDOM_H
#define MOULT_SERVER_BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/compiler.h"

struct random {
    /* size random bytes into out. False: the source failed, out is zeroed. */
    bool (*fill)(void *context, void *out, size_t size);
    void *context; /* borrowed */
};

/* The kernel's generator; static storage. Good for keys, nonces and tokens. */
const struct random *random_system(void);

/* A replayable stream (SplitMix64) for tests and the simulator. Never for secrets. */
struct random_seeded {
    uint64_t state;
};
struct random random_seeded(struct random_seeded *state, uint64_t seed);

MOULT_MUST_CHECK static inline bool random_fill(const struct random *random, void *out,
                                                size_t size)
{
    return random->fill(random->context, out, size);
}

/* Uniform in [0, bound), bound >= 1. False: the source failed, *out is 0. */
MOULT_MUST_CHECK bool random_below(const struct random *random, uint64_t bound,
                                   uint64_t *out);

#endif
