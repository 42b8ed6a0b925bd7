/* otadata.h - the two records that say which app slot an ESP-IDF bootloader starts next.
 *
 * Layer    formats: pure functions. No I/O, clock, allocation or globals.
 * Format   esp_ota_select_entry_t; field by field in docs/spec/otadata.md.
 * Power    an update of an entry is one sector erase, then one 32-byte write. Between the
 *          two the record does not exist, and a torn write can leave any mix;
 *          docs/design/otadata.md lists what boots after each cut.
 * Use it   an updater: moult_otadata_select(), erase the sector, write the entry. A
 *          bootloader: formats/boot_choice.h, which uses moult_otadata_choose().
 */
#ifndef MOULT_FORMATS_OTADATA_H
#define MOULT_FORMATS_OTADATA_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/status.h"

#define MOULT_OTADATA_SIZE 32u          /* bytes per entry; one entry per sector */
#define MOULT_OTADATA_SECTOR_SIZE 4096u /* entry 0 at 0, entry 1 at 4096 */
#define MOULT_OTADATA_PARTITION_SIZE 8192u
#define MOULT_OTADATA_SLOTS_MAX 16u /* ota_0 .. ota_15 */

/* As stored on flash, never renumber. Any other value boots, as in ESP-IDF. */
enum {
    MOULT_OTADATA_NEW = 0,            /* written by the updater, never booted */
    MOULT_OTADATA_PENDING_VERIFY = 1, /* booted once, not confirmed yet */
    MOULT_OTADATA_VALID = 2,          /* confirmed by the application */
    MOULT_OTADATA_INVALID = 3,        /* rejected by its own self-test */
    MOULT_OTADATA_ABORTED = 4,        /* reset before it confirmed */
};
#define MOULT_OTADATA_UNDEFINED                                                            \
    UINT32_MAX /* written where rollback is off: boots, no trial */

struct moult_otadata_entry {
    uint32_t seq;   /* from 1; UINT32_MAX: empty */
    uint32_t state; /* not covered by the CRC */
    uint32_t crc;
    bool has_good_crc; /* crc is that of seq */
};

/* The word for a state: "NEW", "PENDING_VERIFY", ...; "?" for a value of no name. */
const char *moult_otadata_state_name(uint32_t state);

/* Fields of an entry as they are, good or bad. */
struct moult_otadata_entry moult_otadata_decode(const uint8_t raw[MOULT_OTADATA_SIZE]);

/* A well-formed entry: label 0xff, CRC of seq. */
void moult_otadata_encode(uint32_t seq, uint32_t state, uint8_t raw[MOULT_OTADATA_SIZE]);

/* ESP-IDF's three predicates. They overlap on purpose: an entry with a bad CRC is neither
 * valid nor invalid, and initial does not look at the state. */
bool moult_otadata_is_invalid(const struct moult_otadata_entry *entry);
bool moult_otadata_is_valid(const struct moult_otadata_entry *entry);
bool moult_otadata_is_initial(const struct moult_otadata_entry *entry);

/* The entry that counts: the valid one with the larger seq (equal: 0); -1: neither is
 * valid. */
int moult_otadata_active(const uint8_t raw[2][MOULT_OTADATA_SIZE]);

/* N of ota_N that a sequence number selects. seq >= 1 and not UINT32_MAX, slot_count >= 1.
 */
uint32_t moult_otadata_slot(uint32_t seq, uint32_t slot_count);

/* One sector to rewrite: erase it, then write these 32 bytes at its start. */
struct moult_otadata_write {
    uint32_t sector; /* 0 or 1 */
    uint8_t raw[MOULT_OTADATA_SIZE];
};

/* What to write so that `slot` boots next, as esp_ota_set_boot_partition() does.
 *
 * raw         both entries as read from flash; borrowed for the call.
 * state       MOULT_OTADATA_NEW for a trial, MOULT_OTADATA_UNDEFINED for none.
 *
 * MOULT_OK; MOULT_E_RANGE: slot_count not in 1..16, slot not below it, or no sequence
 * number left.
 */
MOULT_MUST_CHECK enum moult_status
moult_otadata_select(const uint8_t raw[2][MOULT_OTADATA_SIZE], uint32_t slot,
                     uint32_t slot_count, uint32_t state, struct moult_otadata_write *out);

/* What to write so that the active entry gets `state` (mark valid, mark invalid): all other
 * bytes stay as they are. MOULT_OK; MOULT_E_NOENT: no active entry; MOULT_E_EXISTS: it has
 * that state. */
MOULT_MUST_CHECK enum moult_status
moult_otadata_mark(const uint8_t raw[2][MOULT_OTADATA_SIZE], uint32_t state,
                   struct moult_otadata_write *out);

/* How the bootloader was built. */
struct moult_otadata_rules {
    uint32_t slot_count;    /* ota_N partitions, 0..MOULT_OTADATA_SLOTS_MAX */
    bool rollback;          /* CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE */
    bool anti_rollback;     /* CONFIG_BOOTLOADER_APP_ANTI_ROLLBACK; requires rollback */
    uint16_t slots_allowed; /* anti-rollback: bit N set when the secure_version of slot N is
                               not below the eFuse's; otherwise not looked at */
};

struct moult_otadata_choice {
    int entry;         /* 0 or 1; -1 when neither may boot */
    uint32_t slot;     /* N of ota_N; meaningful when entry >= 0 */
    uint32_t state[2]; /* write back where it differs, in this order, before booting */
    bool is_fresh;     /* never used: without a factory app, the slot that boots is stamped
                          VALID in entry 0 */
    bool is_confirmed; /* the chosen entry was VALID: anti-rollback burns the eFuse now */
};

/* Decide as the bootloader does.
 *
 * raw    both entries as read from flash; borrowed for the call.
 * out    set on OK and on NOENT (states may need writing even then).
 *
 * MOULT_OK; MOULT_E_NOENT: neither entry may boot: factory, else the first slot that
 * verifies; MOULT_E_RANGE: slot_count; MOULT_E_ARG: anti-rollback without rollback. */
MOULT_MUST_CHECK enum moult_status
moult_otadata_choose(const uint8_t raw[2][MOULT_OTADATA_SIZE],
                     const struct moult_otadata_rules *rules,
                     struct moult_otadata_choice *out);

#endif
