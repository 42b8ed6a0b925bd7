/* reading_log.c - see reading_log.h. */
#include "examples/energy-meter/host/reading_log.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "moult/port.h"

enum {
    RECORD_SIZE = READING_LOG_RECORD_SIZE,
    BOOT_MAGIC = 0x314f4f42, /* "BOO1" */
    OFF_RESET = 4,
    OFF_NUMBER = 8,
    OFF_SEQUENCE = 16,
    OFF_TIME = 24,
    OFF_AFTER = 32,
    OFF_CRC = 60,
};
_Static_assert(OFF_CRC + 4 == RECORD_SIZE, "record layout");
_Static_assert(MOULT_SIM_SECTOR_SIZE % RECORD_SIZE == 0, "whole records per sector");

static void encode_boot(const struct boot_record *boot, uint8_t raw[RECORD_SIZE])
{
    memset(raw, 0, RECORD_SIZE);
    put_le32(raw, BOOT_MAGIC);
    raw[OFF_RESET] = boot->reset;
    put_le32(raw + OFF_NUMBER, boot->number);
    put_le64(raw + OFF_SEQUENCE, boot->sequence);
    put_le64(raw + OFF_TIME, boot->time_ms);
    put_le64(raw + OFF_AFTER, boot->after);
    put_le32(raw + OFF_CRC, crc32_le(0, raw, OFF_CRC));
}

/* False: blank or damaged. */
static bool decode(const uint8_t raw[RECORD_SIZE], struct record *out)
{
    if (meter_reading_decode(raw, &out->reading)) {
        out->kind = RECORD_READING;
        return true;
    }
    if (get_le32(raw) != BOOT_MAGIC ||
        get_le32(raw + OFF_CRC) != crc32_le(0, raw, OFF_CRC)) {
        return false;
    }
    out->kind = RECORD_BOOT;
    out->boot = (struct boot_record){.number = get_le32(raw + OFF_NUMBER),
                                     .reset = raw[OFF_RESET],
                                     .sequence = get_le64(raw + OFF_SEQUENCE),
                                     .time_ms = get_le64(raw + OFF_TIME),
                                     .after = get_le64(raw + OFF_AFTER)};
    return true;
}

/* The newest of each kind, and where it is. */
struct newest {
    uint32_t reading_at, boot_at;
};

static void note(struct reading_log *log, struct newest *newest,
                 const struct record *record, uint32_t at)
{
    bool is_reading = record->kind == RECORD_READING;
    if (is_reading &&
        (!log->has_reading || record->reading.sequence > log->last_reading.sequence)) {
        log->has_reading = true;
        log->last_reading = record->reading;
        newest->reading_at = at;
    }
    if (!is_reading && (!log->has_boot || record->boot.number > log->last_boot.number)) {
        log->has_boot = true;
        log->last_boot = record->boot;
        newest->boot_at = at;
    }
}

/* Behind the newest record of all: a boot says which reading it came after. */
static uint32_t find_end(const struct reading_log *log, const struct newest *newest)
{
    uint64_t last = log->has_reading ? log->last_reading.sequence : 0;
    if (log->has_boot && log->last_boot.after == last) {
        return newest->boot_at + RECORD_SIZE;
    }
    return log->has_reading ? newest->reading_at + RECORD_SIZE : 0;
}

static enum moult_status read_record(const struct reading_log *log, uint32_t at,
                                     uint8_t raw[RECORD_SIZE])
{
    return moult_sim_flash_read(log->flash, log->offset + at, raw, RECORD_SIZE);
}

/* Pass over what is not blank behind the newest record: torn ones. */
static enum moult_status skip_written(struct reading_log *log)
{
    uint8_t raw[RECORD_SIZE];
    while (log->next % MOULT_SIM_SECTOR_SIZE) { /* a sector's start is erased first */
        enum moult_status st = read_record(log, log->next, raw);
        if (st != MOULT_OK) { return st; }
        if (moult_bytes_all(raw, sizeof raw, 0xff)) { return MOULT_OK; }
        log->next += RECORD_SIZE;
    }
    return MOULT_OK;
}

enum moult_status reading_log_open(struct reading_log *log, struct moult_sim_flash *flash,
                                   uint32_t offset, uint32_t size)
{
    if (size < 2 * MOULT_SIM_SECTOR_SIZE || size % MOULT_SIM_SECTOR_SIZE) {
        return MOULT_E_RANGE;
    }
    *log = (struct reading_log){.flash = flash, .offset = offset, .size = size};
    struct newest newest = {0};
    for (uint32_t at = 0; at < size; at += RECORD_SIZE) {
        uint8_t raw[RECORD_SIZE];
        struct record record;
        enum moult_status st = read_record(log, at, raw);
        if (st != MOULT_OK) { return st; }
        if (decode(raw, &record)) { note(log, &newest, &record, at); }
    }
    log->next = find_end(log, &newest);
    enum moult_status st = skip_written(log);
    log->next %= size;
    return st;
}

static enum moult_status append(struct reading_log *log, const uint8_t raw[RECORD_SIZE])
{
    enum moult_status st = MOULT_OK;
    if (log->next % MOULT_SIM_SECTOR_SIZE == 0) {
        st = moult_sim_flash_erase(log->flash, log->offset + log->next);
    }
    if (st == MOULT_OK) {
        st = moult_sim_flash_program(log->flash, log->offset + log->next, raw, RECORD_SIZE);
    }
    if (st == MOULT_OK) { log->next = (log->next + RECORD_SIZE) % log->size; }
    return st == MOULT_OK ? MOULT_OK : MOULT_E_IO;
}

enum moult_status reading_log_add(struct reading_log *log,
                                  const struct meter_reading *reading)
{
    uint8_t raw[RECORD_SIZE];
    meter_reading_encode(reading, raw);
    enum moult_status st = append(log, raw);
    if (st != MOULT_OK) { return st; }
    log->has_reading = true;
    log->last_reading = *reading;
    return MOULT_OK;
}

enum moult_status reading_log_add_boot(struct reading_log *log,
                                       const struct boot_record *boot)
{
    uint8_t raw[RECORD_SIZE];
    encode_boot(boot, raw);
    enum moult_status st = append(log, raw);
    if (st != MOULT_OK) { return st; }
    log->has_boot = true;
    log->last_boot = *boot;
    return MOULT_OK;
}

/* The cursor counts records from the sector that will be erased next. */
enum moult_status reading_log_next(const struct reading_log *log, uint32_t *cursor,
                                   struct record *out)
{
    uint32_t sector_end = (log->next + MOULT_SIM_SECTOR_SIZE - 1) / MOULT_SIM_SECTOR_SIZE *
                          MOULT_SIM_SECTOR_SIZE;
    while (*cursor < log->size / RECORD_SIZE) {
        uint8_t raw[RECORD_SIZE];
        uint32_t at = (sector_end + *cursor * RECORD_SIZE) % log->size;
        enum moult_status st = read_record(log, at, raw);
        if (st != MOULT_OK) { return st; }
        (*cursor)++;
        if (decode(raw, out)) { return MOULT_OK; }
    }
    return MOULT_E_NOENT;
}

/* --- Summary ----------------------------------------------------------------------------
 */

/* What lies between two readings: how much longer than one interval, and why. */
static void add_gap(struct reading_summary *sum, const struct meter_reading *before,
                    const struct meter_reading *after, bool power_was_cut)
{
    sum->missing += after->sequence - before->sequence - 1;
    if (after->time_ms <= before->time_ms + METER_INTERVAL_MS) { return; }
    uint64_t gap_ms = after->time_ms - before->time_ms - METER_INTERVAL_MS;
    *(power_was_cut ? &sum->dark_ms : &sum->lost_ms) += gap_ms;
}

enum moult_status reading_log_summary(const struct reading_log *log,
                                      struct reading_summary *out)
{
    *out = (struct reading_summary){.boots = log->last_boot.number};
    struct record record;
    struct meter_reading before = {0};
    bool power_was_cut = false;
    uint32_t cursor = 0;
    enum moult_status st;
    while ((st = reading_log_next(log, &cursor, &record)) == MOULT_OK) {
        if (record.kind == RECORD_BOOT) {
            bool is_cut = record.boot.reset == MOULT_RESET_POWER_ON;
            out->power_cuts += is_cut && record.boot.number > 1;
            out->restarts += !is_cut;
            power_was_cut |= is_cut;
            continue;
        }
        if (before.sequence) { add_gap(out, &before, &record.reading, power_was_cut); }
        if (!out->first) { out->first = record.reading.sequence; }
        out->last = record.reading.sequence;
        before = record.reading;
        power_was_cut = false;
    }
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}
