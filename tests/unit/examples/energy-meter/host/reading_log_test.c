/* reading_log_test.c - no reading is lost by a restart, a full ring or a torn record. */
#include "examples/energy-meter/host/reading_log.h"
#include <stdlib.h>
#include <string.h>
#include "moult/port.h"
#include "tests/support/check.h"

enum { LOG_AT = 0x1000, LOG_SIZE = 3 * 4096, FLASH_SIZE = LOG_AT + LOG_SIZE };
enum { PER_SECTOR = 4096 / READING_LOG_RECORD_SIZE };

static uint8_t bits[FLASH_SIZE];
static struct moult_sim_storage storage;
static struct moult_sim_flash flash;
static struct reading_log ring;

static enum moult_status open_again(void)
{
    moult_sim_flash_power_on(&flash);
    return reading_log_open(&ring, &flash, LOG_AT, LOG_SIZE);
}

static void fresh(void)
{
    memset(bits, 0xff, sizeof bits);
    moult_sim_storage_ram(&storage, bits, sizeof bits);
    moult_sim_flash_init(&flash, &storage, FLASH_SIZE);
    if (moult_sim_flash_allow(&flash, LOG_AT, LOG_SIZE, false) != MOULT_OK) { abort(); }
    if (open_again() != MOULT_OK) { abort(); }
}

static enum moult_status add(uint64_t sequence, uint64_t time_ms)
{
    const struct meter_reading reading = {
        .sequence = sequence, .time_ms = time_ms, .energy_uj = sequence * 1000};
    return reading_log_add(&ring, &reading);
}

static enum moult_status boot(uint32_t number, uint8_t reset, uint64_t after)
{
    const struct boot_record record = {
        .number = number, .reset = reset, .sequence = 1, .time_ms = 5, .after = after};
    return reading_log_add_boot(&ring, &record);
}

static void test_it_goes_on_behind_the_last_record(void)
{
    fresh();
    check(!ring.has_reading && !ring.has_boot);
    check_equal(boot(1, MOULT_RESET_POWER_ON, 0), MOULT_OK);
    for (uint64_t i = 1; i <= 10; i++) {
        check_equal(add(i, i * 1000), MOULT_OK);
    }
    check_equal(open_again(), MOULT_OK);
    check_equal(ring.last_reading.sequence, 10);
    check_equal(ring.last_reading.energy_uj, 10000);
    check_equal(ring.last_boot.number, 1);
    check_equal(boot(2, MOULT_RESET_SOFTWARE, 10), MOULT_OK);
    check_equal(open_again(), MOULT_OK);
    check_equal(ring.last_boot.number, 2);
    check_equal(add(11, 11000), MOULT_OK);

    struct reading_summary sum;
    check_equal(reading_log_summary(&ring, &sum), MOULT_OK);
    check_equal(sum.first, 1);
    check_equal(sum.last, 11);
    check_equal(sum.missing, 0);
    check_equal(sum.lost_ms, 0);
    check_equal(sum.dark_ms, 0);
    check_equal(sum.boots, 2);
    check_equal(sum.restarts, 1);
    check_equal(sum.power_cuts, 0);
}

static void test_the_ring_keeps_the_newest_in_order(void)
{
    fresh();
    for (uint64_t i = 1; i <= 1000; i++) {
        check_equal(add(i, i * 1000), MOULT_OK);
        if (i % 37 == 0) { check_equal(open_again(), MOULT_OK); }
    }
    struct record record;
    uint32_t cursor = 0;
    uint64_t expected = 0, count = 0;
    while (reading_log_next(&ring, &cursor, &record) == MOULT_OK) {
        check_equal(record.kind, RECORD_READING);
        if (expected) { check_equal(record.reading.sequence, expected); }
        expected = record.reading.sequence + 1;
        count++;
    }
    check_equal(expected, 1001);
    check(count >= 2 * PER_SECTOR);
}

static void test_gaps_are_told_apart_by_what_came_between(void)
{
    struct reading_summary sum;
    fresh();
    check_equal(boot(1, MOULT_RESET_POWER_ON, 0), MOULT_OK);
    check_equal(add(1, 1000), MOULT_OK);
    check_equal(boot(2, MOULT_RESET_POWER_ON, 1), MOULT_OK);
    check_equal(add(2, 9000), MOULT_OK); /* dark for 7 s */
    check_equal(boot(3, MOULT_RESET_SOFTWARE, 2), MOULT_OK);
    check_equal(add(3, 12500), MOULT_OK); /* 2.5 s lost by a restart */
    check_equal(add(6, 13500), MOULT_OK); /* 4 and 5 missing */
    check_equal(reading_log_summary(&ring, &sum), MOULT_OK);
    check_equal(sum.dark_ms, 7000);
    check_equal(sum.lost_ms, 2500);
    check_equal(sum.missing, 2);
    check_equal(sum.power_cuts, 1);
    check_equal(sum.restarts, 1);
}

/* A cut at every operation of a long run: the next record goes behind, nothing stored is
 * lost. */
static void test_a_cut_loses_at_most_the_record_being_written(void)
{
    static const enum moult_sim_fault faults[] = {MOULT_SIM_CUT_BEFORE, MOULT_SIM_CUT_AFTER,
                                                  MOULT_SIM_CUT_TORN, MOULT_SIM_CUT_MIXED};
    for (uint64_t at = 1; at <= 3 * PER_SECTOR + 20; at++) {
        fresh();
        flash.plans[0] = (struct moult_sim_plan){
            .fault = faults[at % 4], .at = at, .torn_size = (uint32_t)at % 64, .seed = at};
        uint64_t sequence = 1;
        while (add(sequence, sequence * 1000) == MOULT_OK) {
            sequence++;
        }
        check_equal(open_again(), MOULT_OK);
        uint64_t last = ring.has_reading ? ring.last_reading.sequence : 0;
        check(last == sequence - 1 || last == sequence); /* done, but not told */
        for (uint64_t i = last + 1; i <= last + 5; i++) {
            check_equal(add(i, i * 1000), MOULT_OK);
        }
        struct reading_summary sum;
        check_equal(open_again(), MOULT_OK);
        check_equal(reading_log_summary(&ring, &sum), MOULT_OK);
        check_equal(sum.last, last + 5);
        check_equal(sum.missing, 0);
    }
}

static void test_a_boot_at_the_start_of_a_sector_is_not_erased(void)
{
    fresh();
    for (uint64_t i = 1; i <= PER_SECTOR; i++) {
        check_equal(add(i, i * 1000), MOULT_OK);
    }
    check_equal(boot(1, MOULT_RESET_SOFTWARE, PER_SECTOR), MOULT_OK);
    check_equal(open_again(), MOULT_OK);
    check_equal(boot(2, MOULT_RESET_SOFTWARE, PER_SECTOR), MOULT_OK);
    check_equal(open_again(), MOULT_OK);
    struct reading_summary sum;
    check_equal(reading_log_summary(&ring, &sum), MOULT_OK);
    check_equal(sum.restarts, 2);
    check_equal(sum.last, PER_SECTOR);
}

static void test_a_partition_needs_two_sectors(void)
{
    check_equal(reading_log_open(&ring, &flash, LOG_AT, 4096), MOULT_E_RANGE);
    check_equal(reading_log_open(&ring, &flash, LOG_AT, 8192 + 64), MOULT_E_RANGE);
}

int main(void)
{
    check_run(test_it_goes_on_behind_the_last_record);
    check_run(test_the_ring_keeps_the_newest_in_order);
    check_run(test_gaps_are_told_apart_by_what_came_between);
    check_run(test_a_cut_loses_at_most_the_record_being_written);
    check_run(test_a_boot_at_the_start_of_a_sector_is_not_erased);
    check_run(test_a_partition_needs_two_sectors);
    return check_report();
}
