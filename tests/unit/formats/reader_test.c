/* reader_test.c - formats/reader.c */
#include "formats/reader.h"
#include <string.h>
#include "tests/support/check.h"

static const uint8_t text[] = "0123456789";

static struct moult_bytes ten(void)
{
    return (struct moult_bytes){text, 10};
}

static void test_bytes_are_read_at_any_offset(void)
{
    uint8_t out[4] = {0};
    struct moult_bytes bytes = ten();
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    check_equal(moult_read(&reader, 6, out, 4), MOULT_OK);
    check_bytes(out, "6789", 4);
    check_equal(moult_read(&reader, 0, out, 1), MOULT_OK);
    check_equal(out[0], '0');
}

static void test_a_range_that_leaves_the_reader_is_truncated(void)
{
    uint8_t out[4] = {0};
    struct moult_bytes bytes = ten();
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    check_equal(moult_read(&reader, 7, out, 4), MOULT_E_TRUNCATED);
    check_equal(moult_read(&reader, 10, out, 0), MOULT_OK);
    check_equal(moult_read(&reader, 11, out, 0), MOULT_E_TRUNCATED);
    check_equal(moult_read(&reader, UINT32_MAX, out, 4), MOULT_E_TRUNCATED);
}

static void test_a_part_sees_only_its_range(void)
{
    uint8_t out[4] = {0};
    struct moult_bytes bytes = ten();
    struct moult_reader whole = moult_reader_of_bytes(&bytes);
    struct moult_reader_part state;
    struct moult_reader part = moult_reader_of_part(&whole, 3, 4, &state);
    check_equal(part.size, 4);
    check_equal(moult_read(&part, 0, out, 4), MOULT_OK);
    check_bytes(out, "3456", 4);
    check_equal(moult_read(&part, 2, out, 2), MOULT_OK);
    check_bytes(out, "56", 2);
    check_equal(moult_read(&part, 1, out, 4), MOULT_E_TRUNCATED);
}

static void test_a_finding_may_be_unwanted(void)
{
    struct moult_finding finding = {0};
    struct moult_finding what = {7, 1, 2, 3};
    check_equal(moult_found(NULL, MOULT_E_FORMAT, what), MOULT_E_FORMAT);
    check_equal(moult_found(&finding, MOULT_E_RANGE, what), MOULT_E_RANGE);
    check_equal(finding.detail, 7);
    check_equal(finding.found, 3);
}

int main(void)
{
    check_run(test_bytes_are_read_at_any_offset);
    check_run(test_a_range_that_leaves_the_reader_is_truncated);
    check_run(test_a_part_sees_only_its_range);
    check_run(test_a_finding_may_be_unwanted);
    return check_report();
}
