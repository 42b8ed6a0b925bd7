/* axes.c - the products, the ways to lose power, and the stories. */
#include "formats/status.h"
#include "tests/power/power.h"
#include <string.h>

/* Anti-rollback needs rollback and forbids a factory app (ESP-IDF's Kconfig says so), which
 * leaves five builds for each number of slots and each size of an encryption unit. */
enum { SMALL = 2400 }; /* bytes: an image of one sector */
#define BUILDS(e, unit, s)                                                                 \
    {"e" #e "-rb0-ar0-f0-s" #s "-raw", unit, false, false, false, s, 0, 0},                \
        {"e" #e "-rb1-ar0-f0-s" #s "-raw", unit, true, false, false, s, 0, 0},             \
        {"e" #e "-rb1-ar1-f0-s" #s "-raw", unit, true, true, false, s, 0, 0},              \
        {"e" #e "-rb0-ar0-f1-s" #s "-raw", unit, false, false, true, s, 0, 0},             \
    {                                                                                      \
        "e" #e "-rb1-ar0-f1-s" #s "-raw", unit, true, false, true, s, 0, 0                 \
    }

const struct power_config power_configs[] = {
    BUILDS(0, 0, 2),
    BUILDS(0, 0, 3),
    BUILDS(16, 16, 2),
    BUILDS(16, 16, 3),
    BUILDS(32, 32, 2),
    BUILDS(32, 32, 3),
    {"small-e0-rb1-ar0-f0-s2-raw", 0, true, false, false, 2, 0, SMALL},
    {"small-e16-rb1-ar1-f0-s3-raw", 16, true, true, false, 3, 0, SMALL},
};
const unsigned power_config_count = sizeof power_configs / sizeof power_configs[0];

/* In the order in which they are taken when not all are: a sweep with N ways takes the
 * first, and the rest in turn. An eFuse burn is an operation as well (F12). */
const struct power_fault power_faults[] = {
    {"mixed1", MOULT_SIM_CUT_MIXED, 0, 1},   {"before", MOULT_SIM_CUT_BEFORE, 0, 0},
    {"mixed2", MOULT_SIM_CUT_MIXED, 0, 2},   {"torn4", MOULT_SIM_CUT_TORN, 4, 0},
    {"weak1", MOULT_SIM_CUT_WEAK, 0, 1},     {"torn28", MOULT_SIM_CUT_TORN, 28, 0},
    {"torn1", MOULT_SIM_CUT_TORN, 1, 0},     {"mixed3", MOULT_SIM_CUT_MIXED, 0, 3},
    {"torn8", MOULT_SIM_CUT_TORN, 8, 0},     {"after", MOULT_SIM_CUT_AFTER, 0, 0},
    {"torn20", MOULT_SIM_CUT_TORN, 20, 0},   {"torn64", MOULT_SIM_CUT_TORN, 64, 0},
    {"torn12", MOULT_SIM_CUT_TORN, 12, 0},   {"mixed4", MOULT_SIM_CUT_MIXED, 0, 4},
    {"torn24", MOULT_SIM_CUT_TORN, 24, 0},   {"torn32", MOULT_SIM_CUT_TORN, 32, 0},
    {"weak2", MOULT_SIM_CUT_WEAK, 0, 2},     {"torn16", MOULT_SIM_CUT_TORN, 16, 0},
    {"torn2", MOULT_SIM_CUT_TORN, 2, 0},     {"torn128", MOULT_SIM_CUT_TORN, 128, 0},
    {"torn240", MOULT_SIM_CUT_TORN, 240, 0}, {"torn2048", MOULT_SIM_CUT_TORN, 2048, 0},
};
const unsigned power_fault_count = sizeof power_faults / sizeof power_faults[0];

/* --- stories --- */

static void confirms(struct world *w)
{
    (void)w; /* the usual */
}

static void fails_its_check(struct world *w)
{
    w->health[2] = MOULT_HEALTH_FAILED;
    w->keeps_offering = true; /* so that it shows whether the device tries again */
}

static void crashes(struct world *w)
{
    w->crash_sequence = 2;
    w->crash_after = 3;
    w->keeps_offering = true;
}

static void hangs(struct world *w)
{
    crashes(w);
    w->crash_after = 0; /* before it did anything */
    w->crash_reset = MOULT_RESET_TASK_WATCHDOG;
}

/* A check that never answers. */
static void never_ready(struct world *w)
{
    w->health[2] = MOULT_HEALTH_WAIT;
    w->keeps_offering = true;
}

static void say_newest(struct world *w, struct moult_assignment *order)
{
    order->keyset_version = w->keyset_hint;
}

/* Two newer keysets on the way, the first with a floor of the class. */
static void new_keysets(struct world *w)
{
    uint8_t encoded[64];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, encoded, sizeof encoded);
    struct moult_keyset_floor floor = {w->fleet.class_id, 2, 2};
    moult_keyset_floor_write(&writer, &floor);
    for (uint32_t version = 2; version <= 3; version++) {
        struct moult_keyset keyset = statements_keyset(&w->fleet, version);
        keyset.floors.encoded = moult_cbor_written(&writer);
        keyset.floors.count = 1;
        keyset.present |= 1u << 8;
        w->keysets[version - 2] = statements_sign(
            &w->fleet, statements_keyset_payload(&keyset), 3u << STATEMENTS_ROOT);
    }
    w->keyset_count = 2;
    w->keyset_hint = 3;
    w->tweak_order = say_newest;
}

/* The artifact is not what was signed. */
static void refuses(struct world *w)
{
    w->transfer = WORLD_FLIPPED;
}

const struct power_story power_stories[] = {
    {"confirms", "download, verify, arm, trial, confirm, floor", POWER_ENDS_NEW,
     MOULT_REPORT_CONFIRMED, false, false, confirms},
    {"fails-check", "a health check says no: rolled back", POWER_ENDS_OLD,
     MOULT_REPORT_ROLLED_BACK, false, false, fails_its_check},
    {"crashes", "a panic on trial: rolled back", POWER_ENDS_OLD, MOULT_REPORT_ROLLED_BACK,
     false, false, crashes},
    {"hangs", "a watchdog before the first step of the trial", POWER_ENDS_OLD,
     MOULT_REPORT_ROLLED_BACK, false, false, hangs},
    {"never-ready", "a health check that does not answer", POWER_ENDS_OLD,
     MOULT_REPORT_ROLLED_BACK, false, false, never_ready},
    {"keysets", "two newer keysets and a floor of theirs, then the update", POWER_ENDS_NEW,
     MOULT_REPORT_CONFIRMED, false, false, new_keysets},
    {"refuses", "bytes that were not signed", POWER_ENDS_OLD, MOULT_REPORT_FAILED, false,
     false, refuses},
    {"leaves-factory", "the factory app updates into ota_0", POWER_ENDS_NEW,
     MOULT_REPORT_CONFIRMED, true, false, confirms},
    {"back-to-factory", "and comes back, since a check says no", POWER_ENDS_OLD,
     MOULT_REPORT_ROLLED_BACK, true, true, fails_its_check},
};
const unsigned power_story_count = sizeof power_stories / sizeof power_stories[0];

bool power_applies(unsigned config, unsigned story)
{
    const struct power_config *c = &power_configs[config];
    const struct power_story *s = &power_stories[story];
    return (!s->needs_factory || c->has_factory) && (!s->needs_rollback || c->has_rollback);
}
