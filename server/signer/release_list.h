/* release_list.h - the releases that this signer has verified itself.
 *
 * Layer    server/signer.
 * Format   records of 36 bytes: SHA-256 of a release payload, CRC-32 (little-endian) of it.
 * Memory   RELEASE_LIST_MAX digests on the heap.
 * Power    a record that was torn by a cut is cut off at the next open.
 */
#ifndef MOULT_SERVER_SIGNER_RELEASE_LIST_H
#define MOULT_SERVER_SIGNER_RELEASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"

/* Releases one signer can name: ten classes, one release a day, eleven years. */
#define RELEASE_LIST_MAX 40000u
#define RELEASE_LIST_PATH_MAX 512u

struct release_list {
    char path[RELEASE_LIST_PATH_MAX];
    uint8_t (*digests)[32]; /* in order of arrival; owned */
    size_t count;
};

/* MOULT_OK; MOULT_E_IO; MOULT_E_NOMEM; MOULT_E_RANGE: path or file too long;
 * MOULT_E_FORMAT: a record before the last is damaged. Needs no close on failure. */
MOULT_MUST_CHECK enum moult_status release_list_open(struct release_list *list,
                                                     const char *path);
void release_list_close(struct release_list *list);

bool release_list_has(const struct release_list *list, const uint8_t digest[32]);

/* Durable when it returns MOULT_OK; what is there already is OK too. MOULT_E_SPACE: full;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status release_list_add(struct release_list *list,
                                                    const uint8_t digest[32]);

#endif
