/* partition_csv.c - see partition_csv.h. The grammar is in docs/spec/partition-table.md. */
#include "formats/partition_csv.h"
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "formats/codes.h"
#include "formats/partition_names.h"
#include "formats/utf8.h"

enum {
    FIELD_NAME,
    FIELD_TYPE,
    FIELD_SUBTYPE,
    FIELD_OFFSET,
    FIELD_SIZE,
    FIELD_FLAGS,
    FIELD_COUNT, /* more are ignored, as ESP-IDF does */
    TYPE_MAX = 254,
    SECTOR_SIZE = 0x1000,
    APP_ALIGN = 0x10000,
};

/* A table being read. */
struct csv {
    const struct moult_partition_csv_options *options;
    struct moult_partition_table *out;
    struct moult_finding *finding;
    uint32_t line; /* from 1 */
    uint32_t end;  /* of the previous partition: where the next one may start */
};

static enum moult_status fail(const struct csv *csv, uint16_t detail)
{
    return moult_found(csv->finding, MOULT_E_FORMAT,
                       (struct moult_finding){.detail = detail, .where = csv->line});
}

static enum moult_status fail_numbers(const struct csv *csv, uint16_t detail,
                                      uint32_t expected, uint32_t found)
{
    return moult_found(csv->finding, MOULT_E_FORMAT,
                       (struct moult_finding){detail, csv->line, expected, found});
}

/* --- text ----------------------------------------------------------------------------- */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static struct moult_bytes trim(struct moult_bytes text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* What precedes the first `separator`; *text moves behind it, and is empty at the end. */
static struct moult_bytes cut(struct moult_bytes *text, uint8_t separator)
{
    assert(text->data || text->size == 0);
    struct moult_bytes head = *text;
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] == separator) {
            head.size = i;
            break;
        }
    }
    size_t used = head.size < text->size ? head.size + 1 : head.size;
    text->data += used;
    text->size -= used;
    return head;
}

static bool is_word(struct moult_bytes text, const char *word)
{
    for (size_t i = 0; i < text.size; i++) {
        if (word[i] == '\0' || lower(text.data[i]) != (uint8_t)word[i]) { return false; }
    }
    return word[text.size] == '\0';
}

/* --- numbers: decimal, 0x, 0o, 0b; suffix K or M -------------------------------------- */

static uint64_t take_suffix(struct moult_bytes *text)
{
    uint8_t last = text->size > 0 ? lower(text->data[text->size - 1]) : 0;
    if (last != 'k' && last != 'm') { return 1; }
    text->size--;
    return last == 'k' ? 1024 : 1024 * 1024;
}

static uint32_t take_prefix(struct moult_bytes *text)
{
    if (text->size < 2 || text->data[0] != '0') { return 10; }
    uint8_t letter = lower(text->data[1]);
    uint32_t base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    if (base != 10) {
        text->data += 2;
        text->size -= 2;
    }
    return base;
}

static uint32_t digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') { return c - '0'; }
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10u : UINT32_MAX;
}

/* A number without sign; false: not one, or over 32 bits. */
static bool parse_number(struct moult_bytes text, uint32_t *out)
{
    uint64_t value = 0, factor = take_suffix(&text);
    assert(factor <= 1024 * 1024); /* so that value * factor fits 64 bits */
    uint32_t base = take_prefix(&text);
    if (text.size == 0) { return false; }
    for (size_t i = 0; i < text.size; i++) {
        uint32_t digit = digit_of(text.data[i]);
        /* A decimal with a leading zero could be meant as octal: refused, as in Python. */
        if (digit >= base || (base == 10 && i == 1 && value == 0 && digit != 0)) {
            return false;
        }
        value = value * base + digit;
        if (value > UINT32_MAX) { return false; }
    }
    if (value * factor > UINT32_MAX) { return false; }
    *out = (uint32_t)(value * factor);
    return true;
}

/* --- fields --------------------------------------------------------------------------- */

static enum moult_status parse_name(const struct csv *csv, struct moult_bytes field,
                                    struct moult_partition *row)
{
    assert(row->label[0] == '\0'); /* zeroed: shorter labels end with NULs */
    if (field.size > MOULT_PARTITION_LABEL_SIZE) {
        return fail_numbers(csv, MOULT_D_PT_NAME_LONG, MOULT_PARTITION_LABEL_SIZE,
                            (uint32_t)field.size);
    }
    memcpy(row->label, field.data, field.size);
    return MOULT_OK;
}

static enum moult_status parse_type(const struct csv *csv, struct moult_bytes field,
                                    struct moult_partition *row)
{
    uint32_t number;
    for (const struct moult_partition_word *w = moult_partition_type_words; w->word; w++) {
        if (is_word(field, w->word)) {
            row->type = w->value;
            return MOULT_OK;
        }
    }
    if (!parse_number(field, &number) || number > TYPE_MAX) {
        return fail(csv, MOULT_D_CSV_TYPE);
    }
    row->type = (uint8_t)number;
    return MOULT_OK;
}

static enum moult_status parse_subtype(const struct csv *csv, struct moult_bytes field,
                                       struct moult_partition *row)
{
    uint32_t number = MOULT_PARTITION_UNDEFINED;
    for (const struct moult_partition_word *w = moult_partition_subtype_words; w->word;
         w++) {
        if (w->type == row->type && is_word(field, w->word)) {
            row->subtype = w->value;
            return MOULT_OK;
        }
    }
    bool is_default = field.size == 0 && row->type != MOULT_PARTITION_APP;
    if (!is_default && (!parse_number(field, &number) || number > TYPE_MAX)) {
        return fail(csv, MOULT_D_CSV_SUBTYPE);
    }
    row->subtype = (uint8_t)number;
    return MOULT_OK;
}

static enum moult_status parse_flags(const struct csv *csv, struct moult_bytes field,
                                     struct moult_partition *row)
{
    while (field.size > 0) {
        struct moult_bytes flag = cut(&field, ':');
        if (flag.size == 9 && memcmp(flag.data, "encrypted", 9) == 0) {
            row->flags |= MOULT_PARTITION_ENCRYPTED;
        } else if (flag.size == 8 && memcmp(flag.data, "readonly", 8) == 0) {
            row->flags |= MOULT_PARTITION_READONLY;
        } else if (flag.size > 0) {
            return fail(csv, MOULT_D_CSV_FLAG);
        }
    }
    return MOULT_OK;
}

/* --- places --------------------------------------------------------------------------- */

/* Bootloader and table rows have places of their own. */
static enum moult_status place_fixed(struct csv *csv, struct moult_partition *row)
{
    uint32_t table = csv->options->table_offset;
    uint32_t bootloader = csv->options->bootloader_offset;
    if (row->type == MOULT_PARTITION_PARTITION_TABLE) {
        row->size = SECTOR_SIZE;
        if (row->subtype == MOULT_PARTITION_PRIMARY) { row->offset = table; }
        return MOULT_OK;
    }
    if (bootloader >= table) {
        return fail_numbers(csv, MOULT_D_CSV_BOOTLOADER, bootloader, table);
    }
    row->size = table - bootloader;
    if (row->subtype == MOULT_PARTITION_PRIMARY) { row->offset = bootloader; }
    return MOULT_OK;
}

static bool is_primary(const struct moult_partition *row)
{
    return (row->type == MOULT_PARTITION_BOOTLOADER ||
            row->type == MOULT_PARTITION_PARTITION_TABLE) &&
           row->subtype == MOULT_PARTITION_PRIMARY;
}

/* Empty: behind the previous partition, rounded up to what the type asks. */
static enum moult_status place_offset(const struct csv *csv, struct moult_bytes field,
                                      struct moult_partition *row)
{
    if (field.size > 0) {
        if (!parse_number(field, &row->offset)) { return fail(csv, MOULT_D_CSV_OFFSET); }
        if (row->offset < csv->end) {
            return fail_numbers(csv, MOULT_D_CSV_ORDER, csv->end, row->offset);
        }
        return MOULT_OK;
    }
    uint32_t unit = row->type == MOULT_PARTITION_APP ? APP_ALIGN : SECTOR_SIZE;
    uint32_t rounded;
    if (!moult_add_u32(csv->end, unit - 1, &rounded)) {
        return fail(csv, MOULT_D_CSV_OFFSET);
    }
    row->offset = rounded & ~(unit - 1);
    return MOULT_OK;
}

/* A negative size means: up to that address. */
static enum moult_status place_size(const struct csv *csv, struct moult_bytes field,
                                    struct moult_partition *row)
{
    uint32_t value;
    bool is_address = field.size > 0 && field.data[0] == '-';
    if (is_address) {
        field.data++;
        field.size--;
    }
    if (!parse_number(field, &value)) { return fail(csv, MOULT_D_CSV_SIZE); }
    if (is_address && value < row->offset) {
        return fail_numbers(csv, MOULT_D_CSV_ORDER, row->offset, value);
    }
    row->size = is_address ? value - row->offset : value;
    return MOULT_OK;
}

static enum moult_status place(struct csv *csv, const struct moult_bytes *fields,
                               struct moult_partition *row)
{
    enum moult_status st = MOULT_OK;
    bool is_fixed = row->type == MOULT_PARTITION_BOOTLOADER ||
                    row->type == MOULT_PARTITION_PARTITION_TABLE;
    if (is_fixed) { st = place_fixed(csv, row); }
    if (st != MOULT_OK || is_primary(row)) { return st; }

    st = place_offset(csv, fields[FIELD_OFFSET], row);
    if (st == MOULT_OK && !is_fixed) { st = place_size(csv, fields[FIELD_SIZE], row); }
    if (st == MOULT_OK && !moult_add_u32(row->offset, row->size, &csv->end)) {
        return fail(csv, MOULT_D_CSV_SIZE);
    }
    return st;
}

/* --- lines ---------------------------------------------------------------------------- */

static enum moult_status parse_row(struct csv *csv, struct moult_bytes line)
{
    struct moult_bytes fields[FIELD_COUNT];
    if (csv->out->count >= MOULT_PARTITION_ROWS_MAX - 1) { /* the MD5 row takes one */
        (void)fail_numbers(
            csv, MOULT_D_PT_ENTRIES, MOULT_PARTITION_ROWS_MAX - 1,
            MOULT_PARTITION_ROWS_MAX); /* fills the finding; the status is: */
        return MOULT_E_RANGE;
    }
    for (int i = 0; i < FIELD_COUNT; i++) {
        fields[i] = trim(cut(&line, ','));
    }
    struct moult_partition row = {0};
    enum moult_status st = parse_name(csv, fields[FIELD_NAME], &row);
    if (st == MOULT_OK) { st = parse_type(csv, fields[FIELD_TYPE], &row); }
    if (st == MOULT_OK) { st = parse_subtype(csv, fields[FIELD_SUBTYPE], &row); }
    if (st == MOULT_OK) { st = parse_flags(csv, fields[FIELD_FLAGS], &row); }
    if (st == MOULT_OK) { st = place(csv, fields, &row); }
    if (st == MOULT_OK) { csv->out->rows[csv->out->count++] = row; }
    return st;
}

static bool has_variable(struct moult_bytes line)
{
    for (size_t i = 0; i + 1 < line.size; i++) {
        uint8_t next = lower(line.data[i + 1]);
        if (line.data[i] == '$' &&
            (next == '{' || next == '_' || (next >= 'a' && next <= 'z'))) {
            return true;
        }
    }
    return false;
}

static enum moult_status parse_line(struct csv *csv, struct moult_bytes line)
{
    line = trim(line);
    if (line.size == 0 || line.data[0] == '#') { return MOULT_OK; }
    if (memchr(line.data, '\0', line.size) || !moult_utf8_is_valid(line)) {
        return fail(csv, MOULT_D_CSV_ENCODING);
    }
    if (has_variable(line)) { return fail(csv, MOULT_D_CSV_VARIABLE); }
    if (!memchr(line.data, ',', line.size)) { return fail(csv, MOULT_D_PT_CSV); }
    return parse_row(csv, line);
}

static enum moult_status check_text(struct moult_bytes *text, struct moult_finding *finding)
{
    if (text->size > MOULT_PARTITION_CSV_SIZE_MAX) {
        return moult_found(finding, MOULT_E_RANGE,
                           (struct moult_finding){MOULT_D_CSV_LIMIT, 0,
                                                  MOULT_PARTITION_CSV_SIZE_MAX,
                                                  (uint32_t)(text->size & UINT32_MAX)});
    }
    if (text->size >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0) { /* UTF-8 BOM */
        text->data += 3;
        text->size -= 3;
    }
    return MOULT_OK;
}

enum moult_status
moult_partition_csv_parse(struct moult_bytes text,
                          const struct moult_partition_csv_options *options,
                          struct moult_partition_table *out, struct moult_finding *finding)
{
    assert(options && out && (text.data || text.size == 0));
    memset(out, 0, sizeof *out);
    out->has_md5 = true;
    struct csv csv = {.options = options, .out = out, .finding = finding};
    csv.end = options->table_offset + SECTOR_SIZE;
    enum moult_status st = check_text(&text, finding);
    while (st == MOULT_OK && text.size > 0) {
        csv.line++;
        st = parse_line(&csv, cut(&text, '\n'));
    }
    if (st == MOULT_OK && out->count == 0) {
        return moult_found(finding, MOULT_E_FORMAT,
                           (struct moult_finding){MOULT_D_PT_EMPTY, csv.line, 1, 0});
    }
    return st;
}
