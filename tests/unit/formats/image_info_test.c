/* image_info_test.c - formats/image_info.c; the example is read from
 * docs/spec/image-info.md */
#include "formats/image_info.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"

enum { EXAMPLE_SIZE = 112, IMAGE_SIZE = 512, SEGMENT_SIZE_LOW = 28 };

static uint8_t example[EXAMPLE_SIZE];
static uint8_t image[IMAGE_SIZE];
static struct moult_bytes bytes;
static struct moult_reader reader;

/* The hex block of the page: lines "0000  4d 4f ...". Returns the bytes read. */
static size_t read_example(void)
{
    char line[256];
    size_t size = 0;
    bool inside = false;
    FILE *f = fopen(MOULT_SOURCE_DIR "/docs/spec/image-info.md", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "```", 3) == 0) { inside = strstr(line, "image-info-example"); }
        if (!inside || line[0] == '`') { continue; }
        for (char *p = line + 4, *end; size < EXAMPLE_SIZE; p = end) {
            unsigned long value = strtoul(p, &end, 16);
            if (end == p) { break; }
            example[size++] = (uint8_t)value;
        }
    }
    if (f) { fclose(f); }
    return size;
}

/* An image whose first segment is 400 bytes and holds the example. */
static void load(void)
{
    memset(image, 0, sizeof image);
    image[SEGMENT_SIZE_LOW] = 0x90;
    image[SEGMENT_SIZE_LOW + 1] = 0x01;
    memcpy(image + MOULT_IMAGE_INFO_OFFSET, example, sizeof example);
    bytes = (struct moult_bytes){image, sizeof image};
    reader = moult_reader_of_bytes(&bytes);
}

static void test_the_pages_example(void)
{
    struct moult_image_info info;
    uint8_t keyset[8] = {0}, raw[MOULT_IMAGE_INFO_SIZE];
    check_equal(read_example(), EXAMPLE_SIZE);
    load();
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_OK);
    check_bytes(info.fleet_id, "moult-fleet-0001", 16);
    check_bytes(info.class_id, "energy-meter-c3!", 16);
    check_equal(info.sequence, 7);
    check_equal(info.rollback_floor, 5);
    check_equal(info.build_time_s, 1767225600);
    check(strcmp(info.version, "1.1.0") == 0);
    check_equal(info.keyset_size, 5);
    check_equal(moult_image_info_read_keyset(&reader, &info, keyset, 4), MOULT_E_SPACE);
    check_equal(moult_image_info_read_keyset(&reader, &info, keyset, 8), MOULT_OK);
    check_bytes(keyset, "\x01\x02\x03\x04\x05", 5);
    check_equal(moult_image_info_encode(&info, raw), MOULT_OK);
    check_bytes(raw, example, sizeof raw);
}

static void test_absent_is_not_bad(void)
{
    struct moult_image_info info = {.sequence = 99};
    struct moult_finding finding;
    load();
    memset(image + MOULT_IMAGE_INFO_OFFSET, 0xff, 8);
    check_equal(moult_image_info_read(&reader, &info, &finding), MOULT_E_NOENT);
    check_equal(finding.detail, MOULT_D_ESP_INFO_MISSING);
    check_equal(finding.where, 288);
    load();
    reader.size = 391;
    check_equal(moult_image_info_read(&reader, &info, &finding), MOULT_E_NOENT);
    check_equal(finding.detail, MOULT_D_ESP_INFO_MISSING);
    check_equal(finding.found, 391);
    check_equal(info.sequence, 99);
}

static void test_fields_that_break_a_rule(void)
{
    static const struct {
        const char *name;
        uint32_t offset; /* in the record */
        uint8_t value;
        enum moult_status status;
        uint16_t detail;
        uint32_t where; /* in the image */
    } rows[] = {
        {"format 2", 8, 2, MOULT_E_UNSUPPORTED, MOULT_D_ESP_INFO_FORMAT, 296},
        {"keyset of 2053", 11, 8, MOULT_E_FORMAT, MOULT_D_ESP_INFO, 298},
        {"reserved", 15, 1, MOULT_E_FORMAT, MOULT_D_ESP_INFO, 300},
        {"sequence 0", 48, 0, MOULT_E_FORMAT, MOULT_D_ESP_INFO, 336},
        {"floor over sequence", 56, 8, MOULT_E_FORMAT, MOULT_D_ESP_INFO, 344},
        {"no version", 72, 0, MOULT_E_FORMAT, MOULT_D_ESP_INFO, 360},
        {"unprintable version", 73, 0x07, MOULT_E_FORMAT, MOULT_D_ESP_INFO, 360},
        {"text behind the version", 103, 'x', MOULT_E_FORMAT, MOULT_D_ESP_INFO, 360},
        {"padding of the keyset", 111, 1, MOULT_E_FORMAT, MOULT_D_ESP_INFO_KEYSET, 392},
        {"keyset leaves the segment", 10, 9, MOULT_E_FORMAT, MOULT_D_ESP_INFO_KEYSET, 392},
    };
    struct moult_image_info info;
    struct moult_finding finding;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        load();
        image[SEGMENT_SIZE_LOW] =
            0x70; /* the segment ends right behind the padded keyset */
        image[MOULT_IMAGE_INFO_OFFSET + rows[i].offset] = rows[i].value;
        check_equal(moult_image_info_read(&reader, &info, &finding), rows[i].status);
        check_equal(finding.detail, rows[i].detail);
        check_equal(finding.where, rows[i].where);
    }
    check_row(NULL);
}

static void test_floor_may_equal_the_sequence(void)
{
    struct moult_image_info info;
    load();
    image[MOULT_IMAGE_INFO_OFFSET + 56] = 7;
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_OK);
    check_equal(info.rollback_floor, 7);
}

static void test_a_version_of_31_characters_fits_and_of_32_does_not(void)
{
    struct moult_image_info info;
    uint8_t raw[MOULT_IMAGE_INFO_SIZE];
    load();
    memset(image + MOULT_IMAGE_INFO_OFFSET + 72, 'v', 31);
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_OK);
    check_equal(strlen(info.version), 31);
    memset(image + MOULT_IMAGE_INFO_OFFSET + 72, 'v', 32);
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_E_FORMAT);
    memset(info.version, 'v', sizeof info.version); /* no NUL */
    check_equal(moult_image_info_encode(&info, raw), MOULT_E_FORMAT);
}

static void test_what_parse_refuses_encode_refuses(void)
{
    struct moult_image_info good, info;
    uint8_t raw[MOULT_IMAGE_INFO_SIZE] = {0x55};
    load();
    check_equal(moult_image_info_read(&reader, &good, NULL), MOULT_OK);
    info = good;
    info.sequence = 0;
    check_equal(moult_image_info_encode(&info, raw), MOULT_E_FORMAT);
    info = good;
    info.rollback_floor = info.sequence + 1;
    check_equal(moult_image_info_encode(&info, raw), MOULT_E_FORMAT);
    info = good;
    info.keyset_size = MOULT_IMAGE_INFO_KEYSET_SIZE_MAX + 1;
    check_equal(moult_image_info_encode(&info, raw), MOULT_E_FORMAT);
    info = good;
    info.version[0] = '\0';
    check_equal(moult_image_info_encode(&info, raw), MOULT_E_FORMAT);
    check_equal(raw[0], 0x55); /* untouched */
}

static void test_bounds_are_exact(void)
{
    struct moult_image_info info;
    struct moult_finding finding;
    uint8_t keyset[5], raw[MOULT_IMAGE_INFO_SIZE];
    load();
    memcpy(image + MOULT_IMAGE_INFO_OFFSET + 72, " ~\0\0\0",
           5); /* first and last printable */
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_OK);
    check_equal(moult_image_info_read_keyset(&reader, &info, keyset, 5), MOULT_OK);
    image[MOULT_IMAGE_INFO_OFFSET + 73] = 0x7f;
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_E_FORMAT);
    image[MOULT_IMAGE_INFO_OFFSET + 73] = 0; /* one character */
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_OK);
    image[SEGMENT_SIZE_LOW] = 0x70; /* the padded keyset ends with the segment */
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_OK);
    image[SEGMENT_SIZE_LOW] = 0x6f;
    check_equal(moult_image_info_read(&reader, &info, &finding), MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_ESP_INFO_KEYSET);
    check_equal(finding.expected, 400);
    check_equal(finding.found, 399);
    info.keyset_size = MOULT_IMAGE_INFO_KEYSET_SIZE_MAX;
    check_equal(moult_image_info_encode(&info, raw), MOULT_OK);
    check_equal(moult_image_info_parse(raw, &info, NULL), MOULT_OK);
}

static void test_numbers_of_findings(void)
{
    static const struct {
        uint32_t offset;
        uint8_t value;
        uint32_t expected, found;
    } rows[] = {
        {8, 2, 1, 2},        /* format */
        {11, 8, 2048, 2053}, /* keyset size */
        {12, 3, 0, 3},       /* reserved */
        {48, 0, 1, 0},       /* sequence */
        {56, 8, 7, 8},       /* floor */
        {72, 7, 31, 7},      /* first character of the version */
    };
    struct moult_image_info info;
    struct moult_finding finding;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load();
        image[MOULT_IMAGE_INFO_OFFSET + rows[i].offset] = rows[i].value;
        check(moult_image_info_read(&reader, &info, &finding) != MOULT_OK);
        check_equal(finding.expected, rows[i].expected);
        check_equal(finding.found, rows[i].found);
    }
}

static enum moult_status read_broken(void *context, uint32_t offset, uint8_t *out,
                                     uint32_t size)
{
    const uint32_t *bad_offset = context;
    if (offset == *bad_offset) { return MOULT_E_IO; }
    memcpy(out, image + offset, size);
    return MOULT_OK;
}

static void test_a_failing_reader_is_handed_on(void)
{
    static const uint32_t offsets[] = {288, 24, 397};
    struct moult_image_info info;
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        uint32_t bad = offsets[i];
        load();
        reader = (struct moult_reader){&bad, read_broken, sizeof image};
        check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_E_IO);
    }
}

static void test_no_keyset_is_allowed(void)
{
    struct moult_image_info info;
    uint8_t keyset[8];
    load();
    image[MOULT_IMAGE_INFO_OFFSET + 10] = 0;
    check_equal(moult_image_info_read(&reader, &info, NULL), MOULT_OK);
    check_equal(moult_image_info_read_keyset(&reader, &info, keyset, 8), MOULT_E_NOENT);
}

int main(void)
{
    check_run(test_the_pages_example);
    check_run(test_absent_is_not_bad);
    check_run(test_fields_that_break_a_rule);
    check_run(test_floor_may_equal_the_sequence);
    check_run(test_a_version_of_31_characters_fits_and_of_32_does_not);
    check_run(test_what_parse_refuses_encode_refuses);
    check_run(test_bounds_are_exact);
    check_run(test_numbers_of_findings);
    check_run(test_a_failing_reader_is_handed_on);
    check_run(test_no_keyset_is_allowed);
    return check_report();
}
