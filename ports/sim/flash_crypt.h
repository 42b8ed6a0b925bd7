/* flash_crypt.h - the cipher of a simulated flash with encryption.
 *
 * Layer    ports/sim, private to it.
 *
 * Stands for XTS-AES in what software can notice: a unit of 16 bytes is garbage as soon as
 * one of its bits is wrong, the same bytes look different at another address, and erased
 * flash does not decrypt to 0xff. It keeps no secrets: the key is a constant, so that runs
 * repeat.
 */
#ifndef MOULT_PORTS_SIM_FLASH_CRYPT_H
#define MOULT_PORTS_SIM_FLASH_CRYPT_H

#include <stdint.h>

#define MOULT_SIM_CRYPT_UNIT 16u

/* One unit in place; offset is where it is in flash. */
void moult_sim_encrypt_unit(uint32_t offset, uint8_t unit[MOULT_SIM_CRYPT_UNIT]);
void moult_sim_decrypt_unit(uint32_t offset, uint8_t unit[MOULT_SIM_CRYPT_UNIT]);

#endif
