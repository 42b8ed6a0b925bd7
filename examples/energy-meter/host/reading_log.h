/* reading_log.h - readings and boots in a ring of flash sectors, so that none is lost in an
 * update.
 *
 * Layer    examples/energy-meter/host, on the simulated chip's "meter" partition.
 * Format   records of 64 bytes, one after the other: a reading as meter_reading_encode()
 *          writes it, or a boot: "BOO1", u8 reset, 3 zeros, u32 boot number, u32 0, u64
 *          sequence of the release, u64 time, u64 sequence of the reading before it,
 *          zeros, CRC-32 of the 60 bytes before. All
 *          little-endian.
 * Memory   struct reading_log; no heap.
 * Power    a record is one program of flash, so a cut loses at most the one being written;
 *          the next goes behind it. The oldest sector is erased for the newest record.
 * Use it   open, which finds the end; append; walk from the oldest with a cursor.
 */
#ifndef METER_HOST_READING_LOG_H
#define METER_HOST_READING_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "examples/energy-meter/core/meter.h"
#include "formats/status.h"
#include "ports/sim/flash.h"

#define READING_LOG_RECORD_SIZE METER_READING_SIZE

struct boot_record {
    uint32_t number;   /* of this device's boots, from 1 */
    uint8_t reset;     /* enum moult_reset */
    uint64_t sequence; /* of the release that booted; 0: not managed */
    uint64_t time_ms;  /* unix time */
    uint64_t after;    /* sequence of the last reading before it; 0: none */
};

enum record_kind { RECORD_READING, RECORD_BOOT };

struct record {
    enum record_kind kind;
    struct meter_reading reading;
    struct boot_record boot;
};

struct reading_log {
    struct moult_sim_flash *flash; /* borrowed */
    uint32_t offset, size;         /* of the partition */
    uint32_t next;                 /* where the next record goes, from offset */
    bool has_reading, has_boot;
    struct meter_reading last_reading;
    struct boot_record last_boot;
};

/* Read everything once. MOULT_OK, also when it is empty; MOULT_E_RANGE: fewer than two
 * sectors; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status reading_log_open(struct reading_log *log,
                                                    struct moult_sim_flash *flash,
                                                    uint32_t offset, uint32_t size);

/* MOULT_OK: on flash; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status reading_log_add(struct reading_log *log,
                                                   const struct meter_reading *reading);
MOULT_MUST_CHECK enum moult_status reading_log_add_boot(struct reading_log *log,
                                                        const struct boot_record *boot);

/* Records from the oldest; start with *cursor = 0. MOULT_OK; MOULT_E_NOENT: no more;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status reading_log_next(const struct reading_log *log,
                                                    uint32_t *cursor, struct record *out);

/* What the records say of the whole. */
struct reading_summary {
    uint64_t first, last; /* sequence numbers that are still there; 0: none */
    uint64_t missing;     /* numbers that are not, between them */
    uint64_t lost_ms;     /* time without samples although there was power */
    uint64_t dark_ms;     /* time without power, or without the process */
    uint32_t boots;       /* of the device, ever */
    uint32_t power_cuts;  /* boots by power-on among the records, the first not counted */
    uint32_t restarts;    /* other boots among the records */
};
MOULT_MUST_CHECK enum moult_status reading_log_summary(const struct reading_log *log,
                                                       struct reading_summary *out);

#endif
