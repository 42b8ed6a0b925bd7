/* patch_header_test.c - formats/patch_header.c: what is written is read, what is wrong is
 * refused at its place. */
#include "formats/patch_header.h"
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"

static struct moult_patch_header sample(void)
{
    struct moult_patch_header h = {
        .profile = MOULT_PATCH_M8,
        .isa = MOULT_PATCH_RISCV,
        .flags = MOULT_PATCH_FLAGS,
        .chip_id = 5,
        .map_count = 3,
        .prelude_size = 20,
        .same_address = 1,
        .base_size = 100000,
        .new_size = 90112,
        .patch_size = 4000,
        .new_count = 2,
        .base_count = 2,
    };
    h.new_segments[0] = (struct moult_patch_segment){0x3c000020, 30000, 32, false, 1};
    h.new_segments[1] = (struct moult_patch_segment){0x42010000, 60000, 30040, true, 0};
    h.base_segments[0] = (struct moult_patch_segment){0x3c000020, 40000, 32, false, 1};
    h.base_segments[1] = (struct moult_patch_segment){0x42000020, 50000, 40040, true, 2};
    memset(h.base_id, 0xb0, sizeof h.base_id);
    memset(h.new_id, 0x4e, sizeof h.new_id);
    return h;
}

static uint8_t raw[MOULT_PATCH_HEADER_MAX];

static enum moult_status written(struct moult_patch_header h, size_t *size)
{
    memset(raw, 0, sizeof raw);
    enum moult_status status = moult_patch_header_write(&h, raw);
    *size = h.size;
    return status;
}

static void test_what_is_written_is_read(void)
{
    struct moult_patch_header h = sample(), back;
    size_t size;
    check_equal(written(h, &size), MOULT_OK);
    check(size <= 80); /* an image of seven segments stays below that */
    check_equal(moult_patch_header_read(raw, size, &back, NULL), MOULT_OK);
    check_equal(back.new_size, h.new_size);
    check_equal(back.map_count, 3);
    check_equal(back.new_segments[1].offset, 30040);
    check_equal(back.new_segments[1].address, 0x42010000);
    check(back.base_segments[1].is_code);
    check_equal(back.base_segments[1].reach, 2);
    check_bytes(back.new_id, h.new_id, sizeof h.new_id);
    check_equal(moult_patch_segments_end(&back), 90040);
    check_equal(moult_patch_derived_size(&back), 8 + 32);
}

static void test_it_ends_early_at_no_place(void)
{
    struct moult_patch_header back;
    struct moult_finding finding;
    size_t size;
    check_equal(written(sample(), &size), MOULT_OK);
    for (size_t n = 0; n < size; n++) {
        check_equal(moult_patch_header_read(raw, n, &back, &finding), MOULT_E_TRUNCATED);
        check_equal(finding.detail, MOULT_D_PATCH_FORMAT);
    }
}

/* One field each, as a value that the format excludes. */
static void test_what_the_format_excludes_is_refused(void)
{
    static const struct {
        const char *name;
        unsigned at, size;
        uint32_t value;
        enum moult_status status;
    } rows[] = {
        {"magic", 0, 1, 'X', MOULT_E_FORMAT},
        {"version", 4, 1, 2, MOULT_E_UNSUPPORTED},
        {"profile", 5, 1, 3, MOULT_E_UNSUPPORTED},
        {"isa", 6, 1, 4, MOULT_E_UNSUPPORTED},
        {"unknown flag", 7, 1, 31, MOULT_E_UNSUPPORTED},
        {"digest without checksum", 7, 1, 11, MOULT_E_FORMAT},
        {"ESP base without base", 7, 1, 2, MOULT_E_FORMAT},
        {"block too small", 10, 1, 15, MOULT_E_FORMAT},
        {"block too large", 10, 1, 24, MOULT_E_FORMAT},
        {"too many segments", 11, 1, 17, MOULT_E_FORMAT},
        {"reserved", 13, 1, 1, MOULT_E_FORMAT},
        {"too many moves", 14, 2, 257, MOULT_E_FORMAT},
        {"moves without map", 46, 2, 0, MOULT_E_FORMAT},
        {"no base", 16, 4, 0, MOULT_E_FORMAT},
        {"base too large", 16, 4, MOULT_PATCH_IMAGE_MAX + 1, MOULT_E_FORMAT},
        {"no result", 20, 4, 0, MOULT_E_FORMAT},
        {"result smaller than its segments", 20, 4, 90000, MOULT_E_FORMAT},
        {"patch smaller than its header", 24, 4, 60, MOULT_E_FORMAT},
        {"another size of the header", 44, 2, 70, MOULT_E_FORMAT},
        {"attribute that is not used", 48, 1, 0x80, MOULT_E_FORMAT},
        {"derived bytes across a block", 20, 4, 90040 + 3, MOULT_E_FORMAT},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_patch_header back;
        struct moult_finding finding;
        size_t size;
        check_row(rows[i].name);
        check_equal(written(sample(), &size), MOULT_OK);
        for (unsigned k = 0; k < rows[i].size; k++) {
            raw[rows[i].at + k] = (uint8_t)(rows[i].value >> 8 * k);
        }
        enum moult_status status = moult_patch_header_read(raw, size, &back, &finding);
        check_equal(status, rows[i].status);
        check_equal(finding.detail, MOULT_D_PATCH_FORMAT);
    }
    check_row(NULL);
}

/* A base that begins as an ESP image with these segments. */
static void test_segments_of_the_base_are_read_from_it(void)
{
    static uint8_t base[100000];
    struct moult_patch_header h = sample(), back;
    size_t size;
    check_equal(written(h, &size), MOULT_OK);
    check_equal(moult_patch_header_read(raw, size, &back, NULL), MOULT_OK);
    struct moult_bytes bytes = {base, sizeof base};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    check_equal(moult_patch_header_base(&back, &reader), MOULT_E_FORMAT); /* zeros */
    base[0] = 0xe9;
    base[1] = 2;
    put_le32(base + 24, 0x3c000020);
    put_le32(base + 28, 40000);
    put_le32(base + 40032, 0x42000020);
    put_le32(base + 40036, 50000);
    check_equal(moult_patch_header_base(&back, &reader), MOULT_OK);
    check_equal(back.base_segments[1].offset, 40040);
    check_equal(back.new_segments[0].address, 0x3c000020); /* the same as the base's */
    put_le32(base + 40036, 70000);
    check_equal(moult_patch_header_base(&back, &reader), MOULT_E_FORMAT);
    base[1] = 3;
    check_equal(moult_patch_header_base(&back, &reader), MOULT_E_FORMAT);
}

static void test_ram_is_what_a_decoder_of_the_profile_has(void)
{
    check_equal(moult_patch_ram(MOULT_PATCH_M8, 256), 12288);
    check_equal(moult_patch_ram(MOULT_PATCH_M16, 512), 20992);
}

int main(void)
{
    check_run(test_what_is_written_is_read);
    check_run(test_it_ends_early_at_no_place);
    check_run(test_what_the_format_excludes_is_refused);
    check_run(test_segments_of_the_base_are_read_from_it);
    check_run(test_ram_is_what_a_decoder_of_the_profile_has);
    return check_report();
}
