/* durable.h - small files that are either the old or the new one, whatever happens.
 *
 * Layer    server/signer.
 */
#ifndef MOULT_SERVER_SIGNER_DURABLE_H
#define MOULT_SERVER_SIGNER_DURABLE_H

#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"

/* Replaces the file: written to PATH.tmp, synced, renamed, folder synced. Mode 0600.
 * MOULT_OK; MOULT_E_RANGE: the path is too long; MOULT_E_IO: the old file is untouched. */
MOULT_MUST_CHECK enum moult_status durable_replace(const char *path, const uint8_t *data,
                                                   size_t size);

/* Appends and syncs; makes the file when it is not there. A failed append is cut off again.
 * MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status durable_append(const char *path, const uint8_t *data,
                                                  size_t size);

/* The whole file, at most `capacity` bytes. *size is set on success.
 * MOULT_OK; MOULT_E_NOENT; MOULT_E_IO; MOULT_E_RANGE: it is larger. */
MOULT_MUST_CHECK enum moult_status durable_read(const char *path, uint8_t *out,
                                                size_t capacity, size_t *size);

#endif
