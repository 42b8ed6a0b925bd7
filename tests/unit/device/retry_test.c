/* retry_test.c - what a device does about each reason, and that no failure is tried for
 * ever. */
#include <string.h>
#include "device/src/contact.h"
#include "device/src/journal.h"
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static void begin(void)
{
    world_copy(&w, &fresh);
}

/* --- the table --- */

/* Every reason with the advice of the design, written down apart from api/codes.tsv. */
static const struct {
    uint16_t reason;
    enum moult_advice advice;
} advices[] = {
    {MOULT_R_PRE_BUSY, MOULT_ADVICE_BACKOFF_15_MIN},
    {MOULT_R_PRE_BATTERY_LOW, MOULT_ADVICE_BACKOFF_1_H},
    {MOULT_R_PRE_LINK_POOR, MOULT_ADVICE_BACKOFF},
    {MOULT_R_PRE_USER_DEFERRED, MOULT_ADVICE_LATER},
    {MOULT_R_PRE_USER_DECLINED, MOULT_ADVICE_OPERATOR},
    {MOULT_R_PRE_WINDOW_CLOSED, MOULT_ADVICE_LATER},
    {MOULT_R_PRE_HW_MISMATCH, MOULT_ADVICE_NEVER},
    {MOULT_R_PRE_PRODUCT_MISMATCH, MOULT_ADVICE_NEVER},
    {MOULT_R_PRE_NO_SPACE, MOULT_ADVICE_NEVER},
    {MOULT_R_PRE_BASE_MISMATCH, MOULT_ADVICE_SOURCE},
    {MOULT_R_PRE_DEPENDENCY, MOULT_ADVICE_OPERATOR},
    {MOULT_R_PRE_PENDING_VERIFY, MOULT_ADVICE_BACKOFF},
    {MOULT_R_PRE_POISONED, MOULT_ADVICE_OPERATOR},
    {MOULT_R_META_SIGNATURE, MOULT_ADVICE_NEVER},
    {MOULT_R_META_EXPIRED, MOULT_ADVICE_BACKOFF},
    {MOULT_R_META_REPLAY, MOULT_ADVICE_NEVER},
    {MOULT_R_META_FLOOR, MOULT_ADVICE_NEVER},
    {MOULT_R_META_MALFORMED, MOULT_ADVICE_NEVER},
    {MOULT_R_META_KEYSET, MOULT_ADVICE_ONCE},
    {MOULT_R_META_WRONG_DEVICE, MOULT_ADVICE_NEVER},
    {MOULT_R_NET_DNS, MOULT_ADVICE_BACKOFF},
    {MOULT_R_NET_CONNECT, MOULT_ADVICE_BACKOFF},
    {MOULT_R_NET_TLS_HANDSHAKE, MOULT_ADVICE_BACKOFF},
    {MOULT_R_NET_TLS_CERT, MOULT_ADVICE_BACKOFF},
    {MOULT_R_NET_STALL, MOULT_ADVICE_BACKOFF},
    {MOULT_R_NET_RESET, MOULT_ADVICE_BACKOFF},
    {MOULT_R_HTTP_STATUS, MOULT_ADVICE_BACKOFF_4XX},
    {MOULT_R_HTTP_RANGE_IGNORED, MOULT_ADVICE_ONCE},
    {MOULT_R_HTTP_LENGTH, MOULT_ADVICE_NEVER},
    {MOULT_R_NET_BUDGET, MOULT_ADVICE_LATER},
    {MOULT_R_CLOCK_INVALID, MOULT_ADVICE_BACKOFF},
    {MOULT_R_DEC_MEMORY, MOULT_ADVICE_ONCE},
    {MOULT_R_DEC_COMPRESSION, MOULT_ADVICE_SOURCE},
    {MOULT_R_DEC_DELTA, MOULT_ADVICE_SOURCE},
    {MOULT_R_DEC_DECRYPT, MOULT_ADVICE_NEVER},
    {MOULT_R_DEC_OVERRUN, MOULT_ADVICE_NEVER},
    {MOULT_R_FLASH_ERASE, MOULT_ADVICE_BACKOFF},
    {MOULT_R_FLASH_WRITE, MOULT_ADVICE_BACKOFF},
    {MOULT_R_FLASH_READBACK, MOULT_ADVICE_BACKOFF},
    {MOULT_R_FLASH_PROTECTED, MOULT_ADVICE_NEVER},
    {MOULT_R_POWER_LOSS, MOULT_ADVICE_BACKOFF_1_H},
    {MOULT_R_JOURNAL_FULL, MOULT_ADVICE_OPERATOR},
    {MOULT_R_IMG_DIGEST, MOULT_ADVICE_SOURCE},
    {MOULT_R_IMG_HEADER, MOULT_ADVICE_NEVER},
    {MOULT_R_IMG_SECURE_BOOT, MOULT_ADVICE_NEVER},
    {MOULT_R_IMG_FLOOR, MOULT_ADVICE_NEVER},
    {MOULT_R_BOOT_SET_FAILED, MOULT_ADVICE_BACKOFF},
    {MOULT_R_BOOT_NOT_SWITCHED, MOULT_ADVICE_ONCE},
    {MOULT_R_BOOT_REFUSED, MOULT_ADVICE_NEVER},
    {MOULT_R_TRIAL_PANIC, MOULT_ADVICE_ONCE},
    {MOULT_R_TRIAL_WATCHDOG, MOULT_ADVICE_ONCE},
    {MOULT_R_TRIAL_BROWNOUT, MOULT_ADVICE_BACKOFF_1_H},
    {MOULT_R_TRIAL_NO_NETWORK, MOULT_ADVICE_ONCE},
    {MOULT_R_TRIAL_NO_SERVER, MOULT_ADVICE_ONCE},
    {MOULT_R_TRIAL_SELFTEST, MOULT_ADVICE_NEVER},
    {MOULT_R_TRIAL_TIMEOUT, MOULT_ADVICE_ONCE},
    {MOULT_R_TRIAL_CRASH_LOOP, MOULT_ADVICE_NEVER},
    {MOULT_R_TRIAL_HEALTH, MOULT_ADVICE_NEVER},
    {MOULT_R_TRIAL_MANUAL, MOULT_ADVICE_OPERATOR},
    {MOULT_R_CONFIRM_FAILED, MOULT_ADVICE_ONCE},
    {MOULT_R_SRV_SILENT, MOULT_ADVICE_OPERATOR},
    {MOULT_R_SRV_STALLED, MOULT_ADVICE_BACKOFF},
    {MOULT_R_SRV_VERSION_MISMATCH, MOULT_ADVICE_OPERATOR},
    {MOULT_R_SRV_EXPIRED, MOULT_ADVICE_NONE},
    {MOULT_R_SRV_SUPERSEDED, MOULT_ADVICE_NONE},
    {MOULT_R_SRV_CANCELLED, MOULT_ADVICE_NONE},
    {MOULT_R_SRV_LEFT_TARGET, MOULT_ADVICE_NONE},
    {MOULT_R_SRV_NO_PATH, MOULT_ADVICE_OPERATOR},
    {MOULT_R_SRV_ARTIFACT_MISSING, MOULT_ADVICE_BACKOFF},
    {MOULT_R_SRV_DEVICE_LOST, MOULT_ADVICE_NONE},
    {MOULT_R_SRV_UPDATE_LOOP, MOULT_ADVICE_NEVER},
    {MOULT_R_UNKNOWN, MOULT_ADVICE_ONCE},
};
enum { ADVICES = sizeof advices / sizeof advices[0] };

static void test_every_reason_has_the_advice_of_the_design(void)
{
    size_t count;
    const struct moult_code_info *table = moult_reason_table(&count);
    check_equal(count, ADVICES);
    for (size_t i = 0; i < count; i++) {
        check_row(table[i].name);
        check_equal(table[i].code, advices[i].reason);
        check_equal(moult_reason_advice(table[i].code), advices[i].advice);
    }
    check_row(NULL);
    check_equal(moult_reason_advice(0), MOULT_ADVICE_NONE);
    check_equal(moult_reason_advice(114), MOULT_ADVICE_NONE);
    check_equal(moult_reason_advice(199), MOULT_ADVICE_NONE);
    check_equal(moult_reason_advice(998), MOULT_ADVICE_NONE);
    check_equal(moult_reason_advice(UINT16_MAX), MOULT_ADVICE_NONE);
}

/* The same request again is for back-offs; nothing else is asked for a second time. */
static void test_the_same_request_is_made_again_for_back_offs_only(void)
{
    begin();
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    for (size_t i = 0; i < ADVICES; i++) {
        enum moult_advice advice = advices[i].advice;
        bool is_backoff = advice == MOULT_ADVICE_BACKOFF ||
                          advice == MOULT_ADVICE_BACKOFF_15_MIN ||
                          advice == MOULT_ADVICE_BACKOFF_1_H;
        w.session.trouble = (struct moult_trouble){MOULT_D_NET, advices[i].reason, 404};
        check_row(moult_reason_info(advices[i].reason)->name);
        check_equal(moult_is_transient(&w.session), is_backoff);
    }
    check_row(NULL);
    static const struct {
        int32_t status;
        bool is_transient;
    } rows[] = {{301, false}, {400, false}, {404, false}, {408, true},
                {409, false}, {416, false}, {429, true},  {499, false},
                {500, true},  {503, true},  {0, true},    {-1, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        w.session.trouble =
            (struct moult_trouble){MOULT_D_HTTP, MOULT_R_HTTP_STATUS, rows[i].status};
        check_equal(moult_is_transient(&w.session), rows[i].is_transient);
    }
}

/* --- trials that are cut off --- */

static bool power_fails_on_trial(void)
{
    for (unsigned i = 0; i < WORLD_STEPS_MAX; i++) {
        if (moult_on_trial(&w.session)) { return world_boot(&w, MOULT_RESET_POWER_ON); }
        if (!world_step(&w)) { return false; }
    }
    return false;
}

static void test_power_cuts_without_bootloader_rollback_are_no_crash(void)
{
    begin();
    w.device.build.has_rollback = false;
    w.health[2] = MOULT_HEALTH_WAIT;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    for (unsigned i = 0; i < 3; i++) {
        check(power_fails_on_trial());
    }
    check(world_settle(&w));
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    check(report && report->detail == MOULT_D_POWER_REVERT);
    check_equal(report->reason, MOULT_R_POWER_LOSS);
    check(world_runs(&w, &w.old));
    check_equal(w.session.blocks[0].failures, 0); /* not the image's fault */
}

static void test_a_crash_without_bootloader_rollback_is_one(void)
{
    begin();
    w.device.build.has_rollback = false;
    w.health[2] = MOULT_HEALTH_WAIT;
    w.crash_sequence = 2;
    w.crash_reset = MOULT_RESET_TASK_WATCHDOG;
    w.crash_after = 2;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    check(report && report->detail == MOULT_D_REVERTED);
    check_equal(report->reason, MOULT_R_TRIAL_WATCHDOG);
    check(world_runs(&w, &w.old));
    check_equal(w.session.blocks[0].failures, 1);
}

static void test_the_second_crash_is_a_loop_and_the_last(void)
{
    for (unsigned has_rollback = 0; has_rollback < 2; has_rollback++) {
        begin();
        w.device.build.has_rollback = has_rollback;
        w.health[2] = MOULT_HEALTH_WAIT;
        w.crash_sequence = 2;
        w.crash_after = 2;
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        check(world_settle(&w));
        check_equal(world_report_of(&w, MOULT_REPORT_ROLLED_BACK)->reason,
                    MOULT_R_TRIAL_PANIC);
        world_deployment(&w, '2');
        w.action = MOULT_ACTION_INSTALL;
        check(world_settle(&w));
        const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
        check_equal(report->reason, MOULT_R_TRIAL_CRASH_LOOP);
        check_equal(report->reset, has_rollback ? MOULT_RESET_PANIC : MOULT_RESET_SOFTWARE);
        uint64_t bytes = w.artifact_bytes;
        world_deployment(&w, '3');
        w.action = MOULT_ACTION_INSTALL;
        check(world_hears(&w, MOULT_D_BLOCKED));
        check_equal(w.artifact_bytes, bytes);
    }
}

/* --- a transfer that never gets further --- */

/* To the first byte of the transfer, then a reset. */
static bool resets_in_transfer(uint8_t reset)
{
    return world_until(&w, "RECEIVE") && world_boot(&w, reset);
}

static void test_resets_that_gain_nothing_are_bounded(void)
{
    static const uint8_t resets[] = {MOULT_RESET_POWER_ON, MOULT_RESET_BROWNOUT,
                                     MOULT_RESET_TASK_WATCHDOG, MOULT_RESET_PANIC};
    for (size_t r = 0; r < sizeof resets; r++) {
        begin();
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        for (unsigned i = 0; i < 8; i++) {
            check(resets_in_transfer(resets[r]));
        }
        check(world_settle(&w));
        const struct world_report *report = world_report_of(&w, MOULT_REPORT_FAILED);
        check(report && report->reason == MOULT_R_POWER_LOSS);
        check_equal(report->reset, resets[r]);
        check_equal(world_count(&w, MOULT_REPORT_FAILED), 1);
        check_equal(w.session.plan.stage, MOULT_STAGE_NONE);
        check(world_runs(&w, &w.old));
        world_deployment(&w, '2'); /* after its back-off the server tries again */
        w.action = MOULT_ACTION_INSTALL;
        check(world_settle(&w));
        check(world_runs(&w, &w.new));
    }
}

static void test_progress_forgives_resets(void)
{
    begin();
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    for (unsigned i = 0; i < 7; i++) {
        check(resets_in_transfer(MOULT_RESET_POWER_ON));
    }
    check(world_until(&w, "RECORD"));
    check(world_step(&w)); /* a sector is there */
    for (unsigned i = 0; i < 7; i++) {
        check(resets_in_transfer(MOULT_RESET_POWER_ON));
    }
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 0);
}

static void test_resets_in_the_transfer_take_no_trial_away(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_WAIT;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    for (unsigned i = 0; i < 4; i++) {
        check(resets_in_transfer(MOULT_RESET_POWER_ON));
    }
    check(power_fails_on_trial()); /* of which three are allowed */
    w.health[2] = MOULT_HEALTH_OK;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

static void test_resets_on_purpose_do_not_count(void)
{
    begin();
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    for (unsigned i = 0; i < 20; i++) {
        check(resets_in_transfer(i % 2 ? MOULT_RESET_DEEP_SLEEP : MOULT_RESET_SOFTWARE));
    }
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

int main(void)
{
    world_make(&fresh);
    check_run(test_every_reason_has_the_advice_of_the_design);
    check_run(test_the_same_request_is_made_again_for_back_offs_only);
    check_run(test_power_cuts_without_bootloader_rollback_are_no_crash);
    check_run(test_a_crash_without_bootloader_rollback_is_one);
    check_run(test_the_second_crash_is_a_loop_and_the_last);
    check_run(test_resets_that_gain_nothing_are_bounded);
    check_run(test_progress_forgives_resets);
    check_run(test_resets_in_the_transfer_take_no_trial_away);
    check_run(test_resets_on_purpose_do_not_count);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
