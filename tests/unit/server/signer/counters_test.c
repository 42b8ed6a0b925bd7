/* counters_test.c - server/signer/counters.c */
#include "server/signer/counters.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "tests/support/check.h"

static const struct counters_rate generous = {1000, 6000, 6000};
static const char path[] = "counters_test.bound";

static void id_of(uint64_t number, uint8_t out[16])
{
    memset(out, 0, 16);
    put_le64(out, number * 0x9e3779b97f4a7c15u);
}

static void test_a_counter_is_used_once_and_only_rises(void)
{
    unlink(path);
    struct counters counters;
    uint8_t id[16];
    uint64_t floor = 0;
    id_of(1, id);
    check_equal(counters_open(&counters, path, &generous), MOULT_OK);
    check_equal(counters_take(&counters, id, 100, 1000, &floor), MOULT_OK);
    check_equal(counters_take(&counters, id, 100, 1000, &floor), MOULT_E_REPLAY);
    check_equal(floor, 100);
    check_equal(counters_take(&counters, id, 99, 1000, &floor), MOULT_E_REPLAY);
    check_equal(counters_take(&counters, id, 101, 1000, &floor), MOULT_OK);
    uint8_t other[16];
    id_of(2, other);
    check_equal(counters_take(&counters, other, 5, 1000, &floor), MOULT_OK);
    counters_close(&counters);
}

static void test_nothing_signed_before_a_restart_is_signed_again(void)
{
    unlink(path);
    struct counters counters;
    uint8_t id[16];
    uint64_t floor = 0;
    id_of(1, id);
    check_equal(counters_open(&counters, path, &generous), MOULT_OK);
    for (uint64_t c = 1; c < 3 * COUNTERS_AHEAD; c += 777) {
        check_equal(counters_take(&counters, id, c, c * 100, &floor), MOULT_OK);
        check(counters.stored >= c);
    }
    uint64_t bound = counters.stored;
    counters_close(&counters); /* as a kill would: nothing more is written */

    check_equal(counters_open(&counters, path, &generous), MOULT_OK);
    check_equal(counters.start, bound);
    check_equal(counters_take(&counters, id, bound, 1000, &floor), MOULT_E_REPLAY);
    check_equal(floor, bound);
    check_equal(counters_take(&counters, id, bound + 1, 1000, &floor), MOULT_OK);
    counters_close(&counters);
}

static void test_a_damaged_bound_is_refused(void)
{
    unlink(path);
    struct counters counters;
    uint8_t id[16];
    uint64_t floor = 0;
    id_of(1, id);
    check_equal(counters_open(&counters, path, &generous), MOULT_OK);
    check_equal(counters_take(&counters, id, 1, 1, &floor), MOULT_OK);
    counters_close(&counters);
    int fd = open(path, O_RDWR);
    check(fd >= 0 && pwrite(fd, "x", 1, 7) == 1);
    close(fd);
    check_equal(counters_open(&counters, path, &generous), MOULT_E_FORMAT);
}

static void test_rates_hold_and_refill(void)
{
    unlink(path);
    struct counters counters;
    const struct counters_rate rate = {10, 6, 3};
    uint8_t id[16];
    uint64_t floor = 0, now = 1000000, counter = 0;
    id_of(1, id);
    check_equal(counters_open(&counters, path, &rate), MOULT_OK);
    for (int i = 0; i < 3; i++) {
        check_equal(counters_take(&counters, id, ++counter, now, &floor), MOULT_OK);
    }
    check_equal(counters_take(&counters, id, counter + 1, now, &floor), MOULT_E_BUSY);
    now += 10000; /* 6 a minute: one more every ten seconds */
    check_equal(counters_take(&counters, id, ++counter, now, &floor), MOULT_OK);
    check_equal(counters_take(&counters, id, counter + 1, now, &floor), MOULT_E_BUSY);

    now += 60000;
    int passed = 0;
    for (uint64_t other = 100; other < 200; other++) {
        id_of(other, id);
        passed += counters_take(&counters, id, 1, now, &floor) == MOULT_OK;
    }
    check_equal(passed, 20); /* 10 a second, bursts of twice that */
    counters_close(&counters);
}

static void test_many_devices_are_remembered(void)
{
    unlink(path);
    struct counters counters;
    const struct counters_rate rate = {100000, 6000, 6000};
    uint64_t floor = 0;
    uint8_t id[16];
    check_equal(counters_open(&counters, path, &rate), MOULT_OK);
    for (uint64_t n = 1; n <= 20000; n++) {
        id_of(n, id);
        check_equal(counters_take(&counters, id, 7, n * 10, &floor), MOULT_OK);
    }
    check_equal(counters.count, 20000);
    for (uint64_t n = 1; n <= 20000; n++) {
        id_of(n, id);
        check_equal(counters_take(&counters, id, 7, n * 10, &floor), MOULT_E_REPLAY);
    }
    counters_close(&counters);
    unlink(path);
}

int main(void)
{
    check_run(test_a_counter_is_used_once_and_only_rises);
    check_run(test_nothing_signed_before_a_restart_is_signed_again);
    check_run(test_a_damaged_bound_is_refused);
    check_run(test_rates_hold_and_refill);
    check_run(test_many_devices_are_remembered);
    return check_report();
}
