/* message_report.c - see message_report.h. */
#include "formats/message_report.h"
#include <assert.h>
#include <stddef.h>
#include "formats/codes.h"
#include "formats/fields.h"
#include "formats/message_parts.h"

enum { MESSAGE_FORMAT = 1, ID_SIZE = 16, CRASH_SIZE = 32 };

#define AT(name) offsetof(struct moult_report, name)
static const struct moult_field report_fields[] = {
    {1, MOULT_KIND_U64, AT(boot_id), 0, 0, NULL},
    {2, MOULT_KIND_U32, AT(sequence), 0, UINT32_MAX, NULL},
    {3, MOULT_KIND_FIXED, AT(deployment_id), ID_SIZE, ID_SIZE, NULL},
    {4, MOULT_KIND_U8, AT(kind), 0, UINT8_MAX, NULL},
    {MOULT_REPORT_REASON, MOULT_KIND_U16, AT(reason), 0, UINT16_MAX, NULL},
    {MOULT_REPORT_DETAIL, MOULT_KIND_U16, AT(detail), 0, UINT16_MAX, NULL},
    {MOULT_REPORT_NATIVE, MOULT_KIND_U32, AT(native), 0, UINT32_MAX, NULL},
    {MOULT_REPORT_OFFSET, MOULT_KIND_U32, AT(offset), 0, UINT32_MAX, NULL},
    {MOULT_REPORT_FREE_HEAP, MOULT_KIND_U32, AT(free_heap), 0, UINT32_MAX, NULL},
    {MOULT_REPORT_LARGEST_BLOCK, MOULT_KIND_U32, AT(largest_block), 0, UINT32_MAX, NULL},
    {MOULT_REPORT_SIGNAL, MOULT_KIND_U8, AT(signal_dbm), 0, UINT8_MAX, NULL},
    {MOULT_REPORT_BATTERY, MOULT_KIND_U16, AT(battery_mv), 0, UINT16_MAX, NULL},
    {MOULT_REPORT_RESET_REASON, MOULT_KIND_U8, AT(reset_reason), 0, UINT8_MAX, NULL},
    {MOULT_REPORT_TEXT, MOULT_KIND_TEXT, AT(text), 1, MOULT_REPORT_TEXT_MAX, NULL},
    {MOULT_REPORT_UPTIME, MOULT_KIND_U32, AT(uptime_s), 0, UINT32_MAX, NULL},
    {MOULT_REPORT_CRASH, MOULT_KIND_FIXED, AT(crash), CRASH_SIZE, CRASH_SIZE, NULL},
};
static const struct moult_map report_map = {
    .fields = report_fields,
    .count = MOULT_FIELD_COUNT_OF(report_fields),
    .size = sizeof(struct moult_report),
    .extensions = AT(extensions),
    .required = 0x1e, /* 1..4 */
};
#undef AT

void moult_report_write(struct moult_cbor_writer *writer, const struct moult_report *report)
{
    moult_map_write(writer, &report_map, report);
}

enum moult_status moult_report_read(struct moult_bytes encoded, struct moult_report *out,
                                    struct moult_finding *finding)
{
    return moult_message_read(encoded, MOULT_REQUEST_SIZE_MAX, &report_map, out, finding);
}

bool moult_report_next(struct moult_cbor_list *list, struct moult_report *out)
{
    if (list->count == 0) { return false; }
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, list->encoded);
    moult_map_read(&reader, &report_map, out);
    list->count--;
    list->encoded = (struct moult_bytes){reader.at, (size_t)(reader.end - reader.at)};
    return reader.status == MOULT_OK;
}

void moult_report_list_read(struct moult_cbor_reader *reader, struct moult_cbor_list *list)
{
    uint32_t count = moult_cbor_read_array(reader, 1, MOULT_REPORTS_MAX);
    const uint8_t *start = reader->at;
    for (uint32_t i = 0; i < count; i++) {
        struct moult_report checked;
        moult_map_read(reader, &report_map, &checked);
    }
    list->encoded = (struct moult_bytes){start, (size_t)(reader->at - start)};
    list->count = (uint8_t)count;
}

void moult_report_list_write(struct moult_cbor_writer *writer,
                             const struct moult_cbor_list *list)
{
    assert(list->count >= 1 && list->count <= MOULT_REPORTS_MAX);
    moult_cbor_write_array(writer, list->count);
    moult_cbor_write_raw(writer, list->encoded);
}

/* --- POST report --- */

struct batch {
    uint32_t present;
    struct moult_cbor_list reports;
    struct moult_cbor_list extensions;
};

static void read_reports(struct moult_cbor_reader *reader, void *record)
{
    moult_report_list_read(reader, &((struct batch *)record)->reports);
}

static void write_reports(struct moult_cbor_writer *writer, const void *record)
{
    moult_report_list_write(writer, &((const struct batch *)record)->reports);
}

static const struct moult_field_custom reports_custom = {read_reports, write_reports};
static const struct moult_field batch_fields[] = {
    {1, MOULT_KIND_CONST, 0, MESSAGE_FORMAT, 0, NULL},
    {2, MOULT_KIND_NESTED, 0, 0, 0, &reports_custom},
};
static const struct moult_map batch_map = {
    .fields = batch_fields,
    .count = MOULT_FIELD_COUNT_OF(batch_fields),
    .size = sizeof(struct batch),
    .extensions = offsetof(struct batch, extensions),
    .required = 0x06, /* 1, 2 */
};

void moult_report_batch_write(struct moult_cbor_writer *writer,
                              const struct moult_cbor_list *list)
{
    struct batch batch = {.reports = *list};
    moult_record_write(writer, &batch_map, &batch);
}

enum moult_status moult_report_batch_read(struct moult_bytes message,
                                          struct moult_cbor_list *out,
                                          struct moult_finding *finding)
{
    struct batch batch;
    enum moult_status st =
        moult_message_read(message, MOULT_REQUEST_SIZE_MAX, &batch_map, &batch, finding);
    if (st == MOULT_OK) { *out = batch.reports; }
    return st;
}

/* --- its answer --- */

void moult_gone_read(struct moult_cbor_reader *reader, struct moult_gone *gone)
{
    gone->count = (uint8_t)moult_cbor_read_array(reader, 1, MOULT_REPORTS_MAX);
    for (unsigned i = 0; i < gone->count; i++) {
        gone->deployment_id[i] = moult_cbor_read_fixed(reader, ID_SIZE);
    }
}

void moult_gone_write(struct moult_cbor_writer *writer, const struct moult_gone *gone)
{
    assert(gone->count >= 1 && gone->count <= MOULT_REPORTS_MAX);
    moult_cbor_write_array(writer, gone->count);
    for (unsigned i = 0; i < gone->count; i++) {
        moult_cbor_write_bytes(writer, gone->deployment_id[i], ID_SIZE);
    }
}

struct reply {
    uint32_t present;
    struct moult_gone gone;
    struct moult_cbor_list extensions;
};

enum { REPLY_GONE = 2 };

static void read_gone(struct moult_cbor_reader *reader, void *record)
{
    moult_gone_read(reader, &((struct reply *)record)->gone);
}

static void write_gone(struct moult_cbor_writer *writer, const void *record)
{
    moult_gone_write(writer, &((const struct reply *)record)->gone);
}

static const struct moult_field_custom gone_custom = {read_gone, write_gone};
static const struct moult_field reply_fields[] = {
    {1, MOULT_KIND_CONST, 0, MESSAGE_FORMAT, 0, NULL},
    {REPLY_GONE, MOULT_KIND_CUSTOM, 0, 0, 0, &gone_custom},
};
static const struct moult_map reply_map = {
    .fields = reply_fields,
    .count = MOULT_FIELD_COUNT_OF(reply_fields),
    .size = sizeof(struct reply),
    .extensions = offsetof(struct reply, extensions),
    .required = 0x02, /* 1 */
};

void moult_report_reply_write(struct moult_cbor_writer *writer,
                              const struct moult_gone *gone)
{
    struct reply reply = {.gone = *gone};
    if (gone->count > 0) { reply.present = 1u << REPLY_GONE; }
    moult_record_write(writer, &reply_map, &reply);
}

enum moult_status moult_report_reply_read(struct moult_bytes message,
                                          struct moult_gone *out,
                                          struct moult_finding *finding)
{
    struct reply reply;
    enum moult_status st =
        moult_message_read(message, MOULT_REPLY_SIZE_MAX, &reply_map, &reply, finding);
    if (st == MOULT_OK) { *out = reply.gone; }
    return st;
}
