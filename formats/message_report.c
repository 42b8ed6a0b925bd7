/* message_report.c - see message_report.h. */
#include "formats/message_report.h"
#include <assert.h>
#include <stddef.h>
#include "formats/codes.h"
#include "formats/fields.h"
#include "formats/message_parts.h"

enum { MESSAGE_FORMAT = 1, ID_SIZE = 16, CRASH_SIZE = 32 };

#define AT(name) offsetof(struct moult_report, name)
#define NUMBER(key_, kind_, member, max_)                                                  \
    {                                                                                      \
        .key = key_, .kind = kind_, .offset = AT(member), .max = max_                      \
    }
static const struct moult_field report_fields[] = {
    MOULT_FIELD_U64(1, AT(boot_id), 0),
    NUMBER(2, MOULT_KIND_U32, sequence, UINT32_MAX),
    MOULT_FIELD_FIXED(3, AT(deployment_id), ID_SIZE),
    NUMBER(4, MOULT_KIND_U8, kind, UINT8_MAX),
    NUMBER(MOULT_REPORT_REASON, MOULT_KIND_U16, reason, UINT16_MAX),
    NUMBER(MOULT_REPORT_DETAIL, MOULT_KIND_U16, detail, UINT16_MAX),
    NUMBER(MOULT_REPORT_NATIVE, MOULT_KIND_U32, native, UINT32_MAX),
    NUMBER(MOULT_REPORT_OFFSET, MOULT_KIND_U32, offset, UINT32_MAX),
    NUMBER(MOULT_REPORT_FREE_HEAP, MOULT_KIND_U32, free_heap, UINT32_MAX),
    NUMBER(MOULT_REPORT_LARGEST_BLOCK, MOULT_KIND_U32, largest_block, UINT32_MAX),
    NUMBER(MOULT_REPORT_SIGNAL, MOULT_KIND_U8, signal_dbm, UINT8_MAX),
    NUMBER(MOULT_REPORT_BATTERY, MOULT_KIND_U16, battery_mv, UINT16_MAX),
    NUMBER(MOULT_REPORT_RESET_REASON, MOULT_KIND_U8, reset_reason, UINT8_MAX),
    {.key = MOULT_REPORT_TEXT,
     .kind = MOULT_KIND_TEXT,
     .offset = AT(text),
     .min = 1,
     .max = MOULT_REPORT_TEXT_MAX},
    NUMBER(MOULT_REPORT_UPTIME, MOULT_KIND_U32, uptime_s, UINT32_MAX),
    MOULT_FIELD_FIXED(MOULT_REPORT_CRASH, AT(crash), CRASH_SIZE),
};
static const struct moult_map report_map = {
    .fields = report_fields,
    .field_count = MOULT_COUNT_OF(report_fields),
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

/* Reports are maps in an array of their own, checked one by one and kept encoded. */
static void read_reports(struct moult_cbor_reader *reader, void *member)
{
    struct moult_cbor_list *list = member;
    list->count = (uint8_t)moult_cbor_read_array(reader, 1, MOULT_REPORTS_MAX);
    list->encoded.data = reader->at;
    for (unsigned i = 0; i < list->count; i++) {
        struct moult_report checked;
        moult_map_read(reader, &report_map, &checked);
    }
    list->encoded.size = (size_t)(reader->at - list->encoded.data);
}

static void write_reports(struct moult_cbor_writer *writer, const void *member)
{
    const struct moult_cbor_list *list = member;
    assert(list->count >= 1 && list->count <= MOULT_REPORTS_MAX);
    moult_cbor_write_array(writer, list->count);
    moult_cbor_write_raw(writer, list->encoded);
}

const struct moult_field_custom moult_reports_custom = {read_reports, write_reports};

const struct moult_field moult_gone_row = MOULT_FIELD_FIXED(0, 0, ID_SIZE);

/* --- POST report --- */

struct batch {
    uint32_t present;
    struct moult_cbor_list reports;
    struct moult_cbor_list extensions;
};

static const struct moult_field batch_fields[] = {
    {.key = 1, .kind = MOULT_KIND_CONST, .min = MESSAGE_FORMAT},
    {.key = 2,
     .kind = MOULT_KIND_CUSTOM,
     .offset = offsetof(struct batch, reports),
     .custom = &moult_reports_custom},
};
static const struct moult_map batch_map = {
    .fields = batch_fields,
    .field_count = MOULT_COUNT_OF(batch_fields),
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

struct reply {
    uint32_t present;
    struct moult_gone gone;
    struct moult_cbor_list extensions;
};

enum { REPLY_GONE = 2 };

static const struct moult_array gone_array =
    MOULT_GONE_ARRAY(offsetof(struct reply, gone.count));
static const struct moult_field reply_fields[] = {
    {.key = 1, .kind = MOULT_KIND_CONST, .min = MESSAGE_FORMAT},
    {.key = REPLY_GONE,
     .kind = MOULT_KIND_LIST,
     .offset = offsetof(struct reply, gone.deployment_id),
     .min = 1,
     .max = MOULT_REPORTS_MAX,
     .array = &gone_array},
};
static const struct moult_map reply_map = {
    .fields = reply_fields,
    .field_count = MOULT_COUNT_OF(reply_fields),
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
