/* code_words_test.c - formats/code_words.c and the tables made from api/codes.tsv. */
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"

static void test_numbers_are_step_times_hundred_plus_position(void)
{
    check_equal(MOULT_D_ANCHOR, 1);
    check_equal(MOULT_D_RNG, 101);
    check_equal(MOULT_D_KEYSET_EXPIRED, 316);
    check_equal(MOULT_D_ENDPOINT_FETCH, 317);
    check_equal(MOULT_D_ENDPOINT_WRITE, 328);
    check_equal(MOULT_D_CHIP, 902);
    check_equal(MOULT_D_REPORT, 1703);
    check_equal(MOULT_R_PRE_HW_MISMATCH, 107);
    check_equal(MOULT_R_UNKNOWN, 999);
}

static void test_every_detail_has_a_reason_of_the_table(void)
{
    size_t count = 0;
    const struct moult_code_info *row = moult_detail_table(&count);
    check(count > 100);
    for (size_t i = 0; i < count; i++) {
        check_row(row[i].name);
        check_equal(moult_detail_reason(row[i].code), row[i].reason);
        const struct moult_code_info *reason = moult_reason_info(row[i].reason);
        check(reason != NULL);
        check_equal(row[i].class_letter, reason->class_letter);
        check(strcmp(row[i].retry, reason->retry) == 0);
        check(moult_detail_info(row[i].code) == &row[i]);
        check(row[i].exit >= 1 && row[i].exit <= 11);
    }
    check_row(NULL);
}

static void test_unknown_numbers_are_kept_apart(void)
{
    check_equal(moult_detail_reason(MOULT_D_NONE), MOULT_R_NONE);
    check_equal(moult_detail_reason(1999), MOULT_R_UNKNOWN);
    check_equal(moult_detail_reason(UINT16_MAX), MOULT_R_UNKNOWN);
    check(moult_detail_info(1999) == NULL);
    check(moult_detail_info(MOULT_D_NONE) == NULL);
    check(moult_reason_info(199) == NULL);
    check_equal(moult_reason_class(MOULT_R_NET_TLS_CERT), 'A');
    check_equal(moult_reason_class(399), 'T'); /* its stage's class */
    check_equal(moult_reason_class(50), '?');
    check_equal(moult_reason_class(4000), '?');
}

struct parse_row {
    const char *text;
    enum moult_status status;
    char letter;
    uint16_t code;
};

static const struct parse_row parse_rows[] = {
    {"E0902", MOULT_OK, 'E', 902},
    {"e0902", MOULT_OK, 'E', 902},
    {"R107", MOULT_OK, 'R', 107},
    {"MOULT-E0902", MOULT_OK, 'E', 902},
    {"moult-r107", MOULT_OK, 'R', 107},
    {"MOULT_D_CHIP", MOULT_OK, 'E', 902},
    {"E_CHIP", MOULT_OK, 'E', 902},
    {"e_chip_rev", MOULT_OK, 'E', 903},
    {"MOULT_R_PRE_BUSY", MOULT_OK, 'R', 101},
    {"PRE_BUSY", MOULT_OK, 'R', 101},
    {"E9999", MOULT_E_NOENT, 'x', 7},
    {"E0000", MOULT_E_NOENT, 'x', 7},
    {"R000", MOULT_E_NOENT, 'x', 7},
    {"E902", MOULT_E_NOENT, 'x', 7},   /* reads as a name that nothing has */
    {"E09020", MOULT_E_NOENT, 'x', 7}, /* likewise */
    {"CHI", MOULT_E_NOENT, 'x', 7},
    {"CHIPS", MOULT_E_NOENT, 'x', 7},
    {"", MOULT_E_ARG, 'x', 7},
    {"E0902 ", MOULT_E_ARG, 'x', 7},
    {"R107;", MOULT_E_ARG, 'x', 7},
    {"MOULT-", MOULT_E_ARG, 'x', 7},
};

static void test_codes_are_read_as_people_write_them(void)
{
    for (size_t i = 0; i < sizeof parse_rows / sizeof parse_rows[0]; i++) {
        const struct parse_row *row = &parse_rows[i];
        check_row(row->text);
        char letter = 'x';
        uint16_t code = 7;
        check_equal(moult_code_parse(row->text, &letter, &code), row->status);
        check_equal(letter, row->letter);
        check_equal(code, row->code);
    }
    check_row(NULL);
}

static void test_words_are_filled_in(void)
{
    char text[80];
    const struct moult_code_info *chip = moult_detail_info(MOULT_D_CHIP);
    const char *whole = "release expects chip esp32s3, device is esp32c3";
    check_equal(moult_code_words(chip, "esp32s3", "esp32c3", text, sizeof text),
                strlen(whole));
    check(strcmp(text, whole) == 0);
    moult_code_words(chip, NULL, "esp32c3", text, sizeof text);
    check(strcmp(text, "release expects chip ?, device is esp32c3") == 0);
}

static void test_a_finding_without_a_place_goes_behind(void)
{
    char text[80];
    const struct moult_code_info *busy = moult_reason_info(MOULT_R_PRE_PENDING_VERIFY);
    moult_code_words(busy, NULL, "slot 1", text, sizeof text);
    check(strcmp(text, "the running image is still on trial (slot 1)") == 0);
    moult_code_words(busy, NULL, NULL, text, sizeof text);
    check(strcmp(text, "the running image is still on trial") == 0);
}

static void test_words_never_write_past_their_room(void)
{
    const struct moult_code_info *chip = moult_detail_info(MOULT_D_CHIP);
    char text[12];
    for (size_t size = 0; size <= 10; size++) {
        memset(text, '#', sizeof text);
        size_t whole = moult_code_words(chip, "a", "b", size ? text : NULL, size);
        check_equal(whole, strlen("release expects chip a, device is b"));
        if (size > 0) { check_equal(strlen(text), size - 1); }
        check_equal(text[size], '#');
    }
}

static void test_a_code_is_printed_with_its_letter(void)
{
    char text[8];
    moult_code_format('E', 1, text);
    check(strcmp(text, "E0001") == 0);
    moult_code_format('R', 107, text);
    check(strcmp(text, "R107") == 0);
    moult_code_format('R', 4000, text); /* not in the table, but a peer may send it */
    check(strcmp(text, "R4000") == 0);
    moult_code_format('E', UINT16_MAX, text);
    check(strcmp(text, "E65535") == 0);
}

int main(void)
{
    check_run(test_numbers_are_step_times_hundred_plus_position);
    check_run(test_every_detail_has_a_reason_of_the_table);
    check_run(test_unknown_numbers_are_kept_apart);
    check_run(test_codes_are_read_as_people_write_them);
    check_run(test_words_are_filled_in);
    check_run(test_a_finding_without_a_place_goes_behind);
    check_run(test_words_never_write_past_their_room);
    check_run(test_a_code_is_printed_with_its_letter);
    return check_report();
}
