/* arena_test.c - alignment, limits, and that clearing gives memory back. */
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>
#include "server/base/arena.h"
#include "server/base/mem.h"
#include "tests/support/unit.h"

static void test_memory_is_aligned_zeroed_and_apart(void **state)
{
    (void)state; /* cmocka's signature */
    struct arena arena;
    arena_init(&arena, 100000);
    unsigned char *before = NULL;
    for (size_t size = 0; size < 200; size++) {
        unsigned char *p = arena_alloc(&arena, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        assert_ptr_not_equal(p, before);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xa5, size);
        before = p;
    }
    arena_release(&arena);
}

static void test_memory_is_zero_again_after_clear(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    memset(arena_alloc(&arena, 64), 0xff, 64);
    arena_clear(&arena);
    const unsigned char *p = arena_alloc(&arena, 64);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(p[i], 0);
    }
    arena_release(&arena);
}

static void test_the_limit_refuses_and_a_clear_opens_it_again(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_non_null(arena_alloc(&arena, 64));
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc_array(&arena, SIZE_MAX / 8, 16));
    assert_null(arena_text(&arena, "x", SIZE_MAX));
    arena_clear(&arena);
    assert_null(arena_alloc(&arena, 65));
    assert_non_null(arena_alloc(&arena, 64));
    arena_release(&arena);
}

static void test_clear_keeps_one_ordinary_block_and_release_none(void **state)
{
    (void)state;
    struct mem_stats start, kept, end;
    struct arena arena;
    mem_stats_get(&start);
    arena_init(&arena, 1000000);
    assert_non_null(arena_alloc(&arena, 100));
    for (int i = 0; i < 30; i++) {
        assert_non_null(arena_alloc(&arena, 3000));
    }
    assert_non_null(arena_alloc(&arena, 50000));
    arena_clear(&arena);
    mem_stats_get(&kept);
    assert_int_equal(kept.live_count, start.live_count + 1);
    assert_true(kept.live_bytes <= start.live_bytes + 2 * ARENA_BLOCK_SIZE);
    arena_release(&arena);
    mem_stats_get(&end);
    assert_int_equal(end.live_bytes, start.live_bytes);

    assert_non_null(arena_alloc(&arena, 50000)); /* the first block is a large one */
    arena_clear(&arena);
    mem_stats_get(&end);
    assert_int_equal(end.live_bytes, start.live_bytes);
    arena_release(&arena);
}

static void test_texts_are_copied_and_printed(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    char source[] = "abcdef";
    char *copy = arena_text(&arena, source, 3);
    char *printed = arena_printf(&arena, "%s-%d", copy, 42);
    source[0] = 'X';
    assert_string_equal(copy, "abc");
    assert_string_equal(printed, "abc-42");
    arena_release(&arena);
}

static void test_no_memory_is_a_null(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    mem_fail_at(1);
    void *p = arena_alloc(&arena, 10);
    char *text = arena_printf(&arena, "%d", 1);
    mem_fail_at(0);
    assert_null(p);
    assert_null(text);
    assert_non_null(arena_alloc(&arena, 10));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_aligned_zeroed_and_apart),
        cmocka_unit_test(test_memory_is_zero_again_after_clear),
        cmocka_unit_test(test_the_limit_refuses_and_a_clear_opens_it_again),
        cmocka_unit_test(test_clear_keeps_one_ordinary_block_and_release_none),
        cmocka_unit_test(test_texts_are_copied_and_printed),
        cmocka_unit_test(test_no_memory_is_a_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
