/* http_file_test.c - files: every form of range and condition, over a real connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/http/http_range.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/support_client.h"
#include "tests/unit/server/http/support_fixture.h"

#define ETAG "\"" FIXTURE_ETAG "\""
#define LAST 99999u /* index of the file's last byte */

static struct fixture fixture;

struct file_row {
    const char *name, *fields;
    int status;
    uint64_t from, size; /* of the body */
};

static const struct file_row rows[] = {
    {"whole", "", 200, 0, 100000},
    {"first byte", "Range: bytes=0-0\r\n", 206, 0, 1},
    {"middle", "Range: bytes=4096-8191\r\n", 206, 4096, 4096},
    {"last byte", "Range: bytes=99999-99999\r\n", 206, LAST, 1},
    {"from", "Range: bytes=99000-\r\n", 206, 99000, 1000},
    {"all by range", "Range: bytes=0-\r\n", 206, 0, 100000},
    {"end beyond the file", "Range: bytes=99000-200000\r\n", 206, 99000, 1000},
    {"end beyond all numbers", "Range: bytes=99000-99999999999999999999999\r\n", 206, 99000,
     1000},
    {"last five", "Range: bytes=-5\r\n", 206, 99995, 5},
    {"suffix larger than the file", "Range: bytes=-200000\r\n", 206, 0, 100000},
    {"upper-case unit", "Range: BYTES=1-2\r\n", 206, 1, 2},
    {"start at the end", "Range: bytes=100000-\r\n", 416, 0, 0},
    {"start beyond", "Range: bytes=100001-100002\r\n", 416, 0, 0},
    {"start beyond all numbers", "Range: bytes=99999999999999999999999-\r\n", 416, 0, 0},
    {"empty suffix", "Range: bytes=-0\r\n", 416, 0, 0},
    {"reversed", "Range: bytes=5-4\r\n", 200, 0, 100000},
    {"two ranges", "Range: bytes=0-1,3-4\r\n", 200, 0, 100000},
    {"other unit", "Range: lines=0-1\r\n", 200, 0, 100000},
    {"no unit", "Range: 0-1\r\n", 200, 0, 100000},
    {"no numbers", "Range: bytes=-\r\n", 200, 0, 100000},
    {"spaces", "Range: bytes= 0-1\r\n", 200, 0, 100000},
    {"letters", "Range: bytes=0-1x\r\n", 200, 0, 100000},
    {"negative", "Range: bytes=--1\r\n", 200, 0, 100000},
    {"if-range same", "Range: bytes=1-2\r\nIf-Range: " ETAG "\r\n", 206, 1, 2},
    {"if-range other", "Range: bytes=1-2\r\nIf-Range: \"other\"\r\n", 200, 0, 100000},
    {"if-range weak", "Range: bytes=1-2\r\nIf-Range: W/" ETAG "\r\n", 200, 0, 100000},
    {"if-range without quotes", "Range: bytes=1-2\r\nIf-Range: " FIXTURE_ETAG "\r\n", 200,
     0, 100000},
    {"if-range date", "Range: bytes=1-2\r\nIf-Range: Sat, 31 Jan 2026 23:59:59 GMT\r\n",
     200, 0, 100000},
    {"if-range without range", "If-Range: " ETAG "\r\n", 200, 0, 100000},
    {"if-range other, range outside", "Range: bytes=100000-\r\nIf-Range: \"other\"\r\n",
     200, 0, 100000},
    {"if-none-match same", "If-None-Match: " ETAG "\r\n", 304, 0, 0},
    {"if-none-match weak", "If-None-Match: W/" ETAG "\r\n", 304, 0, 0},
    {"if-none-match list", "If-None-Match: \"a\", " ETAG " , \"b\"\r\n", 304, 0, 0},
    {"if-none-match star", "If-None-Match: *\r\n", 304, 0, 0},
    {"if-none-match other", "If-None-Match: \"a\"\r\n", 200, 0, 100000},
    {"if-none-match broken", "If-None-Match: \"a, " FIXTURE_ETAG "\r\n", 200, 0, 100000},
    {"if-none-match before range", "If-None-Match: " ETAG "\r\nRange: bytes=0-1\r\n", 304,
     0, 0},
    {"if-match same", "If-Match: " ETAG "\r\n", 200, 0, 100000},
    {"if-match other", "If-Match: \"a\"\r\n", 412, 0, 0},
    {"if-match weak", "If-Match: W/" ETAG "\r\n", 412, 0, 0},
    {"if-match before if-none-match", "If-Match: \"a\"\r\nIf-None-Match: " ETAG "\r\n", 412,
     0, 0},
};

static void expected_content_range(const struct file_row *row, char out[80])
{
    out[0] = '\0';
    if (row->status == 206) {
        snprintf(out, 80, "bytes %llu-%llu/100000", (unsigned long long)row->from,
                 (unsigned long long)(row->from + row->size - 1));
    }
    if (row->status == 416) { snprintf(out, 80, "bytes */100000"); }
}

static void check_row(struct raw_client *client, const struct file_row *row, bool is_head)
{
    char request[400], field[256], range[80];
    struct raw_reply reply;
    snprintf(request, sizeof request, "%s /file HTTP/1.1\r\nHost: h\r\n%s\r\n",
             is_head ? "HEAD" : "GET", row->fields);
    raw_send_text(client, request);
    assert_true(is_head ? raw_reply_head(client, &reply) : raw_reply(client, &reply));
    expected_content_range(row, range);
    bool ok = reply.status == row->status &&
              strcmp(raw_field(&reply, "Content-Range", field), range) == 0 &&
              strcmp(raw_field(&reply, "ETag", field), ETAG) == 0 &&
              strcmp(raw_field(&reply, "Accept-Ranges", field), "bytes") == 0;
    raw_field(&reply, "Content-Length", field);
    if (row->status == 304) {
        ok = ok && field[0] == '\0';
    } else {
        ok = ok && strtoull(field, NULL, 10) == row->size && field[0] != '\0';
    }
    if (!is_head) { ok = ok && reply.body_size == row->size; }
    for (size_t i = 0; ok && i < reply.body_size; i++) {
        ok = (uint8_t)reply.body[i] == fixture_byte(row->from + i);
    }
    if (!ok) {
        fail_msg("%s%s: expected %d, %llu bytes, \"%s\"; found\n%s", row->name,
                 is_head ? " (HEAD)" : "", row->status, (unsigned long long)row->size,
                 range, reply.head);
    }
    raw_reply_free(&reply);
}

static void test_every_form_of_range_and_condition(void **state)
{
    (void)state; /* cmocka's signature */
    struct raw_client client;
    raw_connect(&client, fixture.port, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&client, &rows[i], false);
        check_row(&client, &rows[i], true);
    }
    raw_close(&client);
}

static void test_a_file_in_pieces_is_the_file(void **state)
{
    (void)state;
    struct raw_client client;
    raw_connect(&client, fixture.port, NULL);
    for (uint64_t from = 0; from < FIXTURE_FILE_SIZE;) {
        char fields[100];
        uint64_t size = 1 + (from * 7) % 4096;
        if (size > FIXTURE_FILE_SIZE - from) { size = FIXTURE_FILE_SIZE - from; }
        snprintf(fields, sizeof fields, "Range: bytes=%llu-%llu\r\n",
                 (unsigned long long)from, (unsigned long long)(from + size - 1));
        check_row(&client, &(struct file_row){"piece", fields, 206, from, size}, false);
        from += size;
    }
    raw_close(&client);
}

static void test_ranges_of_an_empty_file_are_outside(void **state)
{
    (void)state;
    static const char *const values[] = {"bytes=0-", "bytes=0-0", "bytes=-1"};
    for (int i = 0; i < 3; i++) {
        uint64_t offset, size;
        assert_int_equal(http_range_read(values[i], 0, &offset, &size), HTTP_RANGE_OUTSIDE);
        assert_int_equal(offset, 0);
        assert_int_equal(size, 0);
    }
}

static void test_every_small_range_agrees_with_its_definition(void **state)
{
    (void)state;
    char value[64];
    for (unsigned file = 1; file < 6; file++) {
        for (unsigned first = 0; first < 8; first++) {
            for (unsigned last = 0; last < 8; last++) {
                uint64_t offset, size;
                snprintf(value, sizeof value, "bytes=%u-%u", first, last);
                enum http_range range = http_range_read(value, file, &offset, &size);
                enum http_range expected = last < first    ? HTTP_RANGE_WHOLE
                                           : first >= file ? HTTP_RANGE_OUTSIDE
                                                           : HTTP_RANGE_PART;
                assert_int_equal(range, expected);
                if (range != HTTP_RANGE_PART) { continue; }
                assert_int_equal(offset, first);
                assert_int_equal(offset + size - 1, last < file ? last : file - 1);
            }
        }
    }
}

static void test_a_large_file_arrives_whole(void **state)
{
    (void)state;
    struct raw_client client;
    struct raw_reply reply;
    raw_connect(&client, fixture.port, NULL);
    for (int i = 0; i < 2; i++) {
        raw_send_text(&client, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_true(raw_reply(&client, &reply));
        assert_int_equal(reply.body_size, FIXTURE_LARGE_SIZE);
        for (size_t k = 0; k < reply.body_size; k++) {
            if ((uint8_t)reply.body[k] != fixture_byte(k)) {
                fail_msg("byte %zu differs", k);
            }
        }
        raw_reply_free(&reply);
    }
    raw_close(&client);
}

static int start(void **state)
{
    (void)state;
    fixture_start(&fixture, &(struct fixture_options){0});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&fixture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_of_range_and_condition),
        cmocka_unit_test(test_a_file_in_pieces_is_the_file),
        cmocka_unit_test(test_ranges_of_an_empty_file_are_outside),
        cmocka_unit_test(test_every_small_range_agrees_with_its_definition),
        cmocka_unit_test(test_a_large_file_arrives_whole),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
