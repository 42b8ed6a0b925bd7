/* artifact_store.h - the bytes that devices download, kept by their SHA-256.
 *
 * Layer    server/store.
 * Format   FOLDER/ab/cd/abcd...: the first four hex digits are folders. FOLDER/tmp holds
 *          uploads.
 * Threads  any; an upload is used by one at a time.
 * Power    a file gets its final name only after its bytes were synced and their digest
 *          checked, so what has a final name is whole; leftovers in tmp are removed at
 * open.
 * Use it   upload: begin, write..., finish (or abandon). download: artifact_open(), then
 *          the fd is the caller's.
 */
#ifndef MOULT_SERVER_STORE_ARTIFACT_STORE_H
#define MOULT_SERVER_STORE_ARTIFACT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/crypto.h"
#include "formats/status.h"

#define ARTIFACT_SIZE_MAX 0x1000000u /* 16 MB: the largest partition */

struct artifact_store;
struct artifact_upload;

/* *out moved. folder is created when missing. crypto: borrowed, must allow any thread.
 * MOULT_OK; MOULT_E_IO; MOULT_E_NOMEM. */
MOULT_MUST_CHECK enum moult_status artifact_store_open(const char *folder,
                                                       const struct moult_crypto *crypto,
                                                       struct artifact_store **out);
void artifact_store_close(struct artifact_store *store);

/* A new upload of the bytes with this digest. *out moved.
 * MOULT_OK; MOULT_E_EXISTS: it is stored already, nothing to send; MOULT_E_IO;
 * MOULT_E_NOMEM. */
MOULT_MUST_CHECK enum moult_status artifact_upload_begin(struct artifact_store *store,
                                                         const uint8_t sha256[32],
                                                         struct artifact_upload **out);
/* MOULT_OK; MOULT_E_RANGE: over ARTIFACT_SIZE_MAX; MOULT_E_SPACE: the disk is full;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status artifact_upload_write(struct artifact_upload *upload,
                                                         const void *data, size_t size);
/* Ends the upload in any case. MOULT_OK: stored for good; MOULT_E_DIGEST: other bytes than
 * named, nothing is kept and found (may be NULL) is their digest; MOULT_E_IO,
 * MOULT_E_SPACE. */
MOULT_MUST_CHECK enum moult_status
artifact_upload_finish(struct artifact_upload *upload, uint64_t *size, uint8_t found[32]);
void artifact_upload_abandon(struct artifact_upload *upload); /* NULL is allowed */

/* Opens for reading; *fd is moved to the caller. The first open of a file in this process
 * re-hashes it, which takes as long as reading it: call from a worker, or when
 * artifact_is_checked(). MOULT_OK; MOULT_E_NOENT; MOULT_E_DIGEST: damaged on disk, set
 * aside as NAME.damaged; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status artifact_open(struct artifact_store *store,
                                                 const uint8_t sha256[32], int *fd,
                                                 uint64_t *size);

/* Whether artifact_open() will not have to hash. */
bool artifact_is_checked(struct artifact_store *store, const uint8_t sha256[32]);

#endif
