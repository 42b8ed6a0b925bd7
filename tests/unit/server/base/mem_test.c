/* mem_test.c - accounting balances, and torture fails what it says. */
#include <string.h>
#include "server/base/mem.h"
#include "tests/support/unit.h"

static struct mem_stats now(void)
{
    struct mem_stats stats;
    mem_stats_get(&stats);
    return stats;
}

static void test_accounting_returns_to_where_it_was(void **state)
{
    (void)state; /* cmocka's signature */
    struct mem_stats before = now();
    char *a = mem_alloc(100);
    char *b = mem_copy_text("hello");
    assert_non_null(a);
    assert_string_equal(b, "hello");
    assert_true(now().live_bytes >= before.live_bytes + 106);
    assert_int_equal(now().live_count, before.live_count + 2);
    a = mem_resize(a, 5000);
    assert_non_null(a);
    assert_true(now().live_bytes >= before.live_bytes + 5006);
    assert_true(now().peak_bytes >= before.live_bytes + 5006);
    assert_int_equal(now().live_count, before.live_count + 2);
    mem_free(a);
    mem_free(b);
    mem_free(NULL);
    assert_int_equal(now().live_bytes, before.live_bytes);
    assert_int_equal(now().live_count, before.live_count);
}

static void test_blocks_come_zeroed(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        unsigned char *block = mem_alloc(300);
        for (int i = 0; i < 300; i++) {
            assert_int_equal(block[i], 0);
        }
        memset(block, 0xee, 300);
        mem_free(block);
    }
}

static void test_a_product_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_null(mem_alloc_array(SIZE_MAX / 2, 3));
}

static void test_size_zero_is_a_block_of_its_own(void **state)
{
    (void)state;
    void *a = mem_alloc(0), *b = mem_alloc(0);
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    mem_free(a);
    mem_free(b);
}

static void test_torture_fails_the_nth_allocation_and_all_after_it(void **state)
{
    (void)state;
    mem_fail_at(2);
    void *first = mem_alloc(8);
    void *second = mem_alloc(8);
    void *third = mem_copy("x", 1);
    void *grown = mem_resize(first, 4000);
    mem_fail_at(0);
    assert_non_null(first);
    assert_null(second);
    assert_null(third);
    assert_null(grown);
    mem_free(first);
    void *fourth = mem_alloc(8);
    assert_non_null(fourth);
    mem_free(fourth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounting_returns_to_where_it_was),
        cmocka_unit_test(test_blocks_come_zeroed),
        cmocka_unit_test(test_a_product_that_overflows_is_refused),
        cmocka_unit_test(test_size_zero_is_a_block_of_its_own),
        cmocka_unit_test(test_torture_fails_the_nth_allocation_and_all_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
