/* boot_test.c - device/src/boot.c: the table of docs/design/device-session.md, row by row.
 * */
#include "device/src/boot.h"
#include <stdio.h>
#include "tests/support/check.h"

enum { NO = 0, YES = 1, ANY = 2 };

/* The first row that fits decides. */
static const struct {
    uint8_t stage_min, stage_max;
    uint8_t is_target, is_digest, is_selected, selects_target, was_started, was_crash;
    enum moult_boot_class class;
} table[] = {
    /* stage            target digest selected sel.target started crash */
    {MOULT_STAGE_NONE, MOULT_STAGE_NONE, ANY, ANY, ANY, ANY, ANY, ANY, MOULT_BOOT_PLAIN},
    {MOULT_STAGE_TRANSFER, MOULT_STAGE_VERIFIED, NO, ANY, ANY, ANY, ANY, ANY,
     MOULT_BOOT_PLAIN},
    {MOULT_STAGE_TRANSFER, MOULT_STAGE_VERIFIED, YES, ANY, ANY, ANY, ANY, ANY,
     MOULT_BOOT_FOREIGN},
    /* the plan's slot runs */
    {MOULT_STAGE_ARMED, MOULT_STAGE_FAILED, YES, NO, ANY, ANY, ANY, ANY,
     MOULT_BOOT_FOREIGN},
    {MOULT_STAGE_ARMED, MOULT_STAGE_FAILED, YES, YES, NO, ANY, ANY, ANY,
     MOULT_BOOT_FALLBACK},
    {MOULT_STAGE_ARMED, MOULT_STAGE_ARMED, YES, YES, YES, ANY, ANY, ANY, MOULT_BOOT_TRIAL},
    {MOULT_STAGE_TRIAL, MOULT_STAGE_TRIAL, YES, YES, YES, ANY, ANY, ANY, MOULT_BOOT_AGAIN},
    {MOULT_STAGE_PASSED, MOULT_STAGE_PASSED, YES, YES, YES, ANY, ANY, ANY,
     MOULT_BOOT_PASSED},
    {MOULT_STAGE_FAILED, MOULT_STAGE_FAILED, YES, YES, YES, ANY, ANY, ANY,
     MOULT_BOOT_CONDEMNED},
    /* the old image runs */
    {MOULT_STAGE_FAILED, MOULT_STAGE_FAILED, NO, ANY, ANY, ANY, ANY, ANY,
     MOULT_BOOT_ROLLED_BACK},
    {MOULT_STAGE_ARMED, MOULT_STAGE_PASSED, NO, ANY, ANY, YES, ANY, ANY,
     MOULT_BOOT_REFUSED},
    {MOULT_STAGE_PASSED, MOULT_STAGE_PASSED, NO, ANY, ANY, NO, ANY, ANY, MOULT_BOOT_LOST},
    {MOULT_STAGE_ARMED, MOULT_STAGE_ARMED, NO, ANY, ANY, NO, NO, ANY, MOULT_BOOT_LOST},
    {MOULT_STAGE_ARMED, MOULT_STAGE_TRIAL, NO, ANY, ANY, NO, ANY, YES, MOULT_BOOT_CRASHED},
    {MOULT_STAGE_ARMED, MOULT_STAGE_TRIAL, NO, ANY, ANY, NO, ANY, NO, MOULT_BOOT_POWER_CUT},
};
enum { ROWS = sizeof table / sizeof table[0] };

static bool fits(uint8_t wanted, bool found)
{
    return wanted == ANY || wanted == (uint8_t)found;
}

static int row_of(const struct moult_boot_facts *f)
{
    for (int i = 0; i < ROWS; i++) {
        if (f->stage >= table[i].stage_min && f->stage <= table[i].stage_max &&
            fits(table[i].is_target, f->is_target) &&
            fits(table[i].is_digest, f->is_digest) &&
            fits(table[i].is_selected, f->is_selected) &&
            fits(table[i].selects_target, f->selects_target) &&
            fits(table[i].was_started, f->was_started) &&
            fits(table[i].was_crash, f->was_crash)) {
            return i;
        }
    }
    return -1;
}

static void test_every_combination_is_classified_as_the_table_says(void)
{
    bool used[ROWS] = {false};
    for (unsigned n = 0; n < (MOULT_STAGE_FAILED + 1) * 64; n++) {
        struct moult_boot_facts f = {
            .stage = (uint8_t)(n / 64),
            .is_target = n & 1,
            .is_digest = n >> 1 & 1,
            .is_selected = n >> 2 & 1,
            .selects_target = n >> 3 & 1,
            .was_started = n >> 4 & 1,
            .was_crash = n >> 5 & 1,
        };
        int row = row_of(&f);
        check(row >= 0);
        check_equal(moult_boot_classify(&f), table[row].class);
        used[row] = true;
    }
    for (int i = 0; i < ROWS; i++) {
        check(used[i]);
    }
}

static void test_only_the_firmware_s_own_resets_are_crashes(void)
{
    static const uint8_t crashes[] = {MOULT_RESET_SOFTWARE,     MOULT_RESET_PANIC,
                                      MOULT_RESET_INT_WATCHDOG, MOULT_RESET_TASK_WATCHDOG,
                                      MOULT_RESET_WATCHDOG,     MOULT_RESET_CPU_LOCKUP};
    unsigned count = 0;
    for (unsigned reset = 0; reset < 256; reset++) {
        count += moult_reset_is_crash((uint8_t)reset);
    }
    check_equal(count, sizeof crashes);
    for (unsigned i = 0; i < sizeof crashes; i++) {
        check(moult_reset_is_crash(crashes[i]));
    }
}

int main(void)
{
    check_run(test_every_combination_is_classified_as_the_table_says);
    check_run(test_only_the_firmware_s_own_resets_are_crashes);
    return check_report();
}
