/* fuzz_elf.c - cli/elf.c: sections lie in the file, ascend and do not overlap. */
#include <stdlib.h>
#include "cli/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) { abort(); }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_file elf;
    struct moult_finding finding = {0};
    struct moult_bytes file = {data, size};
    enum moult_status st = elf_parse(file, &elf, &finding);
    must((st == MOULT_OK) == (finding.detail == 0));
    if (st != MOULT_OK) { return 0; }

    uint64_t end = 0;
    must(elf.section_count >= 1 && elf.section_count <= ELF_LOADED_MAX);
    for (uint32_t i = 0; i < elf.section_count; i++) {
        const struct elf_section *s = &elf.sections[i];
        must(s->address >= end && s->data.size > 0);
        must(s->data.data >= data && s->data.size <= size);
        must((size_t)(s->data.data - data) <= size - s->data.size);
        end = (uint64_t)s->address + s->data.size;
    }
    return 0;
}
