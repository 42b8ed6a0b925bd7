/* beside_update_test.c - the energy meter beside whole updates, in the time of a real chip.
 *
 * Flash operations take what data sheets say, typical and at worst (ports/sim/flash.h), the
 * link brings 1 MB/s, hashing and signatures take what an ESP32-C3 takes. One loop runs
 * both: a step of the engine, then the meter. So the meter stands still as long as a step
 * lasts, and its front end must hold the samples for so long. Printed: the longest step of
 * each kind and the share of time that the engine takes.
 */
#include <stdio.h>
#include <string.h>
#include "examples/energy-meter/core/meter.h"
#include "examples/energy-meter/core/waveform.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

enum {
    LINK_BYTES_PER_MS = 1000,
    /* Of the order that is measured on an ESP32-C3 at 160 MHz: SHA-256 through mbedTLS with
     * the accelerator, in pieces of 4 KB; a P-256 signature in software. */
    HASH_BYTES_PER_US = 8,
    VERIFY_US = 110000,
    VERIFIES_MAX = 8, /* of one step: a new keyset, by old and new root keys, twice */
    /* The buffer that conversions fill by DMA while nobody looks, also through a restart
     * without loss of power: 2 channels of 2 bytes, 1,000 times a second, 12 KB. */
    FRONT_END_MS = 3000,
    SLICE_MS = 10, /* a loop that waits looks after the meter so often */
};

static struct world w, fresh;
static struct moult_crypto plain; /* as the world has it */
static uint64_t computed_us;      /* by the crypto library since the step began */

static bool timed_update(void *context, struct moult_sha256 *hash, const uint8_t *data,
                         size_t size)
{
    computed_us += size / HASH_BYTES_PER_US;
    return plain.sha256_update(context, hash, data, size);
}

static bool timed_verify(void *context, const uint8_t public_key[64],
                         const uint8_t digest[32], const uint8_t signature[64])
{
    computed_us += VERIFY_US;
    return plain.verify_p256(context, public_key, digest, signature);
}

/* --- the meter --- */

static struct {
    struct meter meter;
    struct waveform house;
    struct meter_reading last;
    uint64_t now_ms;         /* at which it runs */
    uint64_t powered_ms;     /* since when the front end has had power */
    uint64_t next_sample_ms; /* 0: any */
    uint64_t oldest_ms;      /* age of the oldest sample when it was fetched */
    unsigned missed, gaps;
    unsigned without_power; /* times that there was none, since the first reading */
} bench;

static void sample(void *context, uint64_t time_ms, uint16_t *voltage, uint16_t *current)
{
    (void)context;
    bool is_next = bench.next_sample_ms == 0 || time_ms == bench.next_sample_ms;
    uint64_t age_ms = bench.now_ms - time_ms;
    if (age_ms > bench.oldest_ms) { bench.oldest_ms = age_ms; }
    bench.missed += !is_next || age_ms > FRONT_END_MS;
    bench.next_sample_ms = time_ms + 1;
    waveform_sample(&bench.house, time_ms, voltage, current);
}

/* Numbers without a gap; times without one as long as there was power. */
static bool store(void *context, const struct meter_reading *reading)
{
    (void)context;
    const struct meter_reading *last = &bench.last;
    bool is_first = last->sequence == 0;
    bool is_next = reading->sequence == last->sequence + 1;
    bool is_close = reading->time_ms == last->time_ms + METER_INTERVAL_MS;
    bench.missed += !is_next;
    bench.gaps += !is_first && !is_close;
    bench.last = *reading;
    return true;
}

static void start_meter(bool was_off)
{
    const struct meter_port port = {.sample = sample, .store = store};
    const struct meter_reading *last = bench.last.sequence ? &bench.last : NULL;
    bench.without_power += was_off && last;
    if (was_off) { bench.powered_ms = w.now_ms; }
    bool goes_on = last && last->time_ms > bench.powered_ms;
    bench.next_sample_ms = 0;
    meter_start(&bench.meter, &meter_version_1_1_0, &port, last,
                goes_on ? last->time_ms : bench.powered_ms);
}

static void run_meter(uint64_t until_ms)
{
    bench.now_ms = until_ms;
    while (!meter_run(&bench.meter, until_ms)) {}
}

/* The meter had no chance before `from_ms`; from there on it is looked after. */
static void look_after_meter(uint64_t from_ms, uint64_t until_ms)
{
    for (uint64_t at = from_ms; at < until_ms; at += SLICE_MS) {
        run_meter(at);
    }
    run_meter(until_ms);
}

/* --- the engine, in time --- */

enum { STATES_MAX = 40 };

static struct {
    const char *state; /* by the name that the words table has: one pointer per state */
    uint64_t flash_us, all_us;
} longest[STATES_MAX];

static struct {
    uint64_t flash_us, computed_us; /* the longest of a step */
    uint64_t engine_us, elapsed_us; /* between the order and the reboot */
    uint64_t rest_us;               /* less than a millisecond, carried over */
} tally;

static void note_step(const char *state, uint64_t flash_us)
{
    uint64_t all_us = flash_us + computed_us;
    unsigned i = 0;
    while (longest[i].state && strcmp(longest[i].state, state) != 0) {
        i++;
    }
    longest[i].state = state;
    if (flash_us > longest[i].flash_us) { longest[i].flash_us = flash_us; }
    if (all_us > longest[i].all_us) { longest[i].all_us = all_us; }
    if (flash_us > tally.flash_us) { tally.flash_us = flash_us; }
    if (computed_us > tally.computed_us) { tally.computed_us = computed_us; }
}

/* One step and what follows from it. False: power is off. */
static bool turn(void)
{
    const struct moult_sim_flash *flash = &w.device.chip.flash;
    const char *state = world_state(&w);
    uint64_t begun_ms = w.now_ms, flash_us = flash->busy_us, bytes = w.artifact_bytes;
    unsigned boots = w.boots;
    bool is_updating = w.session.plan.stage != 0 && !w.session.trial.is_on;
    computed_us = 0;
    bool is_up = world_step(&w);
    flash_us = flash->busy_us - flash_us;
    if (w.boots != boots) { /* the bootloader's time, not the engine's */
        start_meter(false);
        look_after_meter(w.now_ms, w.now_ms);
        return is_up;
    }
    note_step(state, flash_us);
    uint64_t step_us = flash_us + computed_us + tally.rest_us;
    uint64_t link_ms = (w.artifact_bytes - bytes) / LINK_BYTES_PER_MS;
    tally.rest_us = step_us % 1000;
    w.now_ms += step_us / 1000 + link_ms;
    if (is_updating) {
        tally.engine_us += flash_us + computed_us;
        tally.elapsed_us += (w.now_ms - begun_ms) * 1000;
    }
    if (is_up) { look_after_meter(begun_ms + step_us / 1000, w.now_ms); }
    return is_up;
}

static void begin(const struct moult_sim_timing *timing)
{
    world_copy(&w, &fresh);
    memset(&bench, 0, sizeof bench);
    memset(&tally, 0, sizeof tally);
    memset(longest, 0, sizeof longest);
    bench.house.seed = 7;
    w.device.chip.flash.timing = *timing;
    plain = w.device.crypto;
    w.device.crypto.sha256_update = timed_update;
    w.device.crypto.verify_p256 = timed_verify;
}

/* A cut may have been planned for the bootloader's own writes. */
static bool power_on(unsigned *cuts)
{
    bool is_up = world_boot(&w, MOULT_RESET_POWER_ON);
    if (!is_up && w.device.chip.flash.is_off) {
        ++*cuts;
        is_up = world_boot(&w, MOULT_RESET_POWER_ON);
    }
    start_meter(true);
    return is_up;
}

/* Until all is quiet for a minute of virtual time. False: it never was. */
static bool run(unsigned *cuts)
{
    enum { TURNS_MAX = 20000, QUIET_MS = 60000, BEFORE_MS = 1500 };
    uint64_t quiet_ms = 0;
    if (!power_on(cuts)) { return false; }
    run_meter(w.now_ms += BEFORE_MS);
    bench.oldest_ms = 0;
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        if (!turn()) {
            ++*cuts;
            if (!power_on(cuts)) { return false; }
        }
        if (!world_is_quiet(&w)) { quiet_ms = w.now_ms; }
        if (w.now_ms - quiet_ms >= QUIET_MS) { return true; }
    }
    return false;
}

/* --- what must hold --- */

enum story { CONFIRMS, FAILS_ITS_CHECK, CRASHES, NEW_KEYS, STORIES };
static const char *const story_names[STORIES] = {"update", "failed trial", "crash on trial",
                                                 "new keys"};

/* One sector erased, and one sector's worth of pages programmed and read back: what a step
 * may keep the chip standing still for. */
static uint64_t budget_us(void)
{
    const struct moult_sim_timing *timing = &w.device.chip.flash.timing;
    return timing->erase_us + 16 * timing->program_us + 2000;
}

static void set_story(enum story story)
{
    if (story == FAILS_ITS_CHECK) { w.health[2] = MOULT_HEALTH_FAILED; }
    if (story == CRASHES) {
        w.crash_sequence = 2;
        w.crash_after = 3;
    }
    if (story == NEW_KEYS) {
        struct moult_keyset next = statements_keyset(&w.fleet, 2);
        w.keysets[0] = statements_sign(&w.fleet, statements_keyset_payload(&next), 3);
        w.keyset_count = 1;
        w.keyset_hint = 2;
    }
}

static void print_run(const char *name)
{
    uint64_t share = tally.elapsed_us ? tally.engine_us * 100 / tally.elapsed_us : 0;
    printf("  %-14s longest step %3u ms of flash, %3u ms of computing; oldest sample %4u ms"
           "; the engine took %2u %% of the update's time\n",
           name, (unsigned)(tally.flash_us / 1000), (unsigned)(tally.computed_us / 1000),
           (unsigned)bench.oldest_ms, (unsigned)share);
}

static void print_states(void)
{
    for (unsigned i = 0; longest[i].state; i++) {
        printf("    %-9s %7u us of flash, %7u us in all\n", longest[i].state,
               (unsigned)longest[i].flash_us, (unsigned)longest[i].all_us);
    }
}

/* Each story in that timing. True: held. */
static void play(const struct moult_sim_timing *timing)
{
    for (unsigned story = 0; story < STORIES; story++) {
        unsigned cuts = 0;
        begin(timing);
        set_story((enum story)story);
        check_row(story_names[story]);
        check(run(&cuts));
        bool goes_back = story == FAILS_ITS_CHECK || story == CRASHES;
        check(world_runs(&w, goes_back ? &w.old : &w.new));
        check_equal(w.session.trust.keyset.version, story == NEW_KEYS ? 2 : 1);
        print_run(story_names[story]);
        if (story == CONFIRMS) { print_states(); }
        check(tally.flash_us <= budget_us());
        check(tally.computed_us <= (uint64_t)(VERIFIES_MAX + 1) * VERIFY_US);
        check_equal(bench.missed, 0);
        check_equal(bench.gaps, 0);
    }
    check_row(NULL);
}

static void test_no_step_is_longer_than_a_sector_erase_and_write(void)
{
    play(&moult_sim_timing_typical);
}

static void test_the_same_with_the_slowest_flash(void)
{
    play(&moult_sim_timing_worst);
}

/* A cut at every fifth operation: numbers go on, and only time without power is missing. */
static void test_a_power_cut_costs_the_meter_nothing_but_the_time_without_power(void)
{
    enum { EVERY = 5 };
    unsigned cuts = 0, runs = 0;
    uint64_t longest_us = 0;
    for (uint64_t at = 1;; at += EVERY) {
        unsigned before = cuts;
        begin(&moult_sim_timing_typical);
        w.device.chip.flash.plans[0] =
            (struct moult_sim_plan){.fault = MOULT_SIM_CUT_MIXED, .at = at, .seed = at};
        check(run(&cuts));
        check_equal(bench.missed, 0);
        check_equal(bench.gaps, bench.without_power);
        check(tally.flash_us <= budget_us());
        if (tally.flash_us > longest_us) { longest_us = tally.flash_us; }
        if (cuts == before) { break; } /* behind the last operation */
        runs++;
    }
    printf("  %u updates cut once: longest step %u ms of flash\n", runs,
           (unsigned)(longest_us / 1000));
    check(runs > 20);
}

int main(void)
{
    world_make_as(&fresh, &(struct world_options){.is_fixed = true, .image_size = 15000});
    check_run(test_no_step_is_longer_than_a_sector_erase_and_write);
    check_run(test_the_same_with_the_slowest_flash);
    check_run(test_a_power_cut_costs_the_meter_nothing_but_the_time_without_power);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
