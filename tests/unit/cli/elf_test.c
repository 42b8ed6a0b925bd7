/* elf_test.c - cli/elf.c: what an ELF file loads, and what is said of one that does not. */
#include "cli/elf.h"

#include <stdlib.h>
#include <string.h>

#include "formats/codes.h"
#include "tests/support/unit.h"

enum { HEADER = 52, SECTION = 40, TABLE = 52, DATA = 300, SIZE = 320 };

static uint8_t file[SIZE];

/* A section header: i-th of the table. */
static void section(int i, uint32_t type, uint32_t flags, uint32_t address, uint32_t offset,
                    uint32_t size)
{
    uint8_t *raw = file + TABLE + i * SECTION;
    memset(raw, 0, SECTION);
    put_le32(raw + 4, type);
    put_le32(raw + 8, flags);
    put_le32(raw + 12, address);
    put_le32(raw + 16, offset);
    put_le32(raw + 20, size);
}

/* RISC-V, entry 0x40380000; section 1 is code, 2 data in front of it, 3 .bss, 4 debug. */
static void load(void)
{
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    memset(file, 0, sizeof file);
    memcpy(file, ident, sizeof ident);
    put_le16(file + 16, 2);
    put_le16(file + 18, 243);
    put_le32(file + 24, 0x40380000);
    put_le32(file + 32, TABLE);
    put_le16(file + 46, SECTION);
    put_le16(file + 48, 5);
    section(1, 1, 6, 0x40380000, DATA, 8);
    section(2, 1, 2, 0x3c000020, DATA + 8, 12);
    section(3, 8, 3, 0x3fc80000, DATA, 4096);
    section(4, 1, 0, 0, DATA, 20);
}

static enum moult_status parse(size_t size, struct elf_file *out,
                               struct moult_finding *finding)
{
    uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees the very end */
    memcpy(exact, file, size);
    memset(finding, 0, sizeof *finding);
    enum moult_status st = elf_parse((struct moult_bytes){exact, size}, out, finding);
    free(exact);
    return st;
}

static void test_sections_that_load_come_in_order_of_address(void **state)
{
    struct elf_file elf;
    struct moult_finding finding;
    (void)state;
    load();
    assert_int_equal(parse(SIZE, &elf, &finding), MOULT_OK);
    assert_int_equal(elf.entry, 0x40380000);
    assert_int_equal(elf.section_count, 2);
    assert_int_equal(elf.sections[0].address, 0x3c000020);
    assert_int_equal(elf.sections[0].data.size, 12);
    assert_int_equal(elf.sections[1].address, 0x40380000);
}

static void test_xtensa_is_as_good(void **state)
{
    struct elf_file elf;
    struct moult_finding finding;
    (void)state;
    load();
    put_le16(file + 18, 94);
    assert_int_equal(parse(SIZE, &elf, &finding), MOULT_OK);
}

static void test_every_truncation_is_found(void **state)
{
    struct elf_file elf;
    struct moult_finding finding;
    (void)state;
    load();
    for (size_t size = 0; size < SIZE; size++) {
        assert_int_equal(parse(size, &elf, &finding), MOULT_E_TRUNCATED);
        assert_true(finding.detail == MOULT_D_ELF_FORMAT ||
                    finding.detail == MOULT_D_ELF_SEGMENT);
    }
}

static void test_files_that_break_a_rule(void **state)
{
    static const struct {
        uint32_t offset;
        uint8_t value;
        uint16_t detail;
        uint32_t where, expected, found;
    } rows[] = {
        {0, 0x7e, MOULT_D_ELF_FORMAT, 0, 0x7f, 0x7e},
        {4, 2, MOULT_D_ELF_FORMAT, 4, 1, 2},       /* 64 bits */
        {5, 2, MOULT_D_ELF_FORMAT, 5, 1, 2},       /* big-endian */
        {16, 1, MOULT_D_ELF_FORMAT, 16, 2, 1},     /* an object file */
        {18, 40, MOULT_D_ELF_FORMAT, 18, 243, 40}, /* ARM */
        {46, 64, MOULT_D_ELF_FORMAT, 46, 40, 64},
    };
    struct elf_file elf;
    struct moult_finding finding;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load();
        file[rows[i].offset] = rows[i].value;
        assert_int_equal(parse(SIZE, &elf, &finding), MOULT_E_FORMAT);
        assert_int_equal(finding.detail, rows[i].detail);
        assert_int_equal(finding.where, rows[i].where);
        assert_int_equal(finding.expected, rows[i].expected);
        assert_int_equal(finding.found, rows[i].found);
    }
}

static void test_sections_may_touch_but_not_overlap(void **state)
{
    struct elf_file elf;
    struct moult_finding finding;
    (void)state;
    load();
    section(2, 1, 2, 0x40380008, DATA + 8, 12);
    assert_int_equal(parse(SIZE, &elf, &finding), MOULT_OK);
    section(2, 1, 2, 0x40380007, DATA + 8, 12);
    assert_int_equal(parse(SIZE, &elf, &finding), MOULT_E_FORMAT);
    assert_int_equal(finding.detail, MOULT_D_ELF_SEGMENT);
    assert_int_equal(finding.expected, 0x40380008);
    assert_int_equal(finding.found, 0x40380007);
    section(2, 1, 2, 0xfffffff8, DATA + 8, 12); /* over the end of the addresses */
    assert_int_equal(parse(SIZE, &elf, &finding), MOULT_E_FORMAT);
}

static void test_nothing_to_load_is_not_a_program(void **state)
{
    struct elf_file elf;
    struct moult_finding finding;
    (void)state;
    load();
    put_le16(file + 48, 1);
    assert_int_equal(parse(SIZE, &elf, &finding), MOULT_E_FORMAT);
    assert_int_equal(finding.expected, 1);
}

static void test_limits(void **state)
{
    static uint8_t large[TABLE + (ELF_SECTIONS_MAX + 1) * SECTION];
    struct elf_file elf;
    struct moult_finding finding = {0};
    (void)state;
    load();
    memcpy(large, file, HEADER);
    put_le16(large + 48, ELF_SECTIONS_MAX + 1);
    struct moult_bytes bytes = {large, sizeof large};
    assert_int_equal(elf_parse(bytes, &elf, &finding), MOULT_E_RANGE);
    put_le16(large + 48, ELF_LOADED_MAX + 1);
    for (uint32_t i = 0; i <= ELF_LOADED_MAX; i++) {
        section(0, 1, 2, 0x1000 + 16 * i, 0, 16);
        memcpy(large + TABLE + i * SECTION, file + TABLE, SECTION);
    }
    assert_int_equal(elf_parse(bytes, &elf, &finding), MOULT_E_RANGE);
    assert_int_equal(finding.detail, MOULT_D_ELF_SEGMENT);
    put_le16(large + 48, ELF_LOADED_MAX);
    assert_int_equal(elf_parse(bytes, &elf, &finding), MOULT_OK);
    assert_int_equal(elf.section_count, ELF_LOADED_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections_that_load_come_in_order_of_address),
        cmocka_unit_test(test_xtensa_is_as_good),
        cmocka_unit_test(test_every_truncation_is_found),
        cmocka_unit_test(test_files_that_break_a_rule),
        cmocka_unit_test(test_sections_may_touch_but_not_overlap),
        cmocka_unit_test(test_nothing_to_load_is_not_a_program),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
