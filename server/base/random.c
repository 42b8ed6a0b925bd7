/* random.c - see random.h. */
#include "server/base/random.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

static bool system_fill(void *context, void *out, size_t size)
{
    (void)context; /* the kernel's generator has no state of ours */
    uint8_t *p = out;
    for (size_t done = 0; done < size;) {
        ssize_t got = getrandom(p + done, size - done, 0);
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) {
            memset(out, 0, size);
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

const struct random *random_system(void)
{
    static const struct random random = {.fill = system_fill};
    return &random;
}

static uint64_t splitmix64(struct random_seeded *seeded)
{
    uint64_t z = seeded->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool seeded_fill(void *context, void *out, size_t size)
{
    uint8_t *p = out;
    for (size_t i = 0; i < size;) {
        uint64_t word = splitmix64(context);
        for (unsigned k = 0; k < 8 && i < size; k++, i++) {
            p[i] = (uint8_t)(word >> (8 * k));
        }
    }
    return true;
}

struct random random_seeded(struct random_seeded *state, uint64_t seed)
{
    state->state = seed;
    return (struct random){.fill = seeded_fill, .context = state};
}

bool random_below(const struct random *random, uint64_t bound, uint64_t *out)
{
    assert(bound > 0);
    *out = 0;
    uint64_t fair =
        UINT64_MAX - UINT64_MAX % bound; /* draws from here on would be unfair */
    uint64_t word;
    do {
        if (!random_fill(random, &word, sizeof word)) { return false; }
    } while (word >= fair); /* each draw is kept with probability > 1/2 */
    *out = word % bound;
    return true;
}
