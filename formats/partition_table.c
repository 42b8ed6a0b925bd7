/* partition_table.c - see partition_table.h. The rules are in partition_check.c. */
#include "formats/partition_table.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "formats/md5.h"

enum {
    OFF_TYPE = 2,
    OFF_SUBTYPE = 3,
    OFF_OFFSET = 4,
    OFF_SIZE = 8,
    OFF_LABEL = 12,
    OFF_FLAGS = 28,
    OFF_MD5 = 16, /* in the MD5 row */
    ROW_SLOTS = MOULT_PARTITION_TABLE_SIZE / MOULT_PARTITION_ROW_SIZE,
    MAGIC = 0x50aa, /* as little-endian numbers */
    MAGIC_MD5 = 0xebeb,
};
_Static_assert(OFF_FLAGS + 4 == MOULT_PARTITION_ROW_SIZE, "partition row layout");
_Static_assert(ROW_SLOTS == MOULT_PARTITION_ROWS_MAX + 1, "the terminator takes one row");

static void parse_row(const uint8_t *raw, struct moult_partition *out)
{
    memset(out, 0, sizeof *out);
    out->type = raw[OFF_TYPE];
    out->subtype = raw[OFF_SUBTYPE];
    out->offset = get_le32(raw + OFF_OFFSET);
    out->size = get_le32(raw + OFF_SIZE);
    out->flags = get_le32(raw + OFF_FLAGS);
    memcpy(out->label, raw + OFF_LABEL, MOULT_PARTITION_LABEL_SIZE); /* may have no NUL */
}

static void encode_row(const struct moult_partition *row, uint8_t *raw)
{
    put_le16(raw, MAGIC);
    raw[OFF_TYPE] = row->type;
    raw[OFF_SUBTYPE] = row->subtype;
    put_le32(raw + OFF_OFFSET, row->offset);
    put_le32(raw + OFF_SIZE, row->size);
    memcpy(raw + OFF_LABEL, row->label, MOULT_PARTITION_LABEL_SIZE);
    put_le32(raw + OFF_FLAGS, row->flags);
}

static enum moult_status check_md5(const uint8_t *raw, uint32_t row,
                                   struct moult_finding *finding)
{
    uint8_t digest[MOULT_MD5_SIZE];
    const uint8_t *stored = raw + row * MOULT_PARTITION_ROW_SIZE + OFF_MD5;
    moult_md5(raw, row * MOULT_PARTITION_ROW_SIZE, digest);
    if (memcmp(digest, stored, sizeof digest) != 0) {
        return moult_found(finding, MOULT_E_DIGEST,
                           (struct moult_finding){MOULT_D_PT_MD5, row, get_be32(digest),
                                                  get_be32(stored)});
    }
    return MOULT_OK;
}

static bool is_end(const uint8_t *raw)
{
    return moult_bytes_all(raw, MOULT_PARTITION_ROW_SIZE, 0xff);
}

/* A row that is not the end. */
static enum moult_status take_row(const uint8_t *raw, uint32_t i,
                                  struct moult_partition_table *out,
                                  struct moult_finding *finding)
{
    const uint8_t *row = raw + i * MOULT_PARTITION_ROW_SIZE;
    uint16_t magic = get_le16(row);
    assert(out->count <= i && i < MOULT_PARTITION_ROWS_MAX);
    if (out->has_md5) {
        return moult_found(finding, MOULT_E_FORMAT,
                           (struct moult_finding){MOULT_D_PT_MD5_PLACE, i, 0, magic});
    }
    if (magic == MAGIC_MD5 && i > 0) {
        out->has_md5 = true;
        return check_md5(raw, i, finding);
    }
    if (magic != MAGIC) {
        return moult_found(finding, MOULT_E_FORMAT,
                           (struct moult_finding){MOULT_D_PT_MAGIC, i, MAGIC, magic});
    }
    parse_row(row, &out->rows[out->count++]);
    return MOULT_OK;
}

enum moult_status moult_partition_parse(const uint8_t raw[MOULT_PARTITION_TABLE_SIZE],
                                        struct moult_partition_table *out,
                                        struct moult_finding *finding)
{
    assert(raw && out);
    memset(out, 0, sizeof *out);
    if (is_end(raw)) {
        return moult_found(finding, MOULT_E_FORMAT,
                           (struct moult_finding){MOULT_D_PT_EMPTY, 0, 1, 0});
    }
    for (uint32_t i = 0; i < ROW_SLOTS; i++) {
        if (is_end(raw + i * MOULT_PARTITION_ROW_SIZE)) { return MOULT_OK; }
        if (i == MOULT_PARTITION_ROWS_MAX) { break; }
        enum moult_status st = take_row(raw, i, out, finding);
        if (st != MOULT_OK) { return st; }
    }
    return moult_found(
        finding, MOULT_E_FORMAT,
        (struct moult_finding){MOULT_D_PT_END, MOULT_PARTITION_ROWS_MAX, ROW_SLOTS, 0});
}

enum moult_status moult_partition_encode(const struct moult_partition_table *table,
                                         uint8_t raw[MOULT_PARTITION_TABLE_SIZE])
{
    assert(table && raw);
    uint32_t used = table->count + (table->has_md5 ? 1 : 0);
    if (used > MOULT_PARTITION_ROWS_MAX) { return MOULT_E_RANGE; }

    memset(raw, 0xff, MOULT_PARTITION_TABLE_SIZE);
    uint8_t *row = raw;
    for (uint32_t i = 0; i < table->count; i++, row += MOULT_PARTITION_ROW_SIZE) {
        encode_row(&table->rows[i], row);
    }
    if (table->has_md5) {
        put_le16(row, MAGIC_MD5);
        moult_md5(raw, (size_t)(row - raw), row + OFF_MD5);
    }
    return MOULT_OK;
}

const struct moult_partition *
moult_partition_find(const struct moult_partition_table *table, uint8_t type,
                     uint8_t subtype)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct moult_partition *row = &table->rows[i];
        if (row->type == type && row->subtype == subtype) { return row; }
    }
    return NULL;
}

const struct moult_partition *
moult_partition_find_label(const struct moult_partition_table *table, const char *label)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (strcmp(table->rows[i].label, label) == 0) { return &table->rows[i]; }
    }
    return NULL;
}

uint32_t moult_partition_slot_count(const struct moult_partition_table *table)
{
    uint32_t n = 0;
    while (n < MOULT_PARTITION_SLOTS_MAX &&
           moult_partition_find(table, MOULT_PARTITION_APP,
                                (uint8_t)(MOULT_PARTITION_OTA_0 + n))) {
        n++;
    }
    return n;
}
