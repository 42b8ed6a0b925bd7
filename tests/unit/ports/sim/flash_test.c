/* flash_test.c - the simulated NOR flash allows what a real one can do and nothing else. */
#include "ports/sim/flash.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "tests/support/check.h"

enum { FLASH_SIZE = 8 * MOULT_SIM_SECTOR_SIZE, DATA_AT = 0x2000 };

static uint8_t bits[FLASH_SIZE];
static struct moult_sim_storage storage;
static struct moult_sim_flash flash;
static const char *panic_text;
static int lost_count;

static void note_panic(void *context, const char *what, uint32_t offset)
{
    (void)context;
    (void)offset;
    panic_text = what;
}

static void note_loss(void *context)
{
    (void)context;
    lost_count++;
}

static void fresh(void)
{
    memset(bits, 0xff, sizeof bits);
    moult_sim_storage_ram(&storage, bits, sizeof bits);
    moult_sim_flash_init(&flash, &storage, FLASH_SIZE);
    flash.panic = note_panic;
    flash.power_lost = note_loss;
    panic_text = NULL;
    lost_count = 0;
    if (moult_sim_flash_allow(&flash, DATA_AT, 0x4000, false) != MOULT_OK) { abort(); }
}

static void test_program_keeps_old_and_new(void)
{
    fresh();
    const uint8_t first[2] = {0xf0, 0x0f}, second[2] = {0x30, 0x00};
    check_equal(moult_sim_flash_program(&flash, DATA_AT, first, 2), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, second, 2), MOULT_OK);
    uint8_t found[2];
    check_equal(moult_sim_flash_read(&flash, DATA_AT, found, 2), MOULT_OK);
    check_bytes(found, second, 2);
    check_equal(flash.operation_count, 2);
}

static void test_setting_a_bit_without_erase_panics(void)
{
    fresh();
    const uint8_t low = 0x0f, high = 0x1f;
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &low, 1), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &high, 1), MOULT_E_INTERNAL);
    check(panic_text && strstr(panic_text, "from 0 to 1"));
    check_equal(bits[DATA_AT], 0x0f);
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &high, 1), MOULT_OK);
}

static void test_program_is_counted_by_page(void)
{
    fresh();
    uint8_t data[600] = {0};
    check_equal(moult_sim_flash_program(&flash, DATA_AT + 200, data, sizeof data),
                MOULT_OK);
    check_equal(flash.operation_count, 4); /* 56 + 256 + 256 + 32 */
}

static void test_impossible_accesses_panic(void)
{
    static const struct {
        const char *name, *panic;
        uint32_t offset, size; /* size 0: erase */
    } rows[] = {
        {"program outside the flash", "outside the flash", FLASH_SIZE - 1, 2},
        {"program at the far end of 32 bits", "outside the flash", UINT32_MAX, 2},
        {"program before the range", "allowed", DATA_AT - 1, 2},
        {"program past the range", "allowed", DATA_AT + 0x4000 - 1, 2},
        {"program in no range", "allowed", 0, 1},
        {"program into the running slot", "running slot", 0x4000, 1},
        {"program across its start", "running slot", 0x3fff, 2},
        {"erase the running slot", "running slot", 0x4000, 0},
        {"erase off the boundary", "boundary", DATA_AT + 1, 0},
        {"erase in no range", "allowed", 0x1000, 0},
        {"erase outside the flash", "outside the flash", FLASH_SIZE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        fresh();
        moult_sim_flash_protect(&flash, 0x4000, 0x1000);
        const uint8_t zeros[2] = {0};
        enum moult_status st =
            rows[i].size
                ? moult_sim_flash_program(&flash, rows[i].offset, zeros, rows[i].size)
                : moult_sim_flash_erase(&flash, rows[i].offset);
        check_equal(st, MOULT_E_INTERNAL);
        check(panic_text && strstr(panic_text, rows[i].panic));
        check(moult_bytes_all(bits, sizeof bits, 0xff));
    }
    check_row(NULL);
    uint8_t byte;
    check_equal(moult_sim_flash_read(&flash, FLASH_SIZE, &byte, 1), MOULT_E_INTERNAL);
}

static void test_encrypted_units_are_written_once_and_whole(void)
{
    fresh();
    moult_sim_flash_forbid_all(&flash);
    check_equal(moult_sim_flash_allow(&flash, DATA_AT, 0x1000, true), MOULT_OK);
    const uint8_t unit[16] = {0};
    check_equal(moult_sim_flash_program(&flash, DATA_AT + 8, unit, 16), MOULT_E_INTERNAL);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, unit, 8), MOULT_E_INTERNAL);
    check(moult_bytes_all(bits, sizeof bits, 0xff));
    check_equal(moult_sim_flash_program(&flash, DATA_AT, unit, 16), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, unit, 16), MOULT_E_INTERNAL);
    check(panic_text && strstr(panic_text, "second program"));
}

/* --- Flash encryption ---------------------------------------------------------------- */

static void fresh_encrypted(void)
{
    fresh();
    if (moult_sim_flash_encrypt(&flash, DATA_AT, 0x2000) != MOULT_OK) { abort(); }
}

static void test_encrypted_bytes_are_read_back_as_they_were_written(void)
{
    uint8_t data[512], found[512];
    for (unsigned i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i / 16 % 2 ? 7 : i); /* every other unit the same */
    }
    fresh_encrypted();
    check_equal(moult_sim_flash_program(&flash, DATA_AT, data, sizeof data), MOULT_OK);
    for (uint32_t from = 0; from < 40; from++) { /* any alignment */
        check_equal(moult_sim_flash_read(&flash, DATA_AT + from, found, 100), MOULT_OK);
        check_bytes(found, data + from, 100);
    }
    check_equal(moult_sim_flash_read_raw(&flash, DATA_AT, found, sizeof found), MOULT_OK);
    check(memcmp(found, data, sizeof data) != 0);
    check(memcmp(found + 16, found + 48, 16) != 0); /* the same unit elsewhere */
    check_equal(moult_sim_flash_peek(&flash, DATA_AT, found, sizeof found), MOULT_OK);
    check_bytes(found, data, sizeof data);
}

static void test_erased_flash_decrypts_to_noise(void)
{
    uint8_t found[64];
    fresh_encrypted();
    check_equal(moult_sim_flash_read(&flash, DATA_AT, found, sizeof found), MOULT_OK);
    for (unsigned i = 0; i < sizeof found; i += 16) {
        check(!moult_bytes_all(found + i, 16, 0xff));
    }
    check_equal(moult_sim_flash_read_raw(&flash, DATA_AT, found, sizeof found), MOULT_OK);
    check(moult_bytes_all(found, sizeof found, 0xff));
    check_equal(moult_sim_flash_read(&flash, DATA_AT + 0x2000, found, 16), MOULT_OK);
    check(moult_bytes_all(found, 16, 0xff)); /* behind the range */
}

static unsigned count_wrong(const uint8_t *data, uint32_t size)
{
    uint8_t found[512];
    unsigned wrong = 0;
    if (moult_sim_flash_peek(&flash, DATA_AT, found, size) != MOULT_OK) { abort(); }
    for (uint32_t i = 0; i < size; i++) {
        wrong += found[i] != data[i];
    }
    return wrong;
}

static void test_one_wrong_bit_spoils_its_whole_unit_and_no_other(void)
{
    uint8_t data[64] = {0};
    fresh_encrypted();
    check_equal(moult_sim_flash_program(&flash, DATA_AT, data, sizeof data), MOULT_OK);
    check_equal(moult_sim_flash_flip(&flash, DATA_AT + 20, 3), MOULT_OK);
    unsigned wrong = count_wrong(data, sizeof data);
    check(wrong >= 12 && wrong <= 16);
    check_equal(count_wrong(data, 16), 0);

    fresh_encrypted(); /* a torn write: the unit where it tears is noise, not a prefix */
    flash.plans[0] =
        (struct moult_sim_plan){.fault = MOULT_SIM_CUT_TORN, .at = 1, .torn_size = 24};
    check_equal(moult_sim_flash_program(&flash, DATA_AT, data, sizeof data), MOULT_E_IO);
    check_equal(count_wrong(data, 16), 0);
    wrong = count_wrong(data, 32);
    check(wrong >= 12 && wrong <= 16);
}

static void test_rules_of_encrypted_writes(void)
{
    static const struct {
        const char *name;
        uint32_t unit_size, offset, size;
        enum moult_status status;
    } rows[] = {
        {"whole unit", 16, 0, 16, MOULT_OK},
        {"half a unit", 16, 0, 8, MOULT_E_INTERNAL},
        {"off the unit", 16, 8, 16, MOULT_E_INTERNAL},
        {"whole row", 32, 0, 32, MOULT_OK},
        {"half a row", 32, 0, 16, MOULT_E_INTERNAL},
    };
    const uint8_t zeros[32] = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        fresh_encrypted();
        flash.unit_size = rows[i].unit_size;
        check_equal(
            moult_sim_flash_program(&flash, DATA_AT + rows[i].offset, zeros, rows[i].size),
            rows[i].status);
    }
    check_row("twice");
    check_equal(moult_sim_flash_program(&flash, DATA_AT + 64, zeros, 32), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT + 64, zeros, 32), MOULT_E_INTERNAL);
    check(panic_text && strstr(panic_text, "second program"));
    check_row(NULL);
}

static void test_allow_wants_whole_sectors_and_has_a_limit(void)
{
    fresh();
    check_equal(moult_sim_flash_allow(&flash, 1, 0x1000, false), MOULT_E_RANGE);
    check_equal(moult_sim_flash_allow(&flash, 0, 0x1001, false), MOULT_E_RANGE);
    check_equal(moult_sim_flash_allow(&flash, 0x1000, FLASH_SIZE, false), MOULT_E_RANGE);
    for (uint32_t i = 1; i < MOULT_SIM_RANGES_MAX; i++) {
        check_equal(moult_sim_flash_allow(&flash, 0, 0x1000, false), MOULT_OK);
    }
    check_equal(moult_sim_flash_allow(&flash, 0, 0x1000, false), MOULT_E_RANGE);
}

/* A row of 8 zero bytes over erased flash, struck at operation 1. */
static enum moult_status program_struck(enum moult_sim_fault fault, uint32_t torn_size)
{
    fresh();
    flash.plans[0] =
        (struct moult_sim_plan){.fault = fault, .at = 1, .torn_size = torn_size, .seed = 7};
    const uint8_t zeros[8] = {0};
    return moult_sim_flash_program(&flash, DATA_AT, zeros, sizeof zeros);
}

static void test_faults_of_a_program(void)
{
    static const struct {
        const char *name;
        enum moult_sim_fault fault;
        uint32_t torn_size, zero_count;
        enum moult_status status;
        bool is_off;
    } rows[] = {
        {"none", MOULT_SIM_FAULT_NONE, 0, 8, MOULT_OK, false},
        {"cut before", MOULT_SIM_CUT_BEFORE, 0, 0, MOULT_E_IO, true},
        {"cut after", MOULT_SIM_CUT_AFTER, 0, 8, MOULT_E_IO, true},
        {"torn at 0", MOULT_SIM_CUT_TORN, 0, 0, MOULT_E_IO, true},
        {"torn at 3", MOULT_SIM_CUT_TORN, 3, 3, MOULT_E_IO, true},
        {"torn at 8", MOULT_SIM_CUT_TORN, 8, 8, MOULT_E_IO, true},
        {"fails", MOULT_SIM_FAIL, 0, 0, MOULT_E_IO, false},
        {"silently not done", MOULT_SIM_NOOP, 0, 0, MOULT_OK, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        check_equal(program_struck(rows[i].fault, rows[i].torn_size), rows[i].status);
        check_equal(lost_count, rows[i].is_off);
        check_equal(flash.is_off, rows[i].is_off);
        check(moult_bytes_all(bits + DATA_AT, rows[i].zero_count, 0));
        check(moult_bytes_all(bits + DATA_AT + rows[i].zero_count, 64, 0xff));
    }
    check_row(NULL);
}

static void test_mixed_program_clears_some_bits_and_sets_none(void)
{
    check_equal(program_struck(MOULT_SIM_CUT_MIXED, 0), MOULT_E_IO);
    uint8_t once[8];
    memcpy(once, bits + DATA_AT, 8);
    check(!moult_bytes_all(once, 8, 0) && !moult_bytes_all(once, 8, 0xff));
    check_equal(program_struck(MOULT_SIM_CUT_MIXED, 0), MOULT_E_IO);
    check_bytes(bits + DATA_AT, once, 8); /* the same seed, the same damage */
}

static void test_faults_of_an_erase(void)
{
    static const struct {
        const char *name;
        enum moult_sim_fault fault;
        uint32_t torn_size, erased_size;
        enum moult_status status;
    } rows[] = {
        {"none", MOULT_SIM_FAULT_NONE, 0, 4096, MOULT_OK},
        {"cut before", MOULT_SIM_CUT_BEFORE, 0, 0, MOULT_E_IO},
        {"cut after", MOULT_SIM_CUT_AFTER, 0, 4096, MOULT_E_IO},
        {"torn", MOULT_SIM_CUT_TORN, 1000, 1000, MOULT_E_IO},
        {"fails", MOULT_SIM_FAIL, 0, 0, MOULT_E_IO},
        {"silently not done", MOULT_SIM_NOOP, 0, 0, MOULT_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        fresh();
        memset(bits, 0, sizeof bits);
        flash.plans[0] = (struct moult_sim_plan){
            .fault = rows[i].fault, .at = 1, .torn_size = rows[i].torn_size};
        check_equal(moult_sim_flash_erase(&flash, DATA_AT), rows[i].status);
        uint32_t erased = rows[i].erased_size;
        check(moult_bytes_all(bits + DATA_AT, erased, 0xff));
        check(moult_bytes_all(bits + DATA_AT + erased, 2 * 4096 - erased, 0));
        check(moult_bytes_all(bits, DATA_AT, 0));
    }
    check_row(NULL);
}

static void test_mixed_erase_sets_some_bits_and_clears_none(void)
{
    fresh();
    memset(bits, 0x55, sizeof bits);
    flash.plans[0] =
        (struct moult_sim_plan){.fault = MOULT_SIM_CUT_MIXED, .at = 1, .seed = 3};
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_E_IO);
    bool is_mixed = false;
    for (uint32_t i = DATA_AT; i < DATA_AT + 4096; i++) {
        check_equal(bits[i] & 0x55, 0x55);
        is_mixed |= bits[i] != 0x55 && bits[i] != 0xff;
    }
    check(is_mixed);
}

/* A sector of zeros whose erase is cut, weak; how often each bit of it then reads 0. */
static void test_weak_bits_read_differently_each_time_and_the_same_in_each_run(void)
{
    uint8_t first[4096], second[4096], again[4096];
    for (unsigned run = 0; run < 2; run++) {
        fresh();
        memset(bits + DATA_AT, 0x0f, 4096);
        flash.plans[0] =
            (struct moult_sim_plan){.fault = MOULT_SIM_CUT_WEAK, .at = 1, .seed = 5};
        check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_E_IO);
        check(flash.weak_count > 0 && flash.weak_count <= MOULT_SIM_WEAK_MAX / 4);
        moult_sim_flash_power_on(&flash);
        uint8_t *out = run == 0 ? first : again;
        check_equal(moult_sim_flash_read(&flash, DATA_AT, out, 4096), MOULT_OK);
        check_equal(moult_sim_flash_read(&flash, DATA_AT, second, 4096), MOULT_OK);
        check(memcmp(out, second, 4096) != 0);
        check(!moult_bytes_all(out, 4096, 0xff) || !moult_bytes_all(second, 4096, 0xff));
    }
    check_bytes(first, again, 4096);
    for (unsigned i = 0; i < 4096; i++) {
        check_equal(first[i] & 0x0f, 0x0f); /* what was 1 before cannot be weak */
    }
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_OK);
    check_equal(flash.weak_count, 0);
    check_equal(moult_sim_flash_read(&flash, DATA_AT, first, 4096), MOULT_OK);
    check(moult_bytes_all(first, 4096, 0xff));
}

static void test_a_weak_bit_that_is_programmed_is_strong(void)
{
    check_equal(program_struck(MOULT_SIM_CUT_WEAK, 0), MOULT_E_IO);
    check(flash.weak_count > 0);
    moult_sim_flash_power_on(&flash);
    const uint8_t zeros[8] = {0};
    check_equal(moult_sim_flash_program(&flash, DATA_AT, zeros, 8), MOULT_OK);
    check_equal(flash.weak_count, 0);
    check(moult_bytes_all(bits + DATA_AT, 8, 0));
}

static void test_the_oldest_weak_bits_settle_when_there_are_too_many(void)
{
    fresh();
    memset(bits, 0, sizeof bits);
    for (uint32_t i = 0; i < 2 * MOULT_SIM_WEAK_MAX; i++) {
        flash.plans[0] = (struct moult_sim_plan){
            .fault = MOULT_SIM_CUT_WEAK, .at = flash.operation_count + 1, .seed = i};
        uint32_t at = DATA_AT + i % 4 * 4096;
        memset(bits + at, 0, 4096);
        check_equal(moult_sim_flash_erase(&flash, at), MOULT_E_IO);
        moult_sim_flash_power_on(&flash);
        check(flash.weak_count <= MOULT_SIM_WEAK_MAX);
    }
}

static void test_defects_stay_whatever_is_done(void)
{
    static const struct {
        const char *name;
        enum moult_sim_defect_kind kind;
        enum moult_status erase, program, read;
        uint8_t found; /* where 0xff was, after erase and program of 0x3c */
    } rows[] = {
        {"none", MOULT_SIM_DEFECT_NONE, MOULT_OK, MOULT_OK, MOULT_OK, 0x3c},
        {"stuck bits", MOULT_SIM_STUCK_BITS, MOULT_OK, MOULT_OK, MOULT_OK, 0x38},
        {"bad erase", MOULT_SIM_BAD_ERASE, MOULT_E_IO, MOULT_OK, MOULT_OK, 0x3c},
        {"bad program", MOULT_SIM_BAD_PROGRAM, MOULT_OK, MOULT_E_IO, MOULT_OK, 0xff},
        {"bad read", MOULT_SIM_BAD_READ, MOULT_OK, MOULT_OK, MOULT_E_IO, 0x3c},
        {"dead erase", MOULT_SIM_DEAD_ERASE, MOULT_OK, MOULT_OK, MOULT_OK, 0x3c},
        {"dead program", MOULT_SIM_DEAD_PROGRAM, MOULT_OK, MOULT_OK, MOULT_OK, 0xff},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        fresh();
        const uint8_t data = 0x3c;
        uint8_t found = 0;
        flash.defects[3] = (struct moult_sim_defect){rows[i].kind, DATA_AT + 9, 0x04};
        check_equal(moult_sim_flash_erase(&flash, DATA_AT), rows[i].erase);
        check_equal(moult_sim_flash_program(&flash, DATA_AT + 9, &data, 1),
                    rows[i].program);
        check_equal(moult_sim_flash_read(&flash, DATA_AT + 9, &found, 1), rows[i].read);
        if (rows[i].read == MOULT_OK) { check_equal(found, rows[i].found); }
        check_equal(moult_sim_flash_erase(&flash, DATA_AT + 4096), MOULT_OK);
        check_equal(moult_sim_flash_read(&flash, DATA_AT + 4096, &found, 1), MOULT_OK);
        check(!panic_text && !flash.is_off);
    }
    check_row(NULL);
}

/* Its driver cannot know: it gets what the cells give, old AND new, and no panic. */
static void test_programming_what_only_claimed_to_be_erased_is_no_panic(void)
{
    fresh();
    const uint8_t first = 0xf0, second = 0x3c;
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &first, 1), MOULT_OK);
    flash.plans[0] = (struct moult_sim_plan){.fault = MOULT_SIM_NOOP, .at = 2};
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &second, 1), MOULT_OK);
    check_equal(bits[DATA_AT], 0x30);
    check(!panic_text);
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &first, 1), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &second, 1), MOULT_E_INTERNAL);
    check(panic_text != NULL); /* that erase was a true one */
}

static void test_plans_wait_for_their_turn_through_resets(void)
{
    fresh();
    const uint8_t zero = 0;
    flash.plans[7] = (struct moult_sim_plan){.fault = MOULT_SIM_CUT_BEFORE, .at = 1};
    flash.plans[0] = (struct moult_sim_plan){.fault = MOULT_SIM_CUT_AFTER, .at = 2};
    flash.plans[3] = (struct moult_sim_plan){.fault = MOULT_SIM_FAIL, .at = 4, .count = 2};
    static const enum moult_status expected[] = {MOULT_E_IO, MOULT_E_IO, MOULT_OK,
                                                 MOULT_E_IO, MOULT_E_IO, MOULT_OK};
    for (uint32_t i = 0; i < 6; i++) {
        check_equal(moult_sim_flash_program(&flash, DATA_AT + i, &zero, 1), expected[i]);
        check_equal(flash.is_off, i < 2);
        moult_sim_flash_power_on(&flash);
    }
    check_equal(lost_count, 2);
    check_bytes(bits + DATA_AT, "\xff\0\0\xff\xff\0", 6);
}

static void test_a_read_fails_by_its_own_number(void)
{
    fresh();
    flash.plans[0] = (struct moult_sim_plan){.fault = MOULT_SIM_READ_FAIL, .at = 2};
    uint8_t byte = 0;
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &byte, 1), MOULT_OK);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &byte, 1), MOULT_OK);
    check_equal(moult_sim_flash_read(&flash, DATA_AT, &byte, 1), MOULT_OK);
    check_equal(moult_sim_flash_read(&flash, DATA_AT, &byte, 1), MOULT_E_IO);
    check_equal(moult_sim_flash_read(&flash, DATA_AT, &byte, 1), MOULT_OK);
}

static void test_every_operation_takes_its_time(void)
{
    fresh();
    uint8_t data[600] = {0};
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_OK);
    check_equal(flash.busy_us, 45000);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, data, sizeof data), MOULT_OK);
    check_equal(flash.busy_us, 45000 + 3 * 800);
    check_equal(moult_sim_flash_read(&flash, DATA_AT, data, sizeof data), MOULT_OK);
    check_equal(flash.busy_us, 45000 + 3 * 800 + 20 + 60);
    flash.timing = moult_sim_timing_worst;
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_OK);
    check_equal(flash.busy_us, 45000 + 3 * 800 + 20 + 60 + 400000);
}

static void test_a_flash_without_power_does_nothing_until_power_returns(void)
{
    check_equal(program_struck(MOULT_SIM_CUT_BEFORE, 0), MOULT_E_IO);
    uint8_t byte = 0;
    check_equal(moult_sim_flash_read(&flash, DATA_AT, &byte, 1), MOULT_E_IO);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &byte, 1), MOULT_E_IO);
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_E_IO);
    check_equal(flash.operation_count, 1);
    check(moult_bytes_all(bits, sizeof bits, 0xff));
    moult_sim_flash_power_on(&flash);
    check_equal(moult_sim_flash_program(&flash, DATA_AT, &byte, 1), MOULT_OK);
}

static void test_erases_are_counted_by_sector(void)
{
    fresh();
    uint16_t wear[FLASH_SIZE / MOULT_SIM_SECTOR_SIZE] = {0};
    flash.erase_count = wear;
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_OK);
    check_equal(moult_sim_flash_erase(&flash, DATA_AT), MOULT_OK);
    check_equal(moult_sim_flash_erase(&flash, DATA_AT + 0x1000), MOULT_OK);
    check_equal(wear[2], 2);
    check_equal(wear[3], 1);
}

static void test_a_bit_at_rest_can_flip(void)
{
    fresh();
    check_equal(moult_sim_flash_flip(&flash, 5, 3), MOULT_OK);
    check_equal(bits[5], 0xf7);
    check_equal(flash.operation_count, 0);
}

static void test_a_file_is_created_locked_and_read_back(void)
{
    char path[64];
    snprintf(path, sizeof path, "flash_test.%ld.flash", (long)getpid());
    struct moult_sim_storage first, second;
    check_equal(moult_sim_storage_open(&first, path, MOULT_SIM_OPEN_RUN, 0), MOULT_E_NOENT);
    check_equal(moult_sim_storage_open(&first, path, MOULT_SIM_OPEN_CREATE, FLASH_SIZE),
                MOULT_OK);
    check_equal(moult_sim_storage_open(&second, path, MOULT_SIM_OPEN_CREATE, FLASH_SIZE),
                MOULT_E_EXISTS);
    check_equal(moult_sim_storage_open(&second, path, MOULT_SIM_OPEN_RUN, 0), MOULT_E_BUSY);

    struct moult_sim_flash on_file;
    moult_sim_flash_init(&on_file, &first, FLASH_SIZE);
    check_equal(moult_sim_flash_allow(&on_file, 0, FLASH_SIZE, false), MOULT_OK);
    check_equal(moult_sim_flash_program(&on_file, 5000, (const uint8_t *)"bits", 4),
                MOULT_OK);

    check_equal(moult_sim_storage_open(&second, path, MOULT_SIM_OPEN_READ, FLASH_SIZE),
                MOULT_OK);
    moult_sim_flash_init(&on_file, &second, FLASH_SIZE);
    uint8_t found[6];
    check_equal(moult_sim_flash_read(&on_file, 4999, found, 6), MOULT_OK);
    check_bytes(found,
                "\xff"
                "bits\xff",
                6);
    check_equal(moult_sim_storage_write(&second, 0, found, 6), MOULT_E_IO); /* read only */
    moult_sim_storage_close(&second);
    moult_sim_storage_close(&first);
    check_equal(moult_sim_storage_open(&second, path, MOULT_SIM_OPEN_RUN, 1),
                MOULT_E_FORMAT);
    check_equal(moult_sim_storage_open(&second, path, MOULT_SIM_OPEN_RUN, FLASH_SIZE),
                MOULT_OK);
    moult_sim_storage_close(&second);
    unlink(path);
}

int main(void)
{
    check_run(test_program_keeps_old_and_new);
    check_run(test_setting_a_bit_without_erase_panics);
    check_run(test_program_is_counted_by_page);
    check_run(test_impossible_accesses_panic);
    check_run(test_encrypted_units_are_written_once_and_whole);
    check_run(test_encrypted_bytes_are_read_back_as_they_were_written);
    check_run(test_erased_flash_decrypts_to_noise);
    check_run(test_one_wrong_bit_spoils_its_whole_unit_and_no_other);
    check_run(test_rules_of_encrypted_writes);
    check_run(test_allow_wants_whole_sectors_and_has_a_limit);
    check_run(test_faults_of_a_program);
    check_run(test_mixed_program_clears_some_bits_and_sets_none);
    check_run(test_faults_of_an_erase);
    check_run(test_mixed_erase_sets_some_bits_and_clears_none);
    check_run(test_weak_bits_read_differently_each_time_and_the_same_in_each_run);
    check_run(test_a_weak_bit_that_is_programmed_is_strong);
    check_run(test_the_oldest_weak_bits_settle_when_there_are_too_many);
    check_run(test_defects_stay_whatever_is_done);
    check_run(test_programming_what_only_claimed_to_be_erased_is_no_panic);
    check_run(test_plans_wait_for_their_turn_through_resets);
    check_run(test_a_read_fails_by_its_own_number);
    check_run(test_every_operation_takes_its_time);
    check_run(test_a_flash_without_power_does_nothing_until_power_returns);
    check_run(test_erases_are_counted_by_sector);
    check_run(test_a_bit_at_rest_can_flip);
    check_run(test_a_file_is_created_locked_and_read_back);
    return check_report();
}
