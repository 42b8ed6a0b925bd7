/* store.c - promises of the key-value store. */
#include <stdio.h>
#include "tests/conformance/promise.h"

enum {
    FULL_MAX = 256,   /* sets until a store that never fills is believed to be endless */
    ROOM = 10 * 1024, /* what the engine needs at most */
    REWRITES = 300,
    NEIGHBOUR_SIZE = 100,
    CUT_SIZE = 900, /* several flash operations */
    CUT_ROUNDS = 6,
};

static int32_t set(struct conform *c, const char *key, size_t size, uint32_t seed)
{
    conform_fill(c->a, size, seed);
    return c->port.kv_set(c->port.context, key, c->a, size);
}

/* The key holds what set() put there. False: noted. */
static bool holds(struct conform *c, const char *key, size_t size, uint32_t seed,
                  const char *what)
{
    size_t found = 0;
    conform_fill(c->a, size, seed);
    int32_t result = c->port.kv_get(c->port.context, key, c->b, MOULT_KV_BLOB_MAX, &found);
    if (!conform_equal(c, result, 0, "the result of kv_get")) { return false; }
    if (found != size) {
        (void)conform_broken(c, "expected %s, found %u bytes instead of %u", what,
                             (unsigned)found, (unsigned)size); /* the caller returns it */
        return false;
    }
    return conform_same(c, c->b, c->a, size, what);
}

static bool is_absent(struct conform *c, const char *key)
{
    size_t size = 99;
    int32_t result = c->port.kv_get(c->port.context, key, c->b, MOULT_KV_BLOB_MAX, &size);
    return conform_equal(c, result, 0, "the result of kv_get of a key that is not there") &&
           conform_equal(c, (long long)size, 0, "the size of a key that is not there");
}

static enum conform_verdict absent_is_empty(struct conform *c)
{
    EXPECT_DONE(is_absent(c, "nothing"));
    EXPECT_EQUAL(c->port.kv_erase(c->port.context, "nothing"), 0,
                 "kv_erase of a key that is not there");
    return CONFORM_KEPT;
}

static enum conform_verdict gives_what_was_set(struct conform *c)
{
    EXPECT_EQUAL(set(c, "a", 100, 1), 0, "kv_set");
    EXPECT_DONE(holds(c, "a", 100, 1, "the blob that was set"));
    EXPECT_EQUAL(set(c, "a", 40, 2), 0, "kv_set of a shorter blob");
    EXPECT_DONE(holds(c, "a", 40, 2, "the newer, shorter blob"));
    EXPECT_EQUAL(set(c, "a", 700, 3), 0, "kv_set of a longer blob");
    EXPECT_DONE(holds(c, "a", 700, 3, "the newer, longer blob"));
    EXPECT_EQUAL(c->port.kv_erase(c->port.context, "a"), 0, "kv_erase");
    EXPECT_DONE(is_absent(c, "a"));
    return CONFORM_KEPT;
}

/* Both ways the last act before the reset: one that is still in RAM then would be lost. */
static enum conform_verdict is_durable(struct conform *c)
{
    if (c->phase == 0) {
        EXPECT_EQUAL(set(c, "keep", 300, 1), 0, "kv_set");
        EXPECT_EQUAL(set(c, "keep", 200, 2), 0, "kv_set");
        return CONFORM_RESTART;
    }
    if (c->phase == 1) {
        EXPECT_DONE(holds(c, "keep", 200, 2, "the blob set before the reset"));
        EXPECT_EQUAL(c->port.kv_erase(c->port.context, "keep"), 0, "kv_erase");
        return CONFORM_RESTART;
    }
    EXPECT_DONE(is_absent(c, "keep"));
    return CONFORM_KEPT;
}

static enum conform_verdict takes_blobs_of_every_size(struct conform *c)
{
    static const uint16_t sizes[] = {1, 2, 31, 32, 33, 255, 256, 1024, 2048, 2175, 2176};
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        EXPECT_EQUAL(set(c, "blob", sizes[i], i), 0, "kv_set of 1 to 2,176 bytes");
        EXPECT_DONE(holds(c, "blob", sizes[i], i, "the blob that was set"));
    }
    return CONFORM_KEPT;
}

static enum conform_verdict refuses_a_small_buffer(struct conform *c)
{
    size_t size = 0;
    EXPECT_EQUAL(set(c, "b", 64, 5), 0, "kv_set");
    memset(c->b, 0x5a, 64);
    int32_t result = c->port.kv_get(c->port.context, "b", c->b, 63, &size);
    EXPECT(result != 0, "an error of kv_get where the blob is larger than the buffer", "0");
    EXPECT_EQUAL(c->b[63], 0x5a, "the byte behind the buffer");
    EXPECT_EQUAL(c->port.kv_get(c->port.context, "b", c->b, 64, &size), 0,
                 "kv_get into a buffer that just fits");
    return CONFORM_KEPT;
}

static enum conform_verdict tells_keys_apart(struct conform *c)
{
    static const char *const keys[] = {"a",
                                       "a.b",
                                       "a.c",
                                       "0",
                                       "abcdefghijklmn",
                                       "abcdefghijklmno",
                                       "abcdefghijklmnp",
                                       "0123456789.zyxw"};
    const uint32_t count = sizeof keys / sizeof keys[0];
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_EQUAL(set(c, keys[i], 20 + i, 60 + i), 0, "kv_set of a key of 1 to 15");
    }
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_DONE(holds(c, keys[i], 20 + i, 60 + i, "the blob of that very key"));
    }
    EXPECT_EQUAL(c->port.kv_erase(c->port.context, keys[4]), 0, "kv_erase");
    EXPECT_DONE(is_absent(c, keys[4]));
    EXPECT_DONE(holds(c, keys[5], 25, 65, "the longer key to stay"));
    return CONFORM_KEPT;
}

static enum conform_verdict has_room(struct conform *c)
{
    char key[MOULT_KV_KEY_MAX + 1];
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < ROOM / 1024; i++) {
            (void)snprintf(key, sizeof key, "room.%u", (unsigned)i); /* fits */
            EXPECT_EQUAL(set(c, key, 1000, 100 * round + i), 0,
                         "kv_set within 10 KB of blobs");
        }
    }
    for (uint32_t i = 0; i < ROOM / 1024; i++) {
        (void)snprintf(key, sizeof key, "room.%u", (unsigned)i); /* fits */
        EXPECT_DONE(holds(c, key, 1000, 200 + i, "each of them"));
    }
    return CONFORM_KEPT;
}

static enum conform_verdict is_rewritten_for_ever(struct conform *c)
{
    EXPECT_EQUAL(set(c, "still", NEIGHBOUR_SIZE, 1), 0, "kv_set");
    for (uint32_t i = 0; i < REWRITES; i++) {
        EXPECT_EQUAL(set(c, "busy", 240, i), 0, "kv_set of the same key, 300 times");
    }
    EXPECT_DONE(holds(c, "busy", 240, REWRITES - 1, "the last blob"));
    EXPECT_DONE(holds(c, "still", NEIGHBOUR_SIZE, 1, "the key that was left alone"));
    return CONFORM_KEPT;
}

/* --- A full store --------------------------------------------------------------------- */

/* How many keys a store took before it said no; FULL_MAX: it never did. */
static uint32_t fill_up(struct conform *c)
{
    char key[MOULT_KV_KEY_MAX + 1];
    for (uint32_t i = 0; i < FULL_MAX; i++) {
        (void)snprintf(key, sizeof key, "full.%u", (unsigned)i); /* fits */
        if (set(c, key, 2000, i) != 0) { return i; }
    }
    return FULL_MAX;
}

static enum conform_verdict says_when_it_is_full(struct conform *c)
{
    char key[MOULT_KV_KEY_MAX + 1];
    uint32_t count = fill_up(c);
    EXPECT(count >= 2, "room for two blobs of 2,000 bytes", "none");
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(key, sizeof key, "full.%u", (unsigned)i); /* fits */
        EXPECT_DONE(holds(c, key, 2000, i, "every blob that kv_set said was stored"));
    }
    NEEDS(count < FULL_MAX, "the store took 512 KB: no end in sight");
    (void)snprintf(key, sizeof key, "full.%u", (unsigned)count); /* fits */
    EXPECT_DONE(is_absent(c, key));
    for (uint32_t i = 0; i + 1 < count; i++) {
        (void)snprintf(key, sizeof key, "full.%u", (unsigned)i); /* fits */
        EXPECT_EQUAL(c->port.kv_erase(c->port.context, key), 0, "kv_erase in a full store");
    }
    EXPECT_EQUAL(set(c, "after", 2000, 9), 0, "kv_set once there is room again");
    EXPECT_DONE(holds(c, "after", 2000, 9, "the blob set then"));
    return CONFORM_KEPT;
}

/* --- Cuts ----------------------------------------------------------------------------- */

static bool neighbours_hold(struct conform *c)
{
    return holds(c, "one", NEIGHBOUR_SIZE, 1, "the key before to be as it was") &&
           holds(c, "two", NEIGHBOUR_SIZE, 2, "the key behind to be as it was");
}

/* Neighbours around the key that is cut. */
static bool begin_cuts(struct conform *c)
{
    return conform_equal(c, set(c, "one", NEIGHBOUR_SIZE, 1), 0, "kv_set") &&
           conform_equal(c, set(c, "cut", CUT_SIZE, 1000), 0, "kv_set") &&
           conform_equal(c, set(c, "two", NEIGHBOUR_SIZE, 2), 0, "kv_set");
}

/* What the key holds: that blob, another of the same size, or nothing that matters. */
static bool has_blob(struct conform *c, uint32_t seed)
{
    size_t size = 0;
    conform_fill(c->a, CUT_SIZE, seed);
    return c->port.kv_get(c->port.context, "cut", c->b, MOULT_KV_BLOB_MAX, &size) == 0 &&
           size == CUT_SIZE && memcmp(c->a, c->b, CUT_SIZE) == 0;
}

/* Cut after cut until the act ends before one strikes; that several times, since each round
 * finds the store filled up differently. note[0]: the next cut; note[1]: round. */
static void arm_next(struct conform *c)
{
    conform_arm(c, c->progress.note[0]++);
}

static enum conform_verdict after_act(struct conform *c, int32_t result)
{
    c->how = MOULT_RESET_POWER_ON;
    if (result == 0) {
        c->progress.note[0] = 0;
        c->progress.note[1]++;
    }
    return c->progress.note[1] == CUT_ROUNDS ? CONFORM_KEPT : CONFORM_RESTART;
}

static enum conform_verdict cut_set_harms_no_other_key(struct conform *c)
{
    NEEDS(c->fixture->cut, "the fixture cannot cut power");
    if (c->phase == 0) { EXPECT_DONE(begin_cuts(c)); }
    EXPECT_DONE(neighbours_hold(c));
    if (c->phase > 0) { /* and it works again */
        EXPECT_EQUAL(set(c, "cut", CUT_SIZE, 3000), 0, "kv_set after a cut");
        EXPECT_DONE(holds(c, "cut", CUT_SIZE, 3000, "the blob set after a cut"));
        EXPECT_DONE(neighbours_hold(c));
    }
    arm_next(c);
    return after_act(c, set(c, "cut", CUT_SIZE, 2000u + c->phase));
}

static enum conform_verdict cut_set_is_old_or_new(struct conform *c)
{
    NEEDS(c->fixture->cut, "the fixture cannot cut power");
    if (c->phase == 0) {
        EXPECT_DONE(begin_cuts(c));
    } else if (!has_blob(c, 1000u + c->phase - 1) && !has_blob(c, 2000u + c->phase - 1)) {
        return conform_skipped(c,
                               "a cut left neither the old blob nor the new one; that is "
                               "allowed, the engine copes");
    }
    EXPECT_EQUAL(set(c, "cut", CUT_SIZE, 1000u + c->phase), 0, "kv_set after a cut");
    arm_next(c);
    return after_act(c, set(c, "cut", CUT_SIZE, 2000u + c->phase));
}

static enum conform_verdict cut_erase_harms_no_other_key(struct conform *c)
{
    NEEDS(c->fixture->cut, "the fixture cannot cut power");
    if (c->phase == 0) { EXPECT_DONE(begin_cuts(c)); }
    EXPECT_DONE(neighbours_hold(c));
    EXPECT_EQUAL(set(c, "cut", CUT_SIZE, 1000u + c->phase), 0, "kv_set after a cut");
    arm_next(c);
    return after_act(c, c->port.kv_erase(c->port.context, "cut"));
}

const struct conform_promise conform_store[] = {
    {"store.absent-is-empty", absent_is_empty},
    {"store.set-and-get", gives_what_was_set},
    {"store.durable", is_durable},
    {"store.blob-sizes", takes_blobs_of_every_size},
    {"store.small-buffer-is-an-error", refuses_a_small_buffer},
    {"store.keys", tells_keys_apart},
    {"store.room", has_room},
    {"store.rewrites", is_rewritten_for_ever},
    {"store.full", says_when_it_is_full},
    {"store.cut-set-harms-no-other-key", cut_set_harms_no_other_key},
    {"store.cut-set-is-old-or-new", cut_set_is_old_or_new},
    {"store.cut-erase-harms-no-other-key", cut_erase_harms_no_other_key},
    {NULL, NULL},
};
