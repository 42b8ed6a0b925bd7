/* meter_test.c - examples/energy-meter/core: what is sampled is counted, once and in order
 * */
#include "examples/energy-meter/core/meter.h"
#include <string.h>
#include "examples/energy-meter/core/measure.h"
#include "examples/energy-meter/core/waveform.h"
#include "tests/support/check.h"

enum { STORE_MAX = 4000 };

static struct meter meter;
static struct meter_reading stored[STORE_MAX];
static uint32_t stored_count;
static bool is_online;

/* What the converter is fed. */
static struct {
    int voltage_peak, current_peak; /* counts */
    int lag_points;                 /* of 1000 in a period */
    int direction;                  /* -1: fed into the grid */
    uint32_t mhz;
} source;

static void sample_sine(void *context, uint64_t time_ms, uint16_t *voltage,
                        uint16_t *current)
{
    (void)context;
    uint32_t point = (uint32_t)(time_ms * source.mhz / 1000 % WAVEFORM_POINTS);
    uint32_t behind =
        (point + WAVEFORM_POINTS - (uint32_t)source.lag_points) % WAVEFORM_POINTS;
    /* The mains table is nearly a sine: 4 % of harmonics do not change what is expected. */
    *voltage =
        (uint16_t)(2048 + waveform_mains[point] * source.voltage_peak / WAVEFORM_UNIT);
    *current = (uint16_t)(2048 + source.direction * waveform_mains[behind] *
                                     source.current_peak / WAVEFORM_UNIT);
}

static bool store(void *context, const struct meter_reading *reading)
{
    (void)context;
    if (!is_online || stored_count == STORE_MAX) { return false; }
    stored[stored_count++] = *reading;
    return true;
}

static const struct meter_port sine = {NULL, sample_sine, store};

static void start(const struct meter_traits *traits, const struct meter_reading *last,
                  uint64_t now_ms)
{
    meter_start(&meter, traits, &sine, last, now_ms);
}

static void reset(void)
{
    stored_count = 0;
    is_online = true;
    source.voltage_peak = 1800; /* 230 V */
    source.current_peak = 300;  /* 10 A */
    source.lag_points = 0;
    source.direction = 1;
    source.mhz = 50010;
    start(&meter_version_1_1_0, NULL, 0);
}

static void run_to(uint64_t from_ms, uint64_t to_ms)
{
    for (uint64_t now = from_ms; now <= to_ms; now += 100) {
        while (!meter_run(&meter, now)) {}
    }
}

static bool is_near(uint64_t found, uint64_t expected, uint64_t permille)
{
    uint64_t difference = found > expected ? found - expected : expected - found;
    return difference * 1000 <= expected * permille;
}

static void test_known_load_is_measured(void)
{
    reset();
    run_to(0, 10000);
    check_equal(stored_count, 10);
    const struct meter_reading *r = &stored[9];
    check(is_near(r->voltage_mv, 230000, 5));
    check(is_near(r->current_ma, 10000, 5));
    check(is_near((uint64_t)r->power_mw, 2300000, 10));
    check(is_near(r->frequency_mhz, 50010, 2));
    check(r->power_factor_permille >= 995);
    check(is_near(r->energy_uj, UINT64_C(2300000) * 10000, 10)); /* mW * ms */
    check_equal(r->sequence, 10);
    check_equal(r->time_ms, 10000);
    check_equal(stored[0].flags, METER_READING_AFTER_GAP);
    check_equal(r->flags, 0);
}

static void test_a_lagging_current_has_a_power_factor(void)
{
    reset();
    source.lag_points = 167; /* 60 degrees: cos = 0.5 */
    run_to(0, 3000);
    check(is_near(stored[2].power_factor_permille, 500, 30));
    check(is_near((uint64_t)stored[2].power_mw, 1150000, 30));
}

static void test_version_1_0_0_measures_no_power_factor(void)
{
    reset();
    start(&meter_version_1_0_0, NULL, 0);
    run_to(0, 3000);
    check_equal(stored_count, 3);
    check_equal(stored[2].power_factor_permille, 0);
    check(is_near(stored[2].voltage_mv, 230000, 5));
    check_equal(meter_health(&meter), METER_HEALTH_GOOD);
}

static void test_fed_in_power_is_negative_and_not_counted(void)
{
    reset();
    source.direction = -1;
    run_to(0, 3000);
    check(stored[2].power_mw < -2200000);
    check_equal(stored[2].energy_uj, 0);
}

static void test_nothing_is_lost_while_offline(void)
{
    reset();
    is_online = false;
    run_to(0, METER_RING_READINGS * 1000);
    check_equal(stored_count, 0);
    check_equal(meter_backlog(&meter), METER_RING_READINGS);
    is_online = true;
    run_to(METER_RING_READINGS * 1000 + 100, METER_RING_READINGS * 1000 + 2000);
    check_equal(meter_backlog(&meter), 0);
    check_equal(meter.lost_count, 0);
    check_equal(stored_count, METER_RING_READINGS + 2);
    for (uint32_t i = 0; i < stored_count; i++) {
        check_equal(stored[i].sequence, i + 1);
        check_equal(stored[i].time_ms, (i + 1) * 1000);
    }
}

static void test_a_full_ring_gives_up_the_oldest_and_says_so(void)
{
    reset();
    is_online = false;
    run_to(0, (METER_RING_READINGS + 5) * 1000);
    check_equal(meter.lost_count, 5);
    is_online = true;
    while (!meter_run(&meter, (METER_RING_READINGS + 5) * 1000)) {}
    check_equal(stored_count, METER_RING_READINGS);
    check_equal(stored[0].sequence, 6);
}

static void test_a_restart_goes_on_behind_the_last_stored_reading(void)
{
    reset();
    run_to(0, 5500); /* cut in the middle of an interval */
    check_equal(stored_count, 5);
    struct meter_reading last = stored[4];
    start(&meter_version_1_1_0, &last, 9000);
    run_to(9000, 12000);
    check_equal(stored_count, 8);
    check_equal(stored[5].sequence, 6);
    check_equal(stored[5].flags, METER_READING_AFTER_GAP);
    check_equal(stored[5].time_ms, 10000);
    check(stored[5].energy_uj > last.energy_uj);
    check(is_near(stored[5].energy_uj - last.energy_uj, 2300000000, 10));
}

static void test_sampling_does_not_depend_on_when_it_is_called(void)
{
    static struct meter_reading often[20];
    reset();
    for (uint64_t now = 0; now <= 20000; now++) {
        (void)meter_run(&meter, now);
    }
    check_equal(stored_count, 20);
    memcpy(often, stored, sizeof often);
    reset();
    for (uint64_t now = 0; now <= 20000;
         now += 5000) { /* busy for five seconds at a time */
        while (!meter_run(&meter, now)) {}
    }
    check_equal(stored_count, 20);
    check_bytes(stored, often, sizeof often);
}

static void test_one_run_is_bounded(void)
{
    reset();
    check(!meter_run(&meter, 30000));
    check_equal(meter.next_sample_ms, 1 + METER_RUN_SAMPLES_MAX);
}

static void test_long_absence_is_a_gap_in_time_only(void)
{
    reset();
    run_to(0, 2000);
    run_to(2000 + METER_CATCH_UP_MS_MAX + 5000, 2000 + METER_CATCH_UP_MS_MAX + 8000);
    check_equal(stored_count, 5);
    check_equal(stored[2].sequence, 3);
    check_equal(stored[2].flags, METER_READING_AFTER_GAP);
    check(meter.skipped_ms >= METER_CATCH_UP_MS_MAX);
    run_to(1000, 3000); /* the clock was set back */
    check_equal(stored[5].sequence, 6);
    check_equal(stored[5].flags, METER_READING_AFTER_GAP);
    check_equal(stored[5].time_ms, 2000);
}

static void test_short_absence_is_caught_up(void)
{
    reset();
    run_to(0, 2000);
    run_to(2000 + METER_CATCH_UP_MS_MAX, 2000 + METER_CATCH_UP_MS_MAX);
    check_equal(stored_count, 2 + METER_CATCH_UP_MS_MAX / 1000);
    check_equal(meter.skipped_ms, 0);
}

static void test_health(void)
{
    static const struct {
        const char *name;
        int voltage_peak, current_peak;
        uint32_t mhz;
        enum meter_health health;
    } rows[] = {
        {"good", 1800, 300, 50000, METER_HEALTH_GOOD},
        {"no load is good", 1800, 0, 50000, METER_HEALTH_GOOD},
        {"brownout", 1300, 300, 50000, METER_HEALTH_VOLTAGE},
        {"over voltage", 2040, 300, 50000,
         METER_HEALTH_GOOD}, /* 260 V: the converter's end */
        {"no mains", 0, 0, 50000, METER_HEALTH_FLAT},
        {"60 Hz", 1800, 300, 60000, METER_HEALTH_GOOD},
        {"a generator running away", 1800, 300, 70000, METER_HEALTH_FREQUENCY},
        {"a stalling generator", 1800, 300, 40000, METER_HEALTH_FREQUENCY},
        {"60 A", 1800, 1800, 50000, METER_HEALTH_GOOD},
        {"68 A", 1800, 2040, 50000, METER_HEALTH_CURRENT},
    };
    reset();
    check_equal(meter_health(&meter), METER_HEALTH_UNKNOWN);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        reset();
        source.voltage_peak = rows[i].voltage_peak;
        source.current_peak = rows[i].current_peak;
        source.mhz = rows[i].mhz;
        run_to(0, 2000);
        check_equal(meter_health(&meter), rows[i].health);
        check(strlen(meter_health_words(meter_health(&meter))) > 3);
    }
    check_row(NULL);
}

static void test_version_1_2_0_reads_a_voltage_that_cannot_be(void)
{
    reset();
    start(&meter_version_1_2_0, NULL, 0);
    run_to(0, 2000);
    check(is_near(stored[1].voltage_mv, 400000, 5));
    check_equal(meter_health(&meter), METER_HEALTH_VOLTAGE);
}

static void sample_house(void *context, uint64_t time_ms, uint16_t *voltage,
                         uint16_t *current)
{
    waveform_sample(context, time_ms, voltage, current);
}

static void test_every_house_is_plausible_to_good_versions(void)
{
    for (uint32_t seed = 0; seed < 200; seed++) {
        struct waveform house = {seed};
        struct meter_port port = {&house, sample_house, store};
        const struct meter_traits *traits =
            seed % 2 ? &meter_version_1_0_0 : &meter_version_1_1_0;
        reset();
        meter_start(&meter, traits, &port, NULL, seed * UINT64_C(977000));
        uint64_t end = seed * UINT64_C(977000) + 3000;
        while (!meter_run(&meter, end)) {}
        check_equal(stored_count, 3);
        check_equal(meter_health(&meter), METER_HEALTH_GOOD);
        check(is_near(stored[2].voltage_mv, 230000, 5));
        check(is_near(stored[2].frequency_mhz, 50000, 3));
    }
}

static void test_house_draws_what_is_on(void)
{
    struct waveform house = {7};
    struct meter_port port = {&house, sample_house, store};
    bool has_current = false, has_change = false;
    reset();
    meter_start(&meter, &meter_version_1_1_0, &port, NULL, 0);
    for (uint64_t now = 0; now <= 2000000; now += 500) {
        while (!meter_run(&meter, now)) {}
    }
    check_equal(stored_count, 2000);
    for (uint32_t i = 1; i < stored_count; i++) {
        has_current |= stored[i].current_ma > 5000;
        check(stored[i].current_ma <= 51000);
        has_change |= stored[i].current_ma > stored[i - 1].current_ma + 1000;
        check_equal(stored[i].sequence, stored[i - 1].sequence + 1);
        check(stored[i].energy_uj >= stored[i - 1].energy_uj);
    }
    check(has_current && has_change);
}

static void test_record_of_a_reading(void)
{
    uint8_t raw[METER_READING_SIZE];
    struct meter_reading back, reading = {.sequence = UINT64_C(0x0102030405060708),
                                          .time_ms = 1767225600000,
                                          .energy_uj = UINT64_MAX,
                                          .voltage_mv = 230123,
                                          .current_ma = 9876,
                                          .power_mw = -2300000,
                                          .frequency_mhz = 50010,
                                          .power_factor_permille = 987,
                                          .flags = METER_READING_AFTER_GAP};
    meter_reading_encode(&reading, raw);
    check(meter_reading_decode(raw, &back));
    uint8_t again[METER_READING_SIZE];
    meter_reading_encode(&back, again);
    check_bytes(again, raw, sizeof raw);
    check_equal(back.power_mw, -2300000);
    check(back.energy_uj == UINT64_MAX);
    for (uint32_t bit = 0; bit < sizeof raw * 8; bit++) {
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(!meter_reading_decode(raw, &back));
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(raw, 0xff, sizeof raw); /* erased flash */
    check(!meter_reading_decode(raw, &back));
}

static void test_traits_are_found_by_version(void)
{
    check(meter_traits_of("1.0.0") == &meter_version_1_0_0);
    check(meter_traits_of("1.1.0") == &meter_version_1_1_0);
    check(meter_traits_of("1.2.0") == &meter_version_1_2_0);
    check(!meter_traits_of("1.3.0"));
}

static void test_integer_root(void)
{
    check_equal(integer_root(0), 0);
    check_equal(integer_root(1), 1);
    check_equal(integer_root(3), 1);
    check_equal(integer_root(4), 2);
    check_equal(integer_root(999999), 999);
    check_equal(integer_root(UINT64_MAX), UINT32_MAX);
    for (uint64_t n = 1; n < 1000; n++) {
        check_equal(integer_root(n * n), n);
        check_equal(integer_root(n * n - 1), n - 1);
    }
}

int main(void)
{
    check_run(test_known_load_is_measured);
    check_run(test_a_lagging_current_has_a_power_factor);
    check_run(test_version_1_0_0_measures_no_power_factor);
    check_run(test_fed_in_power_is_negative_and_not_counted);
    check_run(test_nothing_is_lost_while_offline);
    check_run(test_a_full_ring_gives_up_the_oldest_and_says_so);
    check_run(test_a_restart_goes_on_behind_the_last_stored_reading);
    check_run(test_sampling_does_not_depend_on_when_it_is_called);
    check_run(test_one_run_is_bounded);
    check_run(test_long_absence_is_a_gap_in_time_only);
    check_run(test_short_absence_is_caught_up);
    check_run(test_health);
    check_run(test_version_1_2_0_reads_a_voltage_that_cannot_be);
    check_run(test_every_house_is_plausible_to_good_versions);
    check_run(test_house_draws_what_is_on);
    check_run(test_record_of_a_reading);
    check_run(test_traits_are_found_by_version);
    check_run(test_integer_root);
    return check_report();
}
