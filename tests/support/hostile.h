/* hostile.h - attackers who speak well: one generator per row of the attack matrix.
 *
 * Use it   hostile_play(&row, seed) once per seed; rows are in tests/unit/device/hostile_*.
 *          docs/design/attack-tests.md says which row promises what.
 *
 * An attacker sits where the row says (server, network, mirror, broker, flash) and holds
 * the keys that the row says, no others. From a seed the row's generator draws one of its
 * attacks and every number in it, and decorates it with what its power allows and nobody
 * minds: extensions, times, counters, intervals. Then the device meets it.
 *
 * Each run asserts: the device names the code, the server hears it, the old image runs, no
 * bootloader would start the target slot, nothing outside the target slot, otadata and the
 * store has changed, the flash refused nothing; and where the facts were known before:
 * nothing was fetched and no sector of the slot was erased. Then the attack ends, and the
 * device must take the next good release: no attack leaves a mark.
 */
#ifndef MOULT_TESTS_SUPPORT_HOSTILE_H
#define MOULT_TESTS_SUPPORT_HOSTILE_H

#include "tests/support/update_world.h"

enum { HOSTILE_SECTORS = SIM_FLASH_SIZE / MOULT_SECTOR_SIZE, HOSTILE_URL_MAX = 64 };

/* When the attack is refused. */
enum hostile_when {
    KNOWN_BEFORE, /* nothing is fetched, no sector of the slot erased */
    FOUND_LATER,  /* by what came or stood on flash; the slot cannot boot */
    SURVIVED,     /* the update happens all the same; code 0: nothing to say either */
};

struct hostile_attack {
    const char *what;
    void (*arm)(void); /* draws numbers and sets the world up */
    uint16_t code;     /* 0 with SURVIVED: none */
    uint16_t native;   /* of the code; 0: any. For E_NO_SOURCE the last source's code */
    enum hostile_when when;
    bool (*also)(void); /* what else is promised; NULL: nothing */
};

struct hostile_row {
    unsigned number;
    const char *attack; /* in the words of the matrix */
    const char *holds;
    const struct hostile_attack *attacks;
    unsigned count;
    bool holds_assign_key;     /* orders may be decorated */
    uint8_t release_threshold; /* 0: 1 */
    bool (*prepare)(void);     /* before the attack; false: it failed. NULL: nothing */
    void (*recover)(void);     /* what an honest fleet does afterwards; NULL: nothing */
};

/* The device and its server, and the network of the attacker. */
extern struct world hostile_world;
extern struct statements_fleet hostile_own; /* keys of the attacker's own making */

struct hostile_net {
    /* Called when the honest server has answered; may change hostile_world.http. */
    void (*answer)(const char *path);
    /* Called before every step of the engine. */
    void (*before_step)(void);
    bool is_endless;        /* every body goes on for ever */
    const char *endless_of; /* in the answers to this path, in part */
    const char *mirror;     /* a path that serves the artifact, spoiled by `spoil` */
    void (*spoil)(uint8_t *data, uint32_t size, uint32_t place);
    uint32_t drip_ms;    /* between pieces of artifact; 0: at once */
    uint32_t drip_bytes; /* of each piece; 0: one */
    const char *drip_of; /* only of this path; NULL: any */
    uint64_t bytes;      /* received by the device, of all answers */
    unsigned requests;
    bool is_plain; /* a request went elsewhere than to the configured base */
};
extern struct hostile_net hostile_net;

/* Uniform in [0, bound); any 64 bits; random bytes. From the seed of the run. */
uint32_t hostile_draw(uint32_t bound);
uint64_t hostile_draw64(void);
void hostile_bytes(uint8_t *out, size_t size);

/* Plays one seed. False: printed what was wrong and how to repeat it. */
MOULT_MUST_CHECK bool hostile_play(const struct hostile_row *row, uint64_t seed);

/* All attacks of all rows, each with `per_attack` seeds (HOSTILE_RUNS in the environment),
 * or ROW and SEED alone. Prints a line per row. False: something was wrong. */
MOULT_MUST_CHECK bool hostile_play_all(const struct hostile_row *rows, unsigned count);

void hostile_end(void);

/* --- for generators --- */

/* Called for each order before it is signed, after the decoration. */
void hostile_order(void (*tweak)(struct world *w, struct moult_assignment *order));
/* The release of the offer, signed again with these keys of the fleet (mask). */
void hostile_sign_release(unsigned keys);
/* Writes the release payload as it is into an envelope signed by keys of `fleet`, and lets
 * orders name it. */
void hostile_release_by(const struct statements_fleet *fleet, unsigned keys);
/* Serves this as keyset `version`, and names it in replies. */
void hostile_keyset(struct statements_bytes envelope, uint32_t version);

#define HOSTILE_ROW(attacks_)                                                              \
    .attacks = attacks_, .count = sizeof attacks_ / sizeof attacks_[0]

#endif
