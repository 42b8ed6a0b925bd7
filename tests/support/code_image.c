/* code_image.c - see code_image.h. */
#include "tests/support/code_image.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/chip.h"
#include "keys/openssl_crypto.h"

enum { PLACES = CODE_FUNCTIONS + 8, HEADER = 24, SEGMENT_HEADER = 8 };

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

void code_program_make(struct code_program *p, uint16_t chip_id, uint32_t seed)
{
    *p = (struct code_program){
        .chip_id = chip_id, .count = CODE_FUNCTIONS, .text_seed = seed, .text_size = 6000};
    for (unsigned i = 0; i < p->count; i++) {
        p->functions[i].name = i;
        p->functions[i].seed = next(&seed);
        p->functions[i].size = 10 + next(&seed) % 60;
    }
}

void code_program_edit(struct code_program *p, uint32_t seed)
{
    for (unsigned i = 0; i < 3; i++) {
        unsigned which = next(&seed) % p->count;
        p->functions[which].size += 2 + next(&seed) % 5;
        p->functions[next(&seed) % p->count].seed ^= 1;
    }
    unsigned at = next(&seed) % p->count;
    memmove(&p->functions[at + 1], &p->functions[at],
            (p->count - at) * sizeof p->functions[0]);
    p->functions[at].name = PLACES; /* nobody calls it yet */
    p->functions[at].seed = next(&seed);
    p->count++;
    p->text_size += 4 + next(&seed) % 8 * 4;
}

/* Where things are, and what is written. */
struct linker {
    const struct code_program *p;
    bool is_xtensa;
    uint8_t *out;
    uint32_t at, capacity;
    uint32_t address;       /* of the next byte of the segment */
    uint32_t place[PLACES]; /* of functions by name; from the first pass */
    uint32_t text;          /* address of the read-only data */
};

static void byte(struct linker *l, uint32_t value)
{
    assert(l->at < l->capacity);
    l->out[l->at++] = (uint8_t)value;
    l->address++;
}

static void bytes(struct linker *l, uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        byte(l, value >> 8 * i);
    }
}

static void align(struct linker *l)
{
    while (l->address % 4 != 0) {
        byte(l, 0);
    }
}

/* Somebody who is there in all versions. */
static uint32_t callee(const struct linker *l, uint32_t chance)
{
    return l->place[chance % CODE_FUNCTIONS];
}

/* --- RV32IMC ------------------------------------------------------------------------- */

static void riscv_jal(struct linker *l, uint32_t target)
{
    uint32_t x = target - l->address;
    bytes(l,
          0xef | (x >> 20 & 1) << 31 | (x >> 1 & 0x3ff) << 21 | (x >> 11 & 1) << 20 |
              (x >> 12 & 0xff) << 12,
          4);
}

static void riscv_address(struct linker *l, uint32_t target, uint32_t rd, bool is_pc)
{
    uint32_t value = target - (is_pc ? l->address : 0);
    bytes(l, ((value + 0x800) & 0xfffff000) | rd << 7 | (is_pc ? 0x17 : 0x37), 4);
    bytes(l, (value & 0xfff) << 20 | rd << 15 | rd << 7 | 0x13, 4);
}

static void riscv_operation(struct linker *l, uint32_t *seed)
{
    uint32_t chance = next(seed), more = next(seed);
    uint32_t rd = 5 + more % 11;
    switch (chance % 10) {
    case 0:
        riscv_jal(l, callee(l, more));
        break;
    case 1:
        riscv_address(l, l->text + more % 4096, rd, false);
        break;
    case 2:
        riscv_address(l, callee(l, more), rd, true);
        break;
    case 3:
        bytes(l, 0x00000463 | rd << 15, 4);
        break; /* beq rd, zero, +8 */
    case 4:
    case 5:
        bytes(l, 0x33 | rd << 7 | (more >> 4 & 31) << 15, 4);
        break; /* add */
    default:
        bytes(l, 0x0001 | rd << 7 | (more >> 4 & 31) << 2, 2);
        break; /* c.addi */
    }
}

/* --- Xtensa -------------------------------------------------------------------------- */

static void xtensa_call(struct linker *l, uint32_t target)
{
    uint32_t offset = (target - 4 - (l->address & ~3u)) >> 2;
    bytes(l, 0x25 | (offset & 0x3ffff) << 6, 3); /* call8 */
}

static void xtensa_literal(struct linker *l, uint32_t literal)
{
    uint32_t offset = (literal - ((l->address + 3) & ~3u)) >> 2;
    bytes(l, 0x81 | (offset & 0xffff) << 8, 3); /* l32r a8 */
}

static void xtensa_operation(struct linker *l, uint32_t *seed, uint32_t pool)
{
    uint32_t chance = next(seed), more = next(seed);
    switch (chance % 8) {
    case 0:
        xtensa_call(l, callee(l, more));
        break;
    case 1:
        xtensa_literal(l, pool + more % 2 * 4);
        break;
    case 2:
        bytes(l, 0x000516 | more % 8 << 12, 3);
        break; /* beqz, a little forward */
    case 3:
        bytes(l, 0x800000 | (more & 0xff) << 8 | 0x20, 3);
        break;
    default:
        bytes(l, 0x0d | (more & 0xf) << 8 | 0x20, 2);
        break; /* mov.n */
    }
}

/* --- the whole ----------------------------------------------------------------------- */

static void function(struct linker *l, unsigned i)
{
    uint32_t seed = l->p->functions[i].seed, name = l->p->functions[i].name;
    align(l);
    uint32_t pool = l->address;
    if (l->is_xtensa) { /* the literals of a function stand before it */
        bytes(l, l->text + next(&seed) % 4096, 4);
        bytes(l, callee(l, next(&seed)), 4);
    }
    if (name < PLACES) { l->place[name] = l->address; }
    if (l->is_xtensa) { bytes(l, 0x004136, 3); } /* entry a1, 32 */
    for (unsigned k = 0; k < l->p->functions[i].size; k++) {
        if (l->is_xtensa) {
            xtensa_operation(l, &seed, pool);
        } else {
            riscv_operation(l, &seed);
        }
    }
    bytes(l, l->is_xtensa ? 0xf01d : 0x8082, 2); /* retw.n; ret */
}

static uint32_t begin_segment(struct linker *l, uint32_t address)
{
    bytes(l, address, 4);
    bytes(l, 0, 4);
    l->address = address;
    return l->at;
}

static void end_segment(struct linker *l, uint32_t from)
{
    align(l);
    put_le32(l->out + from - 4, l->at - from);
}

static void text_segment(struct linker *l)
{
    uint32_t seed = l->p->text_seed, from = begin_segment(l, l->text);
    for (unsigned i = 0; i < l->p->text_size; i++) {
        byte(l, 'a' + next(&seed) % 9);
    }
    end_segment(l, from);
}

static void code_segment(struct linker *l)
{
    uint32_t from = begin_segment(l, l->is_xtensa ? 0x400d0020 : 0x42000020);
    for (unsigned i = 0; i < l->p->count; i++) {
        function(l, i);
    }
    end_segment(l, from);
}

static void data_segment(struct linker *l)
{
    uint32_t from = begin_segment(l, l->is_xtensa ? 0x3ffb0000 : 0x3fc80000);
    for (unsigned i = 0; i < CODE_FUNCTIONS; i++) {
        bytes(l, l->place[i], 4);
        bytes(l, i * 3, 4);
    }
    end_segment(l, from);
}

static void finish(struct linker *l)
{
    uint8_t sum = 0xef;
    uint32_t at = HEADER;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t size = get_le32(l->out + at + 4);
        at += SEGMENT_HEADER;
        for (uint32_t k = 0; k < size; k++) {
            sum ^= l->out[at + k];
        }
        at += size;
    }
    while (l->at % 16 != 15) {
        byte(l, 0);
    }
    byte(l, sum);
    struct moult_crypto crypto = keys_openssl_crypto();
    assert(l->at + 32 <= l->capacity);
    enum moult_status status = moult_sha256_once(&crypto, l->out, l->at, l->out + l->at);
    assert(status == MOULT_OK);
    (void)status; /* without asserts */
    l->at += 32;
}

uint32_t code_image_link(const struct code_program *p, uint8_t *out, uint32_t capacity)
{
    struct linker l = {.p = p,
                       .is_xtensa = p->chip_id != MOULT_CHIP_ESP32C3,
                       .out = out,
                       .capacity = capacity};
    l.text = l.is_xtensa ? 0x3f400020 : 0x3c000020;
    for (unsigned pass = 0; pass < 2; pass++) { /* the first finds the places */
        l.at = l.address = 0;
        bytes(&l, 0x000003e9, 4);
        bytes(&l, 0x40380000, 4);
        bytes(&l, 0, 4);
        bytes(&l, p->chip_id, 2);
        while (l.at < HEADER - 1) {
            byte(&l, 0);
        }
        byte(&l, 1); /* a digest is appended */
        text_segment(&l);
        code_segment(&l);
        data_segment(&l);
    }
    finish(&l);
    return l.at;
}
