/* store_faults_test.c - device/src/: the key-value store goes wrong in the field (F14), in
 * every state of an update: partition erased, one page rotted, each key of the engine torn,
 * no room left.
 *
 * Then the power is cut. Whatever is lost, the device runs the old image or the new one,
 * never writes where it runs (the flash would panic), and comes to rest; where the store
 * is well again it ends on the new image.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/codes.h"
#include "ports/sim/nvs_fault.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static const char *const states[] = {"CHECKIN", "RELEASE", "PREPARE", "FETCH", "PROGRAM",
                                     "CLEAN",   "VERIFY",  "IMAGE",   "GATE",  "ARM",
                                     "SWITCH",  "CONFIRM", "IDLE"};
enum { STATES = sizeof states / sizeof states[0], KEYS_MAX = 24, STEPS_FULL = 2000 };

static void must(bool claim)
{
    if (!claim) { abort(); }
}

static bool is_one_of_ours(void)
{
    return w.foreign_boots == 0 && (world_runs(&w, &w.old) || world_runs(&w, &w.new));
}

/* Up to the state; false: this update never comes there. */
static bool run_to(unsigned state)
{
    world_copy(&w, &fresh);
    return world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, states[state]);
}

/* After the damage: cut, boot, come to rest. */
static bool comes_to_rest(void)
{
    (void)moult_sim_flash_power_off(&w.device.chip.flash); /* it returns what I caused */
    return world_boot(&w, MOULT_RESET_POWER_ON) && world_settle(&w) && is_one_of_ours();
}

/* The operator asks again, and means it. */
static void ask_again(char number)
{
    world_deployment(&w, number);
    w.action = MOULT_ACTION_INSTALL;
    w.policy_keys = 1u << MOULT_POLICY_LIFT_BLOCK;
    w.policy = (struct moult_policy){.lift_block = 1};
}

/* At once, or when it is asked again: what had been stored may be gone. */
static bool ends_on_the_new_image(const char *what, unsigned state, unsigned detail)
{
    bool ends = comes_to_rest();
    if (ends && !world_runs(&w, &w.new)) {
        ask_again('2');
        ends = world_settle(&w) && is_one_of_ours() && world_runs(&w, &w.new);
    }
    if (!ends) { printf("  %s %u at %s\n", what, detail, states[state]); }
    return ends;
}

static void test_the_partition_is_erased(void)
{
    for (unsigned state = 0; state < STATES; state++) {
        check(run_to(state));
        must(moult_sim_nvs_wipe(&w.device.port.nvs) == MOULT_OK);
        check(ends_on_the_new_image("erased", state, 0));
    }
}

static void test_one_page_rots(void)
{
    for (unsigned state = 0; state < STATES; state++) {
        for (uint32_t page = 0; page < 3; page++) {
            check(run_to(state));
            must(moult_sim_nvs_rot(&w.device.port.nvs, page, state) == MOULT_OK);
            check(ends_on_the_new_image("rotted page", state, page));
        }
    }
}

/* Whatever keys there are then, one after the other. */
static unsigned keys_now(char keys[KEYS_MAX][MOULT_SIM_NVS_KEY_MAX + 1])
{
    struct moult_sim_nvs_cursor cursor = {0};
    struct moult_sim_nvs_record record;
    unsigned count = 0;
    while (moult_sim_nvs_next(&w.device.port.nvs, &cursor, &record) == MOULT_OK) {
        must(count < KEYS_MAX);
        memcpy(keys[count++], record.key, sizeof record.key);
    }
    return count;
}

/* States from which a boot activates the slot without asking the server again. */
static bool is_armed(unsigned state)
{
    return strcmp(states[state], "SWITCH") == 0 || strcmp(states[state], "CONFIRM") == 0;
}

static void test_one_key_is_torn(void)
{
    unsigned torn = 0;
    for (unsigned state = 0; state < STATES; state++) {
        char keys[KEYS_MAX][MOULT_SIM_NVS_KEY_MAX + 1];
        check(run_to(state));
        unsigned count = keys_now(keys);
        for (unsigned i = 0; i < count; i++) {
            check(run_to(state));
            enum moult_status st = moult_sim_nvs_tear(
                &w.device.port.nvs, MOULT_SIM_SPACE_ENGINE, keys[i], i * 7 + state);
            check(st == MOULT_OK || st == MOULT_E_NOENT);
            torn += st == MOULT_OK;
            check(ends_on_the_new_image(keys[i], state, i));
            /* While the server is asked, the statement is fetched and stored again. */
            bool is_lost = world_report_with(&w, MOULT_D_RECHECK) != NULL;
            check(!is_lost || is_armed(state));
        }
    }
    printf("  %u torn keys\n", torn);
    check(torn > 2 * STATES);
}

static void test_there_is_no_room_left_and_then_there_is(void)
{
    for (unsigned state = 0; state < STATES; state++) {
        check(run_to(state));
        must(moult_sim_nvs_fill(&w.device.port.nvs, MOULT_SIM_SPACE_APP) == MOULT_OK);
        (void)moult_sim_flash_power_off(&w.device.chip.flash); /* as above */
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        for (unsigned i = 0; i < STEPS_FULL; i++) {
            check(world_step(&w)); /* it cannot even note what it may not repeat */
        }
        check(is_one_of_ours());
        must(moult_sim_nvs_unfill(&w.device.port.nvs, MOULT_SIM_SPACE_APP) == MOULT_OK);
        ask_again('3');
        check(ends_on_the_new_image("was full", state, 0));
    }
}

int main(void)
{
    world_make(&fresh);
    check_run(test_the_partition_is_erased);
    check_run(test_one_page_rots);
    check_run(test_one_key_is_torn);
    check_run(test_there_is_no_room_left_and_then_there_is);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
