/* encrypted_test.c - device/src/: a whole update of a chip with flash encryption, cut at
 * every operation.
 *
 * What the flash holds is ciphertext: erased flash decrypts to noise, a unit is written
 * once per erase, a torn one is noise as a whole. Slots and otadata, as on a real chip.
 * MOULT_CUT=N repeats one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static void must(bool claim)
{
    if (!claim) { abort(); }
}

static void load(uint32_t at, const uint8_t *data, uint32_t size)
{
    must(moult_sim_flash_load(&w.device.chip.flash, at, data, size) == MOULT_OK);
}

/* The chip of `fresh` with encryption on, its old image and its empty otadata as a factory
 * leaves them. */
static void begin(void)
{
    struct moult_sim_chip *chip = &w.device.chip;
    struct moult_sim_boot boot;
    world_copy(&w, &fresh);
    must(moult_sim_switch_burn(chip, MOULT_SIM_FLASH_CRYPT) == MOULT_OK);
    /* Nothing boots yet, but the table has been read: the flash knows what is encrypted. */
    must(moult_sim_boot(&boot, chip, &w.device.crypto, &w.device.build, 1, true) ==
         MOULT_E_NOENT);
    load(SIM_SLOT_0_AT, w.old.data, (w.old.size + 15) / 16 * 16);
}

static bool runs(const struct world_image *image)
{
    static uint8_t found[WORLD_IMAGE_MAX];
    uint32_t at = w.device.port.boot.booted == 0 ? SIM_SLOT_0_AT : SIM_SLOT_1_AT;
    return moult_sim_flash_peek(&w.device.chip.flash, at, found, image->size) == MOULT_OK &&
           memcmp(found, image->data, image->size) == 0;
}

static bool boots(void)
{
    return world_boot(&w, MOULT_RESET_POWER_ON) && (runs(&w.old) || runs(&w.new));
}

static bool has_confirmed(void)
{
    return runs(&w.new) && world_count(&w, MOULT_REPORT_CONFIRMED) == 1 &&
           world_count(&w, MOULT_REPORT_FAILED) == 0;
}

static void test_an_update_goes_through(void)
{
    begin();
    check(boots());
    check(world_settle(&w));
    check(has_confirmed());
    check(memcmp(world_slot(&w, 1), w.new.data, w.new.size) != 0); /* it is ciphertext */
}

static bool survives(uint64_t at, enum moult_sim_fault fault)
{
    begin();
    w.device.chip.flash.plans[0] =
        (struct moult_sim_plan){.fault = fault, .at = at, .torn_size = 20, .seed = at};
    bool is_up = world_boot(&w, MOULT_RESET_POWER_ON);
    for (unsigned i = 0; i < 4; i++) {
        if (is_up && !runs(&w.old) && !runs(&w.new)) { return false; }
        if (is_up && world_settle(&w)) { return has_confirmed(); }
        if (!w.device.chip.flash.is_off) { return false; }
        is_up = boots();
    }
    return false;
}

static void test_a_cut_at_any_operation_loses_nothing(void)
{
    static const enum moult_sim_fault faults[] = {MOULT_SIM_CUT_MIXED, MOULT_SIM_CUT_TORN};
    begin();
    check(boots() && world_settle(&w));
    uint64_t count = w.device.chip.flash.operation_count;
    for (uint64_t at = 1; at <= count; at++) {
        for (size_t i = 0; i < 2; i++) {
            bool holds = survives(at, faults[i]);
            if (!holds) {
                printf("  MOULT_CUT=%llu fault %u\n", (unsigned long long)at, faults[i]);
            }
            check(holds);
        }
    }
    printf("  %llu operations, cut in 2 ways each\n", (unsigned long long)count);
}

/* ESP32 writes rows of 32 bytes: nobody may count on half a row. */
static void test_every_write_is_whole_rows(void)
{
    begin();
    w.device.chip.flash.unit_size = MOULT_SIM_ROW_SIZE;
    check(boots());
    check(world_settle(&w));
    check(has_confirmed());
}

int main(void)
{
    world_make(&fresh);
    const char *cut = getenv("MOULT_CUT");
    if (cut) {
        bool holds = survives(strtoull(cut, NULL, 10), MOULT_SIM_CUT_MIXED);
        printf("%s\n", holds ? "holds" : "does not hold");
        return holds ? 0 : 1;
    }
    check_run(test_an_update_goes_through);
    check_run(test_every_write_is_whole_rows);
    check_run(test_a_cut_at_any_operation_loses_nothing);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
