/* csv_test.c - server/control/csv.c */
#include "server/control/csv.h"
#include <string.h>
#include "tests/support/check.h"

static struct csv_reader reader;

static void start(const char *text)
{
    csv_init(&reader, (struct moult_bytes){(const uint8_t *)text, strlen(text)});
}

static void test_fields_quotes_and_line_ends(void)
{
    start("\xef\xbb\xbfid,name\r\n\n1,\"a, \"\"b\"\"\nc\"\n2,\n");
    check_equal(csv_next(&reader), MOULT_OK);
    check_equal(reader.line, 1);
    check_equal(reader.field_count, 2);
    check(strcmp(reader.field[1], "name") == 0);
    check_equal(csv_next(&reader), MOULT_OK);
    check_equal(reader.line, 3);
    check(strcmp(reader.field[1], "a, \"b\"\nc") == 0);
    check_equal(csv_next(&reader), MOULT_OK);
    check_equal(reader.line, 5);
    check_equal(reader.field_count, 2);
    check(strcmp(reader.field[1], "") == 0);
    check_equal(csv_next(&reader), MOULT_E_NOENT);
}

static void test_the_last_line_needs_no_end(void)
{
    start("a,b");
    check_equal(csv_next(&reader), MOULT_OK);
    check_equal(reader.field_count, 2);
    check_equal(csv_next(&reader), MOULT_E_NOENT);
}

static void test_a_bad_row_does_not_spoil_the_next(void)
{
    static const char *const bad[] = {"a\"b,c\nok\n", "\"a\"b,c\nok\n"};
    for (size_t i = 0; i < 2; i++) {
        check_row(bad[i]);
        start(bad[i]);
        check_equal(csv_next(&reader), MOULT_E_FORMAT);
        check_equal(csv_next(&reader), MOULT_OK);
        check(strcmp(reader.field[0], "ok") == 0);
        check_equal(reader.line, 2);
    }
    start("\"never closed\nx\n");
    check_equal(csv_next(&reader), MOULT_E_FORMAT);
}

static void test_limits(void)
{
    static char text[2 * CSV_ROW_SIZE_MAX];
    memset(text, ',', CSV_FIELDS_MAX - 1);
    start(text);
    check_equal(csv_next(&reader), MOULT_OK);
    check_equal(reader.field_count, CSV_FIELDS_MAX);
    memset(text, ',', CSV_FIELDS_MAX);
    start(text);
    check_equal(csv_next(&reader), MOULT_E_RANGE);

    memset(text, 'x', CSV_ROW_SIZE_MAX);
    text[10] = ',';
    text[CSV_ROW_SIZE_MAX + 1] = '\0';
    start(text);
    check_equal(csv_next(&reader), MOULT_OK);
    memset(text, 'x', CSV_ROW_SIZE_MAX + 1);
    start(text);
    check_equal(csv_next(&reader), MOULT_E_RANGE);
    check_equal(csv_next(&reader), MOULT_E_NOENT);
}

int main(void)
{
    check_run(test_fields_quotes_and_line_ends);
    check_run(test_the_last_line_needs_no_end);
    check_run(test_a_bad_row_does_not_spoil_the_next);
    check_run(test_limits);
    return check_report();
}
