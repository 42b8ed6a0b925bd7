/* flash_crypt.c - see flash_crypt.h. A Feistel network over the two halves of a unit. */
#include "ports/sim/flash_crypt.h"
#include "formats/bytes.h"
#include "ports/sim/flash_fault.h"

enum { ROUNDS = 4, HALF = MOULT_SIM_CRYPT_UNIT / 2 };
#define KEY 0x6d6f756c742d7369u

static uint64_t mix(uint32_t offset, uint32_t round, uint64_t half)
{
    return moult_sim_mixed_bits(KEY ^ half, (uint64_t)offset * ROUNDS + round);
}

void moult_sim_encrypt_unit(uint32_t offset, uint8_t unit[MOULT_SIM_CRYPT_UNIT])
{
    uint64_t left = get_le64(unit), right = get_le64(unit + HALF);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t next = left ^ mix(offset, round, right);
        left = right;
        right = next;
    }
    put_le64(unit, left);
    put_le64(unit + HALF, right);
}

void moult_sim_decrypt_unit(uint32_t offset, uint8_t unit[MOULT_SIM_CRYPT_UNIT])
{
    uint64_t left = get_le64(unit), right = get_le64(unit + HALF);
    for (uint32_t round = ROUNDS; round > 0; round--) {
        uint64_t before = right ^ mix(offset, round - 1, left);
        right = left;
        left = before;
    }
    put_le64(unit, left);
    put_le64(unit + HALF, right);
}
