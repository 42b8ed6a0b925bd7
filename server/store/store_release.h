/* store_release.h - rows of keysets, artifacts, releases and their components.
 *
 * Layer    server/store.
 * Memory   rows read are copies; rows handed to a callback live for that call.
 * Threads  as the connection: inside its job.
 */
#ifndef MOULT_SERVER_STORE_STORE_RELEASE_H
#define MOULT_SERVER_STORE_STORE_RELEASE_H

#include <stdbool.h>
#include "formats/bytes.h"
#include "server/store/store.h"
#include "server/store/store_device.h" /* STORE_VERSION_SIZE */

#define STORE_COMPONENTS_MAX 4u
#define STORE_ENVELOPE_MAX 1024u
#define STORE_NOTES_SIZE 257u

enum store_release_state {
    STORE_RELEASE_DRAFT = 1,
    STORE_RELEASE_PUBLISHED = 2,
    STORE_RELEASE_RECALLED = 3,
};

struct store_component {
    uint8_t id;
    uint8_t format;
    uint8_t secure_version;
    uint16_t chip_id, revision_min, revision_max;
    uint32_t size;
    uint8_t sha256[32];
};

struct store_release {
    int64_t num;
    uint8_t id[16];
    uint8_t class_id[16];
    uint64_t sequence;
    char version[STORE_VERSION_SIZE];
    uint64_t rollback_floor, source_sequence;
    uint32_t flags;
    uint8_t payload_sha256[32];
    uint8_t state;
    char notes[STORE_NOTES_SIZE];
    int64_t created_ms;
    size_t envelope_size;
    uint8_t envelope[STORE_ENVELOPE_MAX];
    uint8_t component_count;
    struct store_component components[STORE_COMPONENTS_MAX];
};

/* Release and components; artifacts must be there. num is set.
 * MOULT_OK; MOULT_E_EXISTS: class and sequence, or the payload, or an artifact missing;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status store_release_insert(struct store_db *db,
                                                        struct store_release *release);
/* All, by num, with their components. */
MOULT_MUST_CHECK enum moult_status
store_release_each(struct store_db *db,
                   bool (*each)(void *context, const struct store_release *release),
                   void *context);
MOULT_MUST_CHECK enum moult_status store_release_save_state(struct store_db *db,
                                                            int64_t num, uint8_t state);

/* How many accepted devices run an image with this digest. */
MOULT_MUST_CHECK enum moult_status
store_running_count(struct store_db *db, const uint8_t sha256[32], uint32_t *count);

/* Idempotent. */
MOULT_MUST_CHECK enum moult_status store_artifact_put(struct store_db *db,
                                                      const uint8_t sha256[32],
                                                      uint64_t size, int64_t now_ms);

MOULT_MUST_CHECK enum moult_status store_keyset_put(struct store_db *db, uint32_t version,
                                                    struct moult_bytes envelope,
                                                    int64_t now_ms);
/* By rising version. */
MOULT_MUST_CHECK enum moult_status store_keyset_each(
    struct store_db *db,
    bool (*each)(void *context, uint32_t version, struct moult_bytes envelope),
    void *context);

#endif
