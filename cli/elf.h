/* elf.h - what an ELF file would load where: the input of `moult image make`.
 *
 * Layer    cli: pure, reads bytes in memory.
 * Format   ELF32, little-endian, executable, RISC-V or Xtensa (System V gABI).
 * Memory   struct elf_file about 800 bytes, the caller's; sections point into the file.
 *
 * Sections are read, not program headers, as Espressif's image tool does: ESP-IDF's linker
 * scripts leave holes between sections that a segment would fill.
 */
#ifndef MOULT_CLI_ELF_H
#define MOULT_CLI_ELF_H

#include "formats/bytes.h"
#include "formats/reader.h"
#include "formats/status.h"

#define ELF_LOADED_MAX 32u /* sections that load; ESP-IDF's applications have about 12 */
#define ELF_SECTIONS_MAX 4096u /* sections in all, with debug information */

struct elf_section {
    uint32_t address;
    struct moult_bytes data; /* borrowed from the file; at least 1 byte */
};

struct elf_file {
    uint32_t entry;
    uint32_t section_count;
    struct elf_section sections[ELF_LOADED_MAX]; /* ascending by address, not overlapping */
};

/* Read an ELF file.
 *
 * file     borrowed as long as out is used.
 * out      undefined on failure.
 * finding  `where` is an offset in the file. May be NULL.
 *
 * MOULT_OK; MOULT_E_FORMAT: not such an ELF file (ELF_FORMAT), or sections overlap;
 * MOULT_E_TRUNCATED: a header or section leaves the file (ELF_SEGMENT); MOULT_E_RANGE: more
 * sections than the limits above. */
MOULT_MUST_CHECK enum moult_status elf_parse(struct moult_bytes file, struct elf_file *out,
                                             struct moult_finding *finding);

#endif
