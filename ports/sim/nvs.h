/* nvs.h - a key-value store in the nvs partition that a power cut cannot harm.
 *
 * Layer    ports/sim. Own format, in the manner of ESP-IDF's NVS (pages, 32-byte entries,
 *          entry states that only clear bits), so that wear and cut points are alike; byte
 *          by byte in docs/design/simulator.md.
 * Memory   no heap; struct moult_sim_nvs below. Reads the flash for every call.
 * Threads  one at a time per store.
 * Power    a cut at any flash operation leaves the old value or the new one under the key
 *          being written, and every other key as it was. A value that rots at rest reads as
 *          damaged or missing; an older value never comes back.
 * Use it   mount, then get, set, erase. At least three sectors: one is always kept free to
 *          collect garbage into.
 */
#ifndef MOULT_PORTS_SIM_NVS_H
#define MOULT_PORTS_SIM_NVS_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"
#include "ports/sim/flash.h"

#define MOULT_SIM_NVS_KEY_MAX 15u    /* characters of a key, as in ESP-IDF */
#define MOULT_SIM_NVS_BLOB_MAX 2304u /* bytes of a value: port.h asks for 2,176 */
#define MOULT_SIM_NVS_PAGES_MIN 3u   /* one filling, one full, one free */
#define MOULT_SIM_NVS_PAGES_MAX 32u  /* 128 KB: more than any product gives to NVS */
#define MOULT_SIM_NVS_ENTRIES 126u   /* 32-byte entries of a page */
#define MOULT_SIM_NVS_ENTRY_SIZE 32u

struct moult_sim_nvs_page {
    uint32_t seq; /* pages with a higher one are newer; meaningful when used */
    uint8_t kind; /* free, to be erased, or used */
    uint8_t end;  /* first entry nothing was written to */
    uint8_t live; /* entries of records that count */
};

struct moult_sim_nvs {
    struct moult_sim_flash *flash; /* borrowed */
    uint32_t offset;               /* of the partition */
    uint32_t page_count;
    uint32_t active; /* page that fills; page_count: none yet */
    struct moult_sim_nvs_page pages[MOULT_SIM_NVS_PAGES_MAX];
};

/* A record that was found. */
struct moult_sim_nvs_record {
    uint32_t page, entry;
    uint8_t space;
    uint16_t size;     /* bytes of the value */
    uint32_t data_crc; /* of the value */
    char key[MOULT_SIM_NVS_KEY_MAX + 1];
};

/* Opens the store in [offset, offset + size) of flash. A partition with nothing readable is
 * an empty store.
 *
 * is_writable   also finish what a cut left undone; false: no write at all, and set and
 *               erase must not be called.
 *
 * MOULT_OK; MOULT_E_RANGE: not whole sectors, or fewer or more than the limits; MOULT_E_IO.
 */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_mount(struct moult_sim_nvs *nvs,
                                                       struct moult_sim_flash *flash,
                                                       uint32_t offset, uint32_t size,
                                                       bool is_writable);

/* The value of a key.
 *
 * space   like a namespace of ESP-IDF: keys of different spaces are different keys.
 * key     1..MOULT_SIM_NVS_KEY_MAX characters; anything else is MOULT_E_ARG.
 * size    bytes of the value, also on MOULT_E_SPACE.
 *
 * MOULT_OK; MOULT_E_NOENT; MOULT_E_SPACE: larger than capacity; MOULT_E_DIGEST: it rotted;
 * MOULT_E_IO. out undefined on failure. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_get(const struct moult_sim_nvs *nvs,
                                                     uint8_t space, const char *key,
                                                     uint8_t *out, uint32_t capacity,
                                                     uint32_t *size);

/* Sets a key to data[0..size). Writes nothing when it has that value already.
 * MOULT_OK: durable; MOULT_E_RANGE: size over MOULT_SIM_NVS_BLOB_MAX; MOULT_E_SPACE: the
 * store is full, the old value stays; MOULT_E_IO: old or new value. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_set(struct moult_sim_nvs *nvs,
                                                     uint8_t space, const char *key,
                                                     const uint8_t *data, uint32_t size);

/* Takes a key away. MOULT_OK, also when there was none; MOULT_E_IO: the value or none. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_erase(struct moult_sim_nvs *nvs,
                                                       uint8_t space, const char *key);

/* The record that counts of a key. MOULT_OK; MOULT_E_NOENT; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_find(const struct moult_sim_nvs *nvs,
                                                      uint8_t space, const char *key,
                                                      struct moult_sim_nvs_record *out);

/* Where its header entry is in flash; the value begins in the entry behind. */
uint32_t moult_sim_nvs_record_offset(const struct moult_sim_nvs *nvs,
                                     const struct moult_sim_nvs_record *record);

/* Every key once, in no order. Start with a zeroed cursor.
 * MOULT_OK; MOULT_E_NOENT: that was the last one; MOULT_E_IO. */
struct moult_sim_nvs_cursor {
    uint32_t page, entry;
};
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_next(const struct moult_sim_nvs *nvs,
                                                      struct moult_sim_nvs_cursor *cursor,
                                                      struct moult_sim_nvs_record *out);

#endif
