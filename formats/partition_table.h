/* partition_table.h - ESP-IDF partition tables: binary form, rules, and questions about
 * them.
 *
 * Layer    formats: pure.
 * Format   esp_partition_info_t rows and an MD5 row; docs/spec/partition-table.md.
 * Memory   struct moult_partition_table 3.4 KB, the caller's (static on a device that
 *          needs it).
 * Use it   moult_partition_parse() or moult_partition_csv_parse(), then
 *          moult_partition_check(), then questions. A table that parses is not yet one
 *          that boots: check it.
 *
 * Findings carry a row number, from 0, in `where`; the number of rows where a row is
 * missing.
 */
#ifndef MOULT_FORMATS_PARTITION_TABLE_H
#define MOULT_FORMATS_PARTITION_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/reader.h"
#include "formats/status.h"

#define MOULT_PARTITION_TABLE_OFFSET                                                       \
    0x8000u /* in flash, unless the build says otherwise                                   \
             */
#define MOULT_PARTITION_TABLE_SIZE                                                         \
    0xc00u /* bytes of rows; the sector's rest is not used                                 \
            */
#define MOULT_PARTITION_ROW_SIZE 32u
#define MOULT_PARTITION_ROWS_MAX 95u /* 96 rows less the terminator; 94 with an MD5 row */
#define MOULT_PARTITION_LABEL_SIZE 16u
#define MOULT_PARTITION_SLOTS_MAX 16u

/* As stored on flash. */
enum {
    MOULT_PARTITION_APP = 0x00,
    MOULT_PARTITION_DATA = 0x01,
    MOULT_PARTITION_BOOTLOADER = 0x02,
    MOULT_PARTITION_PARTITION_TABLE = 0x03,
};
enum {
    MOULT_PARTITION_FACTORY = 0x00, /* app */
    MOULT_PARTITION_OTA_0 = 0x10,   /* app: ota_N is 0x10 + N */
    MOULT_PARTITION_TEST = 0x20,    /* app */
    MOULT_PARTITION_OTADATA = 0x00, /* data */
    MOULT_PARTITION_NVS = 0x02,     /* data */
    MOULT_PARTITION_COREDUMP = 0x03,
    MOULT_PARTITION_NVS_KEYS = 0x04,
    MOULT_PARTITION_UNDEFINED = 0x06,
    MOULT_PARTITION_TEE_OTA = 0x90,
    MOULT_PARTITION_PRIMARY = 0x00,  /* bootloader, partition_table */
    MOULT_PARTITION_RECOVERY = 0x02, /* bootloader */
};
#define MOULT_PARTITION_ENCRYPTED 1u
#define MOULT_PARTITION_READONLY 2u

struct moult_partition {
    uint32_t offset, size;
    uint32_t flags; /* as stored: MOULT_PARTITION_ENCRYPTED | _READONLY, others unknown */
    uint8_t type, subtype;
    char label[MOULT_PARTITION_LABEL_SIZE + 1];
};

struct moult_partition_table {
    uint32_t count;
    bool has_md5; /* parse: a row was there and good; encode: write one */
    struct moult_partition rows[MOULT_PARTITION_ROWS_MAX];
};

/* The binary form.
 *
 * out       undefined on failure.
 * finding   may be NULL.
 *
 * MOULT_OK; MOULT_E_FORMAT: a row without magic, an empty first row, no terminator, two MD5
 * rows, a row behind the MD5 row; MOULT_E_DIGEST: the MD5 differs. */
MOULT_MUST_CHECK enum moult_status
moult_partition_parse(const uint8_t raw[MOULT_PARTITION_TABLE_SIZE],
                      struct moult_partition_table *out, struct moult_finding *finding);

/* The opposite, as ESP-IDF's generator writes it: MD5 row when table->has_md5, rest 0xff.
 * MOULT_OK; MOULT_E_RANGE: more rows than fit with the MD5. */
MOULT_MUST_CHECK enum moult_status
moult_partition_encode(const struct moult_partition_table *table,
                       uint8_t raw[MOULT_PARTITION_TABLE_SIZE]);

/* What a table is judged against. */
struct moult_partition_rules {
    uint32_t table_offset; /* of the table itself; normally MOULT_PARTITION_TABLE_OFFSET */
    uint32_t flash_size;   /* bytes of the chip's flash; 0: not known, not checked */
    bool secure_boot_v1;   /* app sizes in units of 64 KB */
    bool
        for_moult; /* also what moult asks: slots contiguous, two or more, equal size ... */
    bool anti_rollback; /* with for_moult: no factory and no test app */
};

/* All rules of ESP-IDF's generator and bootloader, then moult's own; each breach is one
 * finding with its own detail, in the order of the rules.
 *
 * findings   room for `capacity`; what does not fit is counted but not stored.
 *
 * The number of findings, warnings included; 0: nothing to say. */
uint32_t moult_partition_check(const struct moult_partition_table *table,
                               const struct moult_partition_rules *rules,
                               struct moult_finding *findings, uint32_t capacity);

/* Whether a finding of moult_partition_check() only warns (ESP-IDF's tools accept the
 * table). */
bool moult_partition_is_warning(uint16_t detail);

/* The first row of that type and subtype; NULL: none. Borrowed from the table. */
const struct moult_partition *
moult_partition_find(const struct moult_partition_table *table, uint8_t type,
                     uint8_t subtype);

/* The row of that label; NULL: none. */
const struct moult_partition *
moult_partition_find_label(const struct moult_partition_table *table, const char *label);

/* How many OTA slots the app side sees: ota_0, ota_1, ... up to the first gap. */
uint32_t moult_partition_slot_count(const struct moult_partition_table *table);

/* The words for a type and a subtype: "app", "ota_0"; NULL when they have none. Constant.
 */
const char *moult_partition_type_name(uint8_t type);
const char *moult_partition_subtype_name(uint8_t type, uint8_t subtype);

#endif
