/* ids.h - 128-bit, time-ordered ids as people see them: "rol_01J3...".
 *
 * Layer    server/control, private to this folder.
 * Format   a prefix of three letters, "_", 26 digits of Crockford's base32, most
 *          significant first. The first 48 bits are unix milliseconds. Reading ignores case
 *          and takes O as 0, I and L as 1.
 */
#ifndef MOULT_SERVER_CONTROL_IDS_H
#define MOULT_SERVER_CONTROL_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "server/base/random.h"

#define ID_SIZE 16u
#define ID_TEXT_SIZE 31u /* prefix, "_", 26 digits, NUL */

/* 48 bits of time, 80 random bits. False: no randomness. */
MOULT_MUST_CHECK bool id_make(const struct random *random, int64_t now_ms,
                              uint8_t id[ID_SIZE]);
/* 48 bits of time, then 16 bits of `a` and 64 of `b`: the id of a row without a stored
 * one. */
void id_of_row(int64_t time_ms, uint16_t a, uint64_t b, uint8_t id[ID_SIZE]);

/* prefix: exactly three letters. */
void id_write(const char *prefix, const uint8_t id[ID_SIZE], char out[ID_TEXT_SIZE]);
/* False: not an id of this kind; id is then untouched. */
bool id_parse(const char *prefix, const char *text, uint8_t id[ID_SIZE]);

/* Events are named by their row: "evt_" of time and number. */
void event_id_write(int64_t time_ms, int64_t num, char out[ID_TEXT_SIZE]);
bool event_id_parse(const char *text, int64_t *num);

#endif
