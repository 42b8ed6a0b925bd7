/* operand.h - the field of an instruction or a word that holds an address.
 *
 * Layer    codec/decode, private to the codec. Pure.
 * Format   docs/spec/patch.md, "Operands".
 */
#ifndef MOULT_CODEC_DECODE_OPERAND_H
#define MOULT_CODEC_DECODE_OPERAND_H

#include <stdbool.h>
#include <stdint.h>

/* Offsets in RISC-V instructions: of JAL, branches, compressed ones, stores. */
int32_t moult_jal_offset(uint32_t word);
int32_t moult_branch_offset(uint32_t word);
int32_t moult_compressed_offset(uint32_t half);
int32_t moult_store_offset(uint32_t word);

struct moult_unit;

/* Write target into the operand of the unit at new_address, over unit->old, to out. False:
 * it cannot be expressed, out undefined. Units without operand: false. */
bool moult_operand_put(const struct moult_unit *unit, uint32_t new_address, bool is_riscv,
                       uint32_t target, uint8_t out[4]);

/* Bits of a unit that belong to its operand, as a mask over its bytes (little-endian). */
uint32_t moult_operand_mask(const struct moult_unit *unit, bool is_riscv);

/* The target in bytes of a unit at new_address; only meaningful when all bits outside the
 * operand are those of the unit. */
uint32_t moult_operand_get(const struct moult_unit *unit, uint32_t new_address,
                           bool is_riscv, const uint8_t bytes[4]);

#endif
