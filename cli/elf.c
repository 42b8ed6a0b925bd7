/* elf.c - see elf.h. */
#include "cli/elf.h"
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "formats/codes.h"

enum {
    HEADER_SIZE = 52,
    OFF_TYPE = 16,
    OFF_MACHINE = 18,
    OFF_ENTRY = 24,
    OFF_SECTIONS = 32,
    OFF_SECTION_SIZE = 46,
    OFF_SECTION_COUNT = 48,
    SECTION_SIZE = 40,
    OFF_S_TYPE = 4,
    OFF_S_FLAGS = 8,
    OFF_S_ADDRESS = 12,
    OFF_S_OFFSET = 16,
    OFF_S_SIZE = 20,
    TYPE_EXECUTABLE = 2,
    MACHINE_XTENSA = 94,
    MACHINE_RISCV = 243,
    SECTION_PROGBITS = 1,
    SECTION_INIT_ARRAY = 14,
    SECTION_FINI_ARRAY = 15,
    SECTION_PREINIT_ARRAY = 16,
    FLAG_ALLOC = 2,
};

static enum moult_status fail(struct moult_finding *finding, enum moult_status status,
                              uint16_t detail, uint32_t where, uint32_t expected,
                              uint32_t found)
{
    return moult_found(finding, status,
                       (struct moult_finding){detail, where, expected, found});
}

static enum moult_status check_header(struct moult_bytes file,
                                      struct moult_finding *finding)
{
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F',
                                     1,    1,   1}; /* 32 bits, LE, version 1 */
    if (file.size < HEADER_SIZE) {
        return fail(finding, MOULT_E_TRUNCATED, MOULT_D_ELF_FORMAT, 0, HEADER_SIZE,
                    (uint32_t)file.size);
    }
    for (uint32_t i = 0; i < sizeof ident; i++) {
        if (file.data[i] != ident[i]) {
            return fail(finding, MOULT_E_FORMAT, MOULT_D_ELF_FORMAT, i, ident[i],
                        file.data[i]);
        }
    }
    uint16_t type = get_le16(file.data + OFF_TYPE),
             machine = get_le16(file.data + OFF_MACHINE);
    if (type != TYPE_EXECUTABLE) {
        return fail(finding, MOULT_E_FORMAT, MOULT_D_ELF_FORMAT, OFF_TYPE, TYPE_EXECUTABLE,
                    type);
    }
    if (machine != MACHINE_RISCV && machine != MACHINE_XTENSA) {
        return fail(finding, MOULT_E_FORMAT, MOULT_D_ELF_FORMAT, OFF_MACHINE, MACHINE_RISCV,
                    machine);
    }
    uint16_t size = get_le16(file.data + OFF_SECTION_SIZE);
    if (size != SECTION_SIZE) {
        return fail(finding, MOULT_E_FORMAT, MOULT_D_ELF_FORMAT, OFF_SECTION_SIZE,
                    SECTION_SIZE, size);
    }
    return MOULT_OK;
}

static bool is_loaded(const uint8_t *header)
{
    uint32_t type = get_le32(header + OFF_S_TYPE);
    bool has_bytes = type == SECTION_PROGBITS || type == SECTION_INIT_ARRAY ||
                     type == SECTION_FINI_ARRAY || type == SECTION_PREINIT_ARRAY;
    return has_bytes && (get_le32(header + OFF_S_FLAGS) & FLAG_ALLOC) &&
           get_le32(header + OFF_S_SIZE) > 0 && get_le32(header + OFF_S_ADDRESS) > 0;
}

/* Into its place by address. */
static void insert(struct elf_file *out, struct elf_section section)
{
    uint32_t i = out->section_count++;
    for (; i > 0 && out->sections[i - 1].address > section.address; i--) {
        out->sections[i] = out->sections[i - 1];
    }
    out->sections[i] = section;
}

static enum moult_status take_section(struct moult_bytes file, uint32_t header_offset,
                                      struct elf_file *out, struct moult_finding *finding)
{
    const uint8_t *header = file.data + header_offset;
    if (!is_loaded(header)) { return MOULT_OK; }

    uint32_t end, offset = get_le32(header + OFF_S_OFFSET),
                  size = get_le32(header + OFF_S_SIZE);
    uint32_t address = get_le32(header + OFF_S_ADDRESS);
    if (!moult_add_u32(offset, size, &end) || end > file.size) {
        return fail(finding, MOULT_E_TRUNCATED, MOULT_D_ELF_SEGMENT, header_offset, size,
                    (uint32_t)(offset < file.size ? file.size - offset : 0));
    }
    if (!moult_add_u32(address, size, &end)) {
        return fail(finding, MOULT_E_FORMAT, MOULT_D_ELF_SEGMENT, header_offset,
                    UINT32_MAX - address, size);
    }
    if (out->section_count == ELF_LOADED_MAX) {
        return fail(finding, MOULT_E_RANGE, MOULT_D_ELF_SEGMENT, header_offset,
                    ELF_LOADED_MAX, ELF_LOADED_MAX + 1);
    }
    insert(out, (struct elf_section){address, {file.data + offset, size}});
    return MOULT_OK;
}

static enum moult_status check_overlap(const struct elf_file *elf,
                                       struct moult_finding *finding)
{
    for (uint32_t i = 1; i < elf->section_count; i++) {
        const struct elf_section *before = &elf->sections[i - 1];
        uint32_t end = before->address + (uint32_t)before->data.size;
        if (elf->sections[i].address < end) {
            return fail(finding, MOULT_E_FORMAT, MOULT_D_ELF_SEGMENT, 0, end,
                        elf->sections[i].address);
        }
    }
    return MOULT_OK;
}

enum moult_status elf_parse(struct moult_bytes file, struct elf_file *out,
                            struct moult_finding *finding)
{
    assert((file.data || file.size == 0) && out);
    enum moult_status st = check_header(file, finding);
    if (st != MOULT_OK) { return st; }

    *out = (struct elf_file){.entry = get_le32(file.data + OFF_ENTRY)};
    uint32_t table = get_le32(file.data + OFF_SECTIONS), end;
    uint32_t count = get_le16(file.data + OFF_SECTION_COUNT);
    if (count > ELF_SECTIONS_MAX) {
        return fail(finding, MOULT_E_RANGE, MOULT_D_ELF_FORMAT, OFF_SECTION_COUNT,
                    ELF_SECTIONS_MAX, count);
    }
    if (!moult_add_u32(table, count * SECTION_SIZE, &end) || end > file.size) {
        return fail(finding, MOULT_E_TRUNCATED, MOULT_D_ELF_FORMAT, OFF_SECTIONS,
                    count * SECTION_SIZE, (uint32_t)file.size);
    }
    for (uint32_t i = 0; st == MOULT_OK && i < count; i++) {
        st = take_section(file, table + i * SECTION_SIZE, out, finding);
    }
    if (st == MOULT_OK && out->section_count == 0) {
        st = fail(finding, MOULT_E_FORMAT, MOULT_D_ELF_FORMAT, OFF_SECTION_COUNT, 1, 0);
    }
    return st == MOULT_OK ? check_overlap(out, finding) : st;
}
