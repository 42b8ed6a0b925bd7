/* retry_test.c - every reason of the table has a class, an end to its retries, and a
 * wait. */
#include <string.h>
#include "formats/codes.h"
#include "server/rollout/retry.h"
#include "tests/support/check.h"

static const struct retry_limits limits = {60000, 86400000};

/* How many attempts an assignment makes that always fails with this reason. */
static unsigned attempts_of(uint16_t reason, uint32_t jitter)
{
    struct retry_tries tries = {{0}, 0};
    int64_t wait_ms = 0;
    for (unsigned attempts = 1; attempts < 100; attempts++) {
        tries.by_class[failure_class_of(reason)]++;
        tries.same_reason++;
        if (!retry_allowed(reason, &tries, &limits, jitter, &wait_ms)) { return attempts; }
        if (wait_ms < limits.base_ms / 2 || wait_ms > limits.cap_ms * 3 / 2) { return 0; }
    }
    return 100;
}

static void test_attempts_by_reason(void)
{
    static const struct {
        const char *name;
        uint16_t reason;
        unsigned attempts;
    } rows[] = {
        {"self-test", MOULT_R_TRIAL_SELFTEST, 1},
        {"crash loop", MOULT_R_TRIAL_CRASH_LOOP, 1},
        {"panic", MOULT_R_TRIAL_PANIC, 2},
        {"not switched", MOULT_R_BOOT_NOT_SWITCHED, 2},
        {"signature", MOULT_R_META_SIGNATURE, 1},
        {"reset by peer", MOULT_R_NET_RESET, 8},
        {"stalled", MOULT_R_SRV_STALLED, 8},
        {"range ignored", MOULT_R_HTTP_RANGE_IGNORED, 2},
        {"flash write", MOULT_R_FLASH_WRITE, 3},
        {"image digest", MOULT_R_IMG_DIGEST, 2},
        {"silent", MOULT_R_SRV_SILENT, 1},
        {"battery", MOULT_R_PRE_BATTERY_LOW, 3},
        {"in use", MOULT_R_PRE_BUSY, 8},
        {"declined", MOULT_R_PRE_USER_DECLINED, 1},
        {"unknown text", MOULT_R_UNKNOWN, 2},
        {"nobody's number", 65535, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        check_equal(attempts_of(rows[i].reason, 0), rows[i].attempts);
    }
    check_row(NULL);
}

static void test_every_reason_ends_whatever_the_jitter(void)
{
    size_t count = 0;
    const struct moult_code_info *table = moult_reason_table(&count);
    check(count > 60);
    for (size_t i = 0; i < count; i++) {
        check_row(table[i].name);
        for (uint32_t jitter = 0; jitter < 4000; jitter += 499) {
            unsigned attempts = attempts_of(table[i].code, jitter);
            check(attempts >= 1 && attempts <= 8);
        }
        bool is_never = strncmp(table[i].retry, "never", 5) == 0;
        if (is_never) { check_equal(attempts_of(table[i].code, 0), 1); }
    }
    check_row(NULL);
}

static void test_waits_double_up_to_the_cap_within_half(void)
{
    struct retry_tries tries = {{0}, 0};
    int64_t wait_ms = 0;
    tries.same_reason = 1;
    check(retry_allowed(MOULT_R_NET_RESET, &tries, &limits, 0, &wait_ms));
    check_equal(wait_ms, 30000);
    check(retry_allowed(MOULT_R_NET_RESET, &tries, &limits, 1000, &wait_ms));
    check_equal(wait_ms, 90000);
    tries.same_reason = 4;
    check(retry_allowed(MOULT_R_NET_RESET, &tries, &limits, 500, &wait_ms));
    check_equal(wait_ms, 480000);
    tries.same_reason = 200;
    check(retry_allowed(MOULT_R_NET_RESET, &tries, &limits, 500, &wait_ms));
    check_equal(wait_ms, 86400000);
    tries.same_reason = 1;
    check(retry_allowed(MOULT_R_PRE_BATTERY_LOW, &tries, &limits, 500, &wait_ms));
    check_equal(wait_ms, 3600000);
}

static void test_classes_have_names(void)
{
    check_equal(failure_class_of(MOULT_R_META_REPLAY), FAILURE_AUTHENTICITY);
    check_equal(failure_class_of(MOULT_R_SRV_EXPIRED), FAILURE_SERVER);
    check_equal(failure_class_of(0), FAILURE_FIRMWARE);
    for (unsigned i = 0; i < FAILURE_CLASS_COUNT; i++) {
        check(strcmp(failure_class_name((enum failure_class)i), "?") != 0);
    }
}

int main(void)
{
    check_run(test_attempts_by_reason);
    check_run(test_every_reason_ends_whatever_the_jitter);
    check_run(test_waits_double_up_to_the_cap_within_half);
    check_run(test_classes_have_names);
    return check_report();
}
