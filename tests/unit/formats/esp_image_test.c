/* esp_image_test.c - formats/esp_image.c, with the worked example of docs/spec/esp-image.md
 * */
#include "formats/esp_image.h"
#include <string.h>
#include "formats/chip.h"
#include "formats/codes.h"
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"
#include "tests/support/sample_image.h"

static uint8_t image[SAMPLE_SIGNED_SIZE];
static struct moult_bytes bytes;
static struct moult_reader reader;

/* `size` bytes of the example, to be changed by the test. */
static void load(uint32_t size)
{
    memset(image, 0xff, sizeof image);
    sample_image(image);
    bytes = (struct moult_bytes){image, size};
    reader = moult_reader_of_bytes(&bytes);
}

static enum moult_status parse(struct moult_esp_image *out, struct moult_finding *finding)
{
    memset(finding, 0, sizeof *finding);
    return moult_esp_image_parse(&reader, out, finding);
}

static enum moult_status parse_and_verify(struct moult_finding *finding)
{
    struct moult_esp_image out;
    struct moult_crypto crypto = keys_openssl_crypto();
    enum moult_status st = parse(&out, finding);
    return st == MOULT_OK ? moult_esp_image_verify(&reader, &crypto, &out, finding) : st;
}

static void check_hex(const uint8_t digest[32], const char *hex)
{
    uint8_t expected[32];
    check(moult_hex_decode(hex, expected, 32));
    check_bytes(digest, expected, 32);
}

static void test_worked_example_parses(void)
{
    struct moult_esp_image out;
    struct moult_finding finding;
    load(SAMPLE_IMAGE_SIZE);
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(out.chip_id, MOULT_CHIP_ESP32C3);
    check_equal(out.segment_count, 1);
    check_equal(out.spi_mode, 2);
    check_equal(out.spi_speed, 0);
    check_equal(out.spi_size, 2);
    check_equal(out.entry, 0x40380000);
    check_equal(out.min_revision, 3);
    check_equal(out.max_revision, 199);
    check(out.has_digest);
    check_equal(out.segments[0].load_address, 0x3c000020);
    check_equal(out.segments[0].offset, 32);
    check_equal(out.segments[0].size, 256);
    check_equal(out.checksum_offset, 303);
    check_equal(out.size, 336);
}

static void test_worked_example_is_whole(void)
{
    struct moult_finding finding;
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_esp_image out;
    uint32_t size;
    uint8_t digest[32];
    load(SAMPLE_IMAGE_SIZE);
    check_equal(parse_and_verify(&finding), MOULT_OK);
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(moult_esp_image_measure(&reader, &crypto, &out, &size, digest), MOULT_OK);
    check_equal(size, 336);
    check_hex(digest, "25408b0bcb20c4b393c627d28e3e0d5b1350e6a5e59a269bb1e79e73d93175f5");
}

static void test_bytes_behind_the_image_change_nothing(void)
{
    struct moult_finding finding;
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_esp_image out;
    uint32_t size;
    uint8_t digest[32];
    load(SAMPLE_SIGNED_SIZE); /* a slot: erased flash behind */
    check_equal(parse_and_verify(&finding), MOULT_OK);
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(moult_esp_image_measure(&reader, &crypto, &out, &size, digest), MOULT_OK);
    check_equal(size, 336);
    check_hex(digest, "25408b0bcb20c4b393c627d28e3e0d5b1350e6a5e59a269bb1e79e73d93175f5");
}

static void test_every_truncation_is_found_with_what_was_expected(void)
{
    struct moult_finding finding;
    for (uint32_t size = 0; size < SAMPLE_IMAGE_SIZE; size++) {
        load(size);
        check_equal(parse_and_verify(&finding), MOULT_E_TRUNCATED);
        check_equal(finding.detail, MOULT_D_ESP_TRUNCATED);
        check_equal(finding.found, size);
        check(finding.expected > size && finding.expected <= SAMPLE_IMAGE_SIZE);
        check(finding.where <= size || finding.where == 288);
    }
}

static void test_every_flipped_bit_is_found(void)
{
    struct moult_finding finding;
    for (uint32_t bit = 0; bit < SAMPLE_IMAGE_SIZE * 8; bit++) {
        load(SAMPLE_IMAGE_SIZE);
        image[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum moult_status st = parse_and_verify(&finding);
        if (bit == 23 * 8) { /* "no digest": the digest is now bytes behind the image */
            struct moult_esp_image out;
            check_equal(st, MOULT_OK);
            check_equal(parse(&out, &finding), MOULT_OK);
            check_equal(out.size, SAMPLE_IMAGE_SIZE - 32);
            continue;
        }
        check(st != MOULT_OK);
        check(finding.detail != 0);
    }
}

static void test_flipped_bits_in_data_name_checksum_and_digest(void)
{
    struct moult_finding finding;
    load(SAMPLE_IMAGE_SIZE);
    image[100] ^= 0x10;
    check_equal(parse_and_verify(&finding), MOULT_E_DIGEST);
    check_equal(finding.detail, MOULT_D_ESP_CHECKSUM);
    check_equal(finding.where, 303);
    check_equal(finding.expected, 0xe3);
    check_equal(finding.found, 0xf3);

    load(SAMPLE_IMAGE_SIZE);
    image[100] ^= 0x10; /* two equal flips cancel in the checksum, not in the digest */
    image[104] ^= 0x10;
    check_equal(parse_and_verify(&finding), MOULT_E_DIGEST);
    check_equal(finding.detail, MOULT_D_ESP_DIGEST);
    check_equal(finding.where, 304);
    check_equal(finding.found, 0x0b82aaa9);

    load(SAMPLE_IMAGE_SIZE);
    image[290] = 1; /* padding before the checksum: only the digest covers it */
    check_equal(parse_and_verify(&finding), MOULT_E_DIGEST);
    check_equal(finding.detail, MOULT_D_ESP_DIGEST);
}

static void test_an_image_without_digest_is_judged_by_its_checksum(void)
{
    struct moult_finding finding;
    struct moult_esp_image out;
    load(SAMPLE_CHECKSUM_OFFSET + 1);
    image[23] = 0;
    check_equal(parse_and_verify(&finding), MOULT_OK);
    check_equal(parse(&out, &finding), MOULT_OK);
    check(!out.has_digest);
    check_equal(out.size, 304);
    image[200] ^= 1;
    check_equal(parse_and_verify(&finding), MOULT_E_DIGEST);
    check_equal(finding.detail, MOULT_D_ESP_CHECKSUM);
}

/* One header byte changed, and what must be said. */
static void test_headers_that_break_a_rule(void)
{
    static const struct {
        const char *name;
        uint32_t offset;
        uint8_t value;
        enum moult_status status;
        uint16_t detail;
        uint32_t where, expected, found;
    } rows[] = {
        {"magic", 0, 0xea, MOULT_E_FORMAT, MOULT_D_ESP_MAGIC, 0, 0xe9, 0xea},
        {"17 segments", 1, 17, MOULT_E_RANGE, MOULT_D_ESP_SEGMENTS, 1, 16, 17},
        {"3 segments", 1, 3, MOULT_E_RANGE, MOULT_D_ESP_SEGMENT, 296, 0xfffffc, 0xf3000000},
        {"hash flag", 23, 2, MOULT_E_FORMAT, MOULT_D_ESP_HASH_FLAG, 23, 1, 2},
        {"odd segment size", 28, 2, MOULT_E_RANGE, MOULT_D_ESP_SEGMENT, 24, 0xfffffc,
         0x102},
        {"16 MB segment", 31, 1, MOULT_E_RANGE, MOULT_D_ESP_SEGMENT, 24, 0xfffffc,
         0x1000100},
        {"long segment", 29, 2, MOULT_E_TRUNCATED, MOULT_D_ESP_TRUNCATED, 32, 544, 336},
        {"15 MB segment", 30, 0xf0, MOULT_E_TRUNCATED, MOULT_D_ESP_TRUNCATED, 32, 0xf00120,
         336},
    };
    struct moult_finding finding;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        load(SAMPLE_IMAGE_SIZE);
        image[rows[i].offset] = rows[i].value;
        check_equal(parse_and_verify(&finding), rows[i].status);
        check_equal(finding.detail, rows[i].detail);
        check_equal(finding.where, rows[i].where);
        check_equal(finding.expected, rows[i].expected);
        check_equal(finding.found, rows[i].found);
    }
    check_row(NULL);
}

/* A reader that is as large as it likes and has the same segment header everywhere. */
static enum moult_status read_endless(void *context, uint32_t offset, uint8_t *out,
                                      uint32_t size)
{
    static const uint8_t segment[8] = {0, 0, 0, 0, 0xf8, 0xff, 0x3f, 0}; /* 4 MB less 8 */
    (void)context;
    (void)offset;
    memcpy(out, size == 24 ? image : segment, size);
    return MOULT_OK;
}

static void test_more_than_16_mb_is_over_the_limit(void)
{
    struct moult_esp_image out;
    struct moult_finding finding;
    load(SAMPLE_IMAGE_SIZE);
    image[1] = 16;
    reader = (struct moult_reader){.read = read_endless, .size = UINT32_MAX};
    check_equal(parse(&out, &finding), MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_IMAGE_LIMIT);
    check_equal(finding.expected, 0x1000000);
}

/* The largest segment, the largest image: each one step further is refused. */
static void test_limits_are_exact(void)
{
    struct moult_esp_image out;
    struct moult_finding finding;
    load(SAMPLE_IMAGE_SIZE);
    image[23] = 0;
    image[1] = 1;
    memcpy(image + 28, "\xd0\xff\xff\x00", 4); /* 16 MB - 48: the image is 16 MB exactly */
    reader.size = UINT32_MAX;
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(out.size, 0x1000000);
    memcpy(image + 28, "\xe0\xff\xff\x00", 4);
    check_equal(parse(&out, &finding), MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_IMAGE_LIMIT);
    memcpy(image + 28, "\xfc\xff\xff\x00",
           4); /* the largest segment: only the sum is too much */
    check_equal(parse(&out, &finding), MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_IMAGE_LIMIT);
    memcpy(image + 28, "\x00\x00\x00\x01", 4);
    check_equal(parse(&out, &finding), MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_ESP_SEGMENT);
}

static void test_speed_and_size_are_the_two_nibbles(void)
{
    struct moult_esp_image out;
    struct moult_finding finding;
    load(SAMPLE_IMAGE_SIZE);
    image[3] = 0x4f;
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(out.spi_speed, 15);
    check_equal(out.spi_size, 4);
}

/* What lies behind the last segment is not one. */
static void test_only_as_many_segments_as_the_header_says(void)
{
    struct moult_esp_image out;
    struct moult_finding finding;
    load(SAMPLE_IMAGE_SIZE);
    memset(image + 288, 0x77, 15);
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(out.size, SAMPLE_IMAGE_SIZE);
    check_equal(out.segments[1].size, 0);
}

static uint32_t crypto_left; /* calls until the library fails */
static struct moult_crypto real;

static bool failing_init(void *context, struct moult_sha256 *hash)
{
    return crypto_left-- != 0 && real.sha256_init(context, hash);
}

static bool failing_update(void *context, struct moult_sha256 *hash, const uint8_t *data,
                           size_t size)
{
    return crypto_left-- != 0 && real.sha256_update(context, hash, data, size);
}

static bool failing_final(void *context, struct moult_sha256 *hash, uint8_t out[32])
{
    bool works = crypto_left-- != 0;
    if (!works) { real.sha256_abort(context, hash); }
    return works && real.sha256_final(context, hash, out);
}

static void test_a_failing_crypto_library_is_handed_on(void)
{
    struct moult_crypto crypto = real = keys_openssl_crypto();
    struct moult_esp_image out;
    struct moult_finding finding;
    uint32_t size, n = 0;
    uint8_t digest[32];
    crypto.sha256_init = failing_init;
    crypto.sha256_update = failing_update;
    crypto.sha256_final = failing_final;
    load(SAMPLE_SIGNED_SIZE);
    sample_signed_image(image);
    check_equal(parse(&out, &finding), MOULT_OK);
    for (enum moult_status st = MOULT_E_INTERNAL; st != MOULT_OK; n++) {
        crypto_left = n;
        st = moult_esp_image_verify(&reader, &crypto, &out, &finding);
        check(st == MOULT_OK || st == MOULT_E_INTERNAL);
        check(n < 100);
    }
    check(n > 5);
    n = 0;
    for (enum moult_status st = MOULT_E_INTERNAL; st != MOULT_OK; n++) {
        crypto_left = n;
        st = moult_esp_image_measure(&reader, &crypto, &out, &size, digest);
        check(st == MOULT_OK || st == MOULT_E_INTERNAL);
        check(n < 1000);
    }
    check(n > 5);
}

static void test_runs_on(void)
{
    struct moult_esp_image out;
    struct moult_finding finding;
    load(SAMPLE_IMAGE_SIZE);
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 3, 0, NULL), MOULT_OK);
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, UINT16_MAX, 0, NULL),
                MOULT_OK);
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32S3, 3, 0, &finding),
                MOULT_E_INCOMPATIBLE);
    check_equal(finding.detail, MOULT_D_ESP_CHIP);
    check_equal(finding.expected, MOULT_CHIP_ESP32S3);
    check_equal(finding.found, MOULT_CHIP_ESP32C3);
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 2, 0, &finding),
                MOULT_E_INCOMPATIBLE);
    check_equal(finding.detail, MOULT_D_ESP_REVISION);
    check_equal(finding.expected, 3);
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 200, 0, &finding),
                MOULT_E_INCOMPATIBLE);
    check_equal(finding.expected, 199);
    out.segments[0].load_address = 0x3c000024;
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 3, 0, &finding),
                MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_ESP_SEGMENT_MAP);
    check_equal(finding.expected, 0x24);
    check_equal(finding.found, 0x20);
    out.segments[0].load_address = 0x3c000021;
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 3, 0, NULL),
                MOULT_E_FORMAT);
    out.segment_count = 0;
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 3, 0, &finding),
                MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_ESP_SEGMENTS);
    check_equal(finding.expected, 1);
    check_equal(finding.found, 0);
}

static void test_mapping_is_judged_by_the_images_own_page(void)
{
    struct moult_esp_image out;
    struct moult_finding finding;
    load(SAMPLE_IMAGE_SIZE);
    check_equal(parse(&out, &finding), MOULT_OK);
    out.segments[0].load_address = 0x3c002020; /* congruent to 32 modulo 8 KB only */
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 3, 8192, NULL), MOULT_OK);
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 3, 0, NULL),
                MOULT_E_FORMAT);
    out.segments[0].load_address = 0x3fc80004; /* RAM: copied, not mapped */
    check_equal(moult_esp_image_runs_on(&out, MOULT_CHIP_ESP32C3, 3, 0, NULL), MOULT_OK);
}

static void test_any_step_size_gives_the_same_verdict(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_esp_image out;
    struct moult_finding finding;
    for (uint32_t step = 1; step <= SAMPLE_IMAGE_SIZE; step++) {
        for (int is_bad = 0; is_bad < 2; is_bad++) {
            struct moult_esp_check state;
            enum moult_status st;
            uint32_t steps = 0;
            load(SAMPLE_IMAGE_SIZE);
            image[300] ^= (uint8_t)is_bad;
            check_equal(parse(&out, &finding), MOULT_OK);
            check_equal(moult_esp_check_begin(&state, &reader, &crypto, &out), MOULT_OK);
            while ((st = moult_esp_check_step(&state, step, &finding)) == MOULT_E_BUSY) {
                steps++;
            }
            check_equal(st, is_bad ? MOULT_E_DIGEST : MOULT_OK);
            check(steps <= SAMPLE_CHECKSUM_OFFSET / step);
        }
    }
}

static void test_a_check_can_be_abandoned(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_esp_image out;
    struct moult_finding finding;
    struct moult_esp_check state;
    load(SAMPLE_IMAGE_SIZE);
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(moult_esp_check_begin(&state, &reader, &crypto, &out), MOULT_OK);
    check_equal(moult_esp_check_step(&state, 10, &finding), MOULT_E_BUSY);
    moult_esp_check_abandon(&state); /* a leak would be reported by the sanitizer */
}

static uint32_t reads_left;

static enum moult_status read_failing(void *context, uint32_t offset, uint8_t *out,
                                      uint32_t size)
{
    (void)context;
    if (reads_left == 0) { return MOULT_E_IO; }
    reads_left--;
    memcpy(out, image + offset, size);
    return MOULT_OK;
}

static void test_a_failing_reader_is_handed_on(void)
{
    struct moult_finding finding;
    struct moult_crypto crypto = keys_openssl_crypto();
    uint32_t size;
    uint8_t digest[32];
    for (uint32_t n = 0;; n++) {
        struct moult_esp_image out;
        load(SAMPLE_IMAGE_SIZE);
        sample_signed_image(image);
        reader = (struct moult_reader){.read = read_failing, .size = sizeof image};
        reads_left = n;
        enum moult_status st = parse(&out, &finding);
        if (st == MOULT_OK) {
            st = moult_esp_image_verify(&reader, &crypto, &out, &finding);
        }
        if (st == MOULT_OK) {
            st = moult_esp_image_measure(&reader, &crypto, &out, &size, digest);
        }
        if (st == MOULT_OK) { break; }
        check_equal(st, MOULT_E_IO);
        check(n < 1000);
    }
    check_equal(size, SAMPLE_SIGNED_SIZE);
}

static void test_a_signature_sector_belongs_to_the_image_proper(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_esp_image out;
    struct moult_finding finding;
    uint32_t size;
    uint8_t digest[32], expected[32];
    load(SAMPLE_SIGNED_SIZE);
    sample_signed_image(image);
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(moult_esp_image_measure(&reader, &crypto, &out, &size, digest), MOULT_OK);
    check_equal(size, SAMPLE_SIGNED_SIZE);
    check_equal(moult_sha256_once(&crypto, image, sizeof image, expected), MOULT_OK);
    check_bytes(digest, expected, 32);
}

/* espressif's updater erases only the new image's length: the sector of the previous,
 * signed image stays behind an unsigned one. */
static void test_a_signature_sector_of_another_image_does_not_count(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_esp_image out;
    struct moult_finding finding;
    uint32_t size;
    uint8_t digest[32];
    load(SAMPLE_SIGNED_SIZE);
    sample_signed_image(image);
    image[2000] = 0; /* between image and sector: still covered by the signed digest */
    check_equal(parse(&out, &finding), MOULT_OK);
    check_equal(moult_esp_image_measure(&reader, &crypto, &out, &size, digest), MOULT_OK);
    check_equal(size, 336);
    check_hex(digest, "25408b0bcb20c4b393c627d28e3e0d5b1350e6a5e59a269bb1e79e73d93175f5");
}

int main(void)
{
    check_run(test_worked_example_parses);
    check_run(test_worked_example_is_whole);
    check_run(test_bytes_behind_the_image_change_nothing);
    check_run(test_every_truncation_is_found_with_what_was_expected);
    check_run(test_every_flipped_bit_is_found);
    check_run(test_flipped_bits_in_data_name_checksum_and_digest);
    check_run(test_an_image_without_digest_is_judged_by_its_checksum);
    check_run(test_headers_that_break_a_rule);
    check_run(test_more_than_16_mb_is_over_the_limit);
    check_run(test_limits_are_exact);
    check_run(test_speed_and_size_are_the_two_nibbles);
    check_run(test_only_as_many_segments_as_the_header_says);
    check_run(test_a_failing_crypto_library_is_handed_on);
    check_run(test_runs_on);
    check_run(test_mapping_is_judged_by_the_images_own_page);
    check_run(test_any_step_size_gives_the_same_verdict);
    check_run(test_a_check_can_be_abandoned);
    check_run(test_a_failing_reader_is_handed_on);
    check_run(test_a_signature_sector_belongs_to_the_image_proper);
    check_run(test_a_signature_sector_of_another_image_does_not_count);
    return check_report();
}
