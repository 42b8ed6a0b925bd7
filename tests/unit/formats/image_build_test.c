/* image_build_test.c - formats/image_build.c */
#include "formats/image_build.h"
#include <string.h>
#include "formats/chip.h"
#include "formats/codes.h"
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"
#include "tests/support/sample_image.h"

enum { OUT_SIZE = 400000 };

static uint8_t out[OUT_SIZE];
static uint32_t out_size;

static enum moult_status collect(void *context, const uint8_t *data, uint32_t size)
{
    (void)context;
    if (size > sizeof out - out_size) { return MOULT_E_SPACE; }
    memcpy(out + out_size, data, size);
    out_size += size;
    return MOULT_OK;
}

static const struct moult_writer writer = {NULL, collect};

static enum moult_status build(const struct moult_image_parts *parts,
                               struct moult_image_plan *plan)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    out_size = 0;
    enum moult_status st = moult_image_plan(parts, plan, NULL);
    return st == MOULT_OK ? moult_image_write(parts, plan, &crypto, &writer) : st;
}

static uint8_t rodata[1000], text[70001], ram[3000];

/* An ESP32-C3 image of three parts: mapped data, mapped code, RAM. */
static struct moult_image_parts three_parts(void)
{
    memset(rodata, 0x11, sizeof rodata);
    memcpy(rodata, "\x32\x54\xcd\xab", 4);
    memset(text, 0x22, sizeof text);
    memset(ram, 0x33, sizeof ram);
    return (struct moult_image_parts){
        .chip_id = MOULT_CHIP_ESP32C3,
        .min_revision = 3,
        .max_revision = 199,
        .entry = 0x40380000,
        .spi_mode = 2,
        .spi_speed = 15,
        .spi_size = 2,
        .part_count = 3,
        .parts = {{0x3c020020, {rodata, sizeof rodata}},
                  {0x42000020, {text, sizeof text}},
                  {0x40380000, {ram, sizeof ram}}},
    };
}

/* Parses, verifies and maps; the parsed image. */
static bool is_good(struct moult_esp_image *image)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_bytes bytes = {out, out_size};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    return moult_esp_image_parse(&reader, image, NULL) == MOULT_OK &&
           image->size == out_size &&
           moult_esp_image_verify(&reader, &crypto, image, NULL) == MOULT_OK &&
           moult_esp_image_runs_on(image, MOULT_CHIP_ESP32C3, 3, 0, NULL) == MOULT_OK;
}

static void test_the_worked_example_comes_out(void)
{
    uint8_t expected[SAMPLE_IMAGE_SIZE];
    struct moult_image_plan plan;
    sample_image(expected);
    struct moult_image_parts parts = {
        .chip_id = MOULT_CHIP_ESP32C3,
        .min_revision = 3,
        .max_revision = 199,
        .entry = 0x40380000,
        .spi_mode = 2,
        .spi_size = 2,
        .part_count = 1,
        .parts = {{0x3c000020, {expected + 32, 256}}},
    };
    check_equal(build(&parts, &plan), MOULT_OK);
    check_equal(out_size, SAMPLE_IMAGE_SIZE);
    check_equal(plan.size, SAMPLE_IMAGE_SIZE);
    check_bytes(out, expected, SAMPLE_IMAGE_SIZE);
}

static void test_ram_fills_the_gap_before_mapped_code(void)
{
    struct moult_image_parts parts = three_parts();
    struct moult_image_plan plan;
    struct moult_esp_image image;
    check_equal(build(&parts, &plan), MOULT_OK);
    check(is_good(&image));
    check_equal(image.segment_count, 4); /* data, RAM, zeros, code */
    check_equal(image.segments[0].load_address, 0x3c020020);
    check_equal(image.segments[1].load_address, 0x40380000);
    check_equal(image.segments[1].size, 3000);
    check_equal(image.segments[2].load_address, 0);
    check_equal(image.segments[3].load_address, 0x42000020);
    check_equal(image.segments[3].offset, 0x10020);
    check_equal(image.segments[3].size, 70004); /* padded to 4 */
    check_equal(out[image.segments[3].offset + 70000], 0x22);
    check_equal(out[image.segments[3].offset + 70001], 0);
}

static void test_two_ram_parts_fill_one_gap(void)
{
    static uint8_t more[501];
    struct moult_image_parts parts = three_parts();
    struct moult_image_plan plan;
    struct moult_esp_image image;
    memset(more, 0x44, sizeof more);
    parts.part_count = 4;
    parts.parts[3] = (struct moult_image_part){0x3fc80000, {more, sizeof more}};
    check_equal(build(&parts, &plan), MOULT_OK);
    check(is_good(&image));
    check_equal(image.segment_count, 5); /* data, RAM, RAM, zeros, code */
    check_equal(image.segments[2].load_address, 0x3fc80000);
    check_equal(image.segments[2].size, 504);
    check_equal(out[image.segments[2].offset + 500], 0x44);
    check_equal(out[image.segments[2].offset + 501], 0);
}

static void test_a_chip_with_one_window(void)
{
    struct moult_image_parts parts = three_parts();
    struct moult_image_plan plan;
    parts.chip_id = MOULT_CHIP_ESP32C6;
    parts.part_count = 1;
    parts.parts[0].load_address = 0x42000020;
    check_equal(build(&parts, &plan), MOULT_OK);
}

static void test_ram_that_is_larger_than_the_gap_is_split(void)
{
    static uint8_t large[100000];
    struct moult_image_parts parts = three_parts();
    struct moult_image_plan plan;
    struct moult_esp_image image;
    for (uint32_t i = 0; i < sizeof large; i++) {
        large[i] = (uint8_t)(i >> 8);
    }
    parts.parts[2].data = (struct moult_bytes){large, sizeof large};
    check_equal(build(&parts, &plan), MOULT_OK);
    check(is_good(&image));
    check_equal(image.segment_count, 4); /* data, RAM, code, rest of RAM */
    const struct moult_esp_segment *a = &image.segments[1], *b = &image.segments[3];
    check_equal(image.segments[2].load_address, 0x42000020);
    check_equal(b->load_address, a->load_address + a->size);
    check_equal(a->size + b->size, sizeof large);
    check_bytes(out + a->offset, large, a->size);
    check_bytes(out + b->offset, large + a->size, b->size);
}

/* A gap too small for a header and 4 bytes costs a page. */
static void test_every_gap_can_be_filled(void)
{
    for (uint32_t size = 0x10000 - 200; size <= 0x10000; size += 4) {
        static uint8_t data[0x10000];
        struct moult_image_parts parts = three_parts();
        struct moult_image_plan plan;
        struct moult_esp_image image;
        memcpy(data, rodata, 4);
        parts.part_count = 2;
        parts.parts[0].data = (struct moult_bytes){data, size};
        check_equal(build(&parts, &plan), MOULT_OK);
        check(is_good(&image));
    }
}

static void test_small_pages(void)
{
    struct moult_image_parts parts = three_parts();
    struct moult_image_plan plan;
    struct moult_esp_image image;
    parts.page_size = 0x2000;
    check_equal(build(&parts, &plan), MOULT_OK);
    struct moult_bytes bytes = {out, out_size};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    check_equal(moult_esp_image_parse(&reader, &image, NULL), MOULT_OK);
    check_equal(moult_esp_image_runs_on(&image, MOULT_CHIP_ESP32C3, 3, 0x2000, NULL),
                MOULT_OK);
    check_equal(image.segments[image.segment_count - 1].offset, 0x2020);
}

static void test_parts_that_break_a_rule(void)
{
    struct moult_image_plan plan;
    struct moult_finding finding;
    struct moult_image_parts parts = three_parts();
    parts.chip_id = MOULT_CHIP_ESP32H4; /* its windows are not known here */
    check_equal(moult_image_plan(&parts, &plan, &finding), MOULT_E_UNSUPPORTED);
    check_equal(finding.detail, MOULT_D_ESP_CHIP);

    parts = three_parts();
    parts.parts[0].load_address = 0x3c020000;
    check_equal(moult_image_plan(&parts, &plan, &finding), MOULT_E_ARG);
    check_equal(finding.detail, MOULT_D_IMAGE_LAYOUT);
    check_equal(finding.expected, 0x3c020020);

    parts = three_parts();
    rodata[0] = 0;
    check_equal(moult_image_plan(&parts, &plan, &finding), MOULT_E_ARG);
    check_equal(finding.detail, MOULT_D_ESP_DESC);

    parts = three_parts();
    parts.parts[2].load_address = 0x40380002;
    check_equal(moult_image_plan(&parts, &plan, &finding), MOULT_E_ARG);
    check_equal(finding.detail, MOULT_D_IMAGE_LAYOUT);
    check_equal(finding.where, 2);
    check_equal(finding.expected, 0x40380000);

    parts = three_parts();
    parts.parts[1].data.size = 0;
    check_equal(moult_image_plan(&parts, &plan, &finding), MOULT_E_ARG);
    check_equal(finding.detail, MOULT_D_ESP_SEGMENT);
    check_equal(finding.where, 1);

    parts = three_parts();
    parts.part_count = 0;
    check_equal(moult_image_plan(&parts, &plan, &finding), MOULT_E_ARG);
    check_equal(finding.detail, MOULT_D_IMAGE_SEGMENTS);
}

static void test_too_many_segments_are_refused(void)
{
    struct moult_image_parts parts = three_parts();
    struct moult_image_plan plan;
    struct moult_finding finding;
    parts.part_count = MOULT_IMAGE_PARTS_MAX;
    for (uint32_t i = 1; i < parts.part_count; i++) { /* each needs a padding segment */
        parts.parts[i] = (struct moult_image_part){0x42000020 + 0x20000 * i, {ram, 16}};
    }
    check_equal(moult_image_plan(&parts, &plan, &finding), MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_IMAGE_SEGMENTS);
    check_equal(finding.expected, 16);
    check_equal(finding.found, 17);
}

static void test_more_than_16_mb_is_refused(void)
{
    struct moult_image_parts parts = three_parts();
    struct moult_image_plan plan;
    struct moult_finding finding;
    parts.parts[1].data.size = parts.parts[2].data.size =
        9000000; /* never read by the plan */
    check_equal(moult_image_plan(&parts, &plan, &finding), MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_IMAGE_LIMIT);
}

static enum moult_status fail_later(void *context, const uint8_t *data, uint32_t size)
{
    uint32_t *left = context;
    (void)data;
    (void)size;
    return (*left)-- == 0 ? MOULT_E_IO : MOULT_OK;
}

static void test_a_failing_writer_is_handed_on(void)
{
    struct moult_image_parts parts = three_parts();
    struct moult_image_plan plan;
    struct moult_crypto crypto = keys_openssl_crypto();
    check_equal(moult_image_plan(&parts, &plan, NULL), MOULT_OK);
    for (uint32_t n = 0; n < 12; n++) {
        uint32_t left = n;
        struct moult_writer failing = {&left, fail_later};
        check_equal(moult_image_write(&parts, &plan, &crypto, &failing), MOULT_E_IO);
    }
}

int main(void)
{
    check_run(test_the_worked_example_comes_out);
    check_run(test_ram_fills_the_gap_before_mapped_code);
    check_run(test_two_ram_parts_fill_one_gap);
    check_run(test_a_chip_with_one_window);
    check_run(test_ram_that_is_larger_than_the_gap_is_split);
    check_run(test_every_gap_can_be_filled);
    check_run(test_small_pages);
    check_run(test_parts_that_break_a_rule);
    check_run(test_too_many_segments_are_refused);
    check_run(test_more_than_16_mb_is_refused);
    check_run(test_a_failing_writer_is_handed_on);
    return check_report();
}
