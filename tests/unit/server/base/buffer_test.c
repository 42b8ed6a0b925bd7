/* buffer_test.c - growth, the sticky error, and JSON texts. */
#include <string.h>
#include "server/base/buffer.h"
#include "server/base/mem.h"
#include "tests/support/unit.h"

static void expect_text(const struct buffer *buffer, const char *expected)
{
    assert_false(buffer->failed);
    assert_int_equal(buffer->size, strlen(expected));
    assert_memory_equal(buffer->data, expected, buffer->size);
}

static void test_it_grows_to_its_limit_and_no_further(void **state)
{
    (void)state; /* cmocka's signature */
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    for (int i = 0; i < 1000; i++) {
        unsigned char byte = (unsigned char)i;
        buffer_append(&buffer, &byte, 1);
    }
    assert_false(buffer.failed);
    assert_int_equal(buffer.size, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buffer.data[i], i & 0xff);
    }
    buffer_append(&buffer, "x", 1);
    assert_true(buffer.failed);
    buffer_text(&buffer, "y");
    assert_int_equal(buffer.size, 1000);
    buffer_clear(&buffer);
    buffer_text(&buffer, "again");
    expect_text(&buffer, "again");
    buffer_release(&buffer);
}

static void test_consuming_drops_the_front(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_printf(&buffer, "%s %d", "abc", 7);
    buffer_consume(&buffer, 2);
    expect_text(&buffer, "c 7");
    buffer_consume(&buffer, 3);
    assert_int_equal(buffer.size, 0);
    buffer_release(&buffer);
}

static void test_json_texts_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"line\nbreak\t", "\"line\\u000abreak\\u0009\""},
        {"\x7f", "\"\\u007f\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
        {"\xff!", "\"\\ufffd!\""},
        {"\xc3", "\"\\ufffd\""},                                  /* cut off */
        {"\xc0\xaf", "\"\\ufffd\\ufffd\""},                       /* overlong slash */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},            /* surrogate */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* beyond U+10FFFF */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer buffer;
        buffer_init(&buffer, 200);
        buffer_json_text(&buffer, rows[i].text);
        expect_text(&buffer, rows[i].json);
        buffer_release(&buffer);
    }
}

static void test_no_memory_is_a_failed_buffer(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 100);
    mem_fail_at(1);
    buffer_text(&buffer, "x");
    mem_fail_at(0);
    assert_true(buffer.failed);
    assert_int_equal(buffer.size, 0);
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_grows_to_its_limit_and_no_further),
        cmocka_unit_test(test_consuming_drops_the_front),
        cmocka_unit_test(test_json_texts_are_escaped),
        cmocka_unit_test(test_no_memory_is_a_failed_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
