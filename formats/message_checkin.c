/* message_checkin.c - see message_checkin.h. */
#include "formats/message_checkin.h"
#include <stddef.h>
#include "formats/fields.h"
#include "formats/message_parts.h"

enum { MESSAGE_FORMAT = 1, ID_SIZE = 16 };

/* --- facts --- */

static void read_attribute(struct moult_cbor_reader *reader, struct moult_bytes *name,
                           struct moult_bytes *value)
{
    if (moult_cbor_read_array(reader, 2, 2) != 2) { return; }
    *name = moult_cbor_read_text(reader, 1, MOULT_ATTRIBUTE_NAME_MAX);
    *value = moult_cbor_read_text(reader, 0, MOULT_ATTRIBUTE_VALUE_MAX);
}

/* Checked one by one, kept encoded. */
static void read_attributes(struct moult_cbor_reader *reader, void *member)
{
    struct moult_cbor_list *list = member;
    list->count = (uint8_t)moult_cbor_read_array(reader, 0, MOULT_ATTRIBUTES_MAX);
    list->encoded.data = reader->at;
    for (unsigned i = 0; i < list->count; i++) {
        struct moult_bytes name, value;
        read_attribute(reader, &name, &value);
    }
    list->encoded.size = (size_t)(reader->at - list->encoded.data);
}

static void write_attributes(struct moult_cbor_writer *writer, const void *member)
{
    const struct moult_cbor_list *list = member;
    moult_cbor_write_array(writer, list->count);
    moult_cbor_write_raw(writer, list->encoded);
}

void moult_attribute_write(struct moult_cbor_writer *writer, struct moult_bytes name,
                           struct moult_bytes value)
{
    moult_cbor_write_array(writer, 2);
    moult_cbor_write_text(writer, name);
    moult_cbor_write_text(writer, value);
}

bool moult_attribute_next(struct moult_cbor_list *rest, struct moult_bytes *name,
                          struct moult_bytes *value)
{
    if (rest->count == 0) { return false; }
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, rest->encoded);
    read_attribute(&reader, name, value);
    rest->count--;
    rest->encoded = (struct moult_bytes){reader.at, (size_t)(reader.end - reader.at)};
    return reader.status == MOULT_OK;
}

static const struct moult_field_custom attributes_custom = {read_attributes,
                                                            write_attributes};

static const struct moult_field encoding_row = {.kind = MOULT_KIND_U8, .max = UINT8_MAX};
static const struct moult_array encodings_array = {
    .rows = &encoding_row,
    .row_count = 1,
    .stride = 1,
    .count = offsetof(struct moult_facts, encoding_count),
};

#define NUMBER(key_, kind_, member, max_)                                                  \
    {                                                                                      \
        .key = key_, .kind = kind_, .offset = AT(member), .max = max_                      \
    }
#define TEXT(key_, member, max_)                                                           \
    {                                                                                      \
        .key = key_, .kind = MOULT_KIND_TEXT, .offset = AT(member), .min = 1, .max = max_  \
    }
#define AT(name) offsetof(struct moult_facts, name)
static const struct moult_field facts_fields[] = {
    NUMBER(MOULT_FACTS_CHIP, MOULT_KIND_U16, chip_id, UINT16_MAX),
    NUMBER(MOULT_FACTS_REVISION, MOULT_KIND_U16, revision, UINT16_MAX),
    NUMBER(MOULT_FACTS_FLASH_SIZE, MOULT_KIND_U32, flash_size, UINT32_MAX),
    NUMBER(MOULT_FACTS_SLOT_SIZE, MOULT_KIND_U32, slot_size, UINT32_MAX),
    NUMBER(MOULT_FACTS_SLOT, MOULT_KIND_U8, slot, UINT8_MAX),
    MOULT_FIELD_FIXED(MOULT_FACTS_OTHER_DIGEST, AT(other_digest), MOULT_SHA256_SIZE),
    MOULT_FIELD_FIXED(MOULT_FACTS_TABLE_DIGEST, AT(table_digest), MOULT_SHA256_SIZE),
    TEXT(MOULT_FACTS_VERSION, version, MOULT_FACTS_VERSION_MAX),
    NUMBER(MOULT_FACTS_BOOTLOADER, MOULT_KIND_U32, bootloader_version, UINT32_MAX),
    NUMBER(MOULT_FACTS_NVS_SCHEMA, MOULT_KIND_U32, nvs_schema, UINT32_MAX),
    NUMBER(MOULT_FACTS_SECURE_VERSION, MOULT_KIND_U8, secure_version, UINT8_MAX),
    {.key = MOULT_FACTS_ENCODINGS,
     .kind = MOULT_KIND_LIST,
     .offset = AT(encodings),
     .min = 1,
     .max = MOULT_FACTS_ENCODINGS_MAX,
     .array = &encodings_array},
    NUMBER(MOULT_FACTS_PATCH_PROFILES, MOULT_KIND_U8, patch_profiles, UINT8_MAX),
    NUMBER(MOULT_FACTS_DECODER_RAM, MOULT_KIND_U32, decoder_ram, UINT32_MAX),
    NUMBER(MOULT_FACTS_POSTURE, MOULT_KIND_U32, posture, UINT32_MAX),
    TEXT(MOULT_FACTS_SERIAL, serial, MOULT_FACTS_SERIAL_MAX),
    {.key = MOULT_FACTS_ATTRIBUTES,
     .kind = MOULT_KIND_CUSTOM,
     .offset = AT(attributes),
     .custom = &attributes_custom},
};
static const struct moult_map facts_map = {
    .fields = facts_fields,
    .field_count = MOULT_COUNT_OF(facts_fields),
    .size = sizeof(struct moult_facts),
    .extensions = AT(extensions),
};
#undef AT

/* --- check-in --- */

#define AT(name) offsetof(struct moult_checkin, name)
static const struct moult_field checkin_fields[] = {
    {.key = 1, .kind = MOULT_KIND_CONST, .min = MESSAGE_FORMAT},
    MOULT_FIELD_FIXED(2, AT(nonce), MOULT_NONCE_SIZE),
    MOULT_FIELD_FIXED(3, AT(device_id), ID_SIZE),
    MOULT_FIELD_FIXED(4, AT(running_digest), MOULT_SHA256_SIZE),
    MOULT_FIELD_U64(5, AT(running_sequence), 0),
    NUMBER(6, MOULT_KIND_U8, running_state, MOULT_RUNNING_UNMANAGED),
    NUMBER(7, MOULT_KIND_U32, keyset_version, UINT32_MAX),
    MOULT_FIELD_U64(8, AT(counter), 0),
    NUMBER(MOULT_CHECKIN_ENDPOINTS, MOULT_KIND_U32, endpoints_version, UINT32_MAX),
    {.key = MOULT_CHECKIN_FACTS,
     .kind = MOULT_KIND_MAP,
     .offset = AT(facts),
     .map = &facts_map},
    {.key = MOULT_CHECKIN_REPORTS,
     .kind = MOULT_KIND_CUSTOM,
     .offset = AT(reports),
     .custom = &moult_reports_custom},
};
static const struct moult_map checkin_map = {
    .fields = checkin_fields,
    .field_count = MOULT_COUNT_OF(checkin_fields),
    .size = sizeof(struct moult_checkin),
    .extensions = AT(extensions),
    .required = 0x1fe, /* 1..8 */
};
#undef AT

void moult_checkin_write(struct moult_cbor_writer *writer,
                         const struct moult_checkin *checkin)
{
    moult_record_write(writer, &checkin_map, checkin);
}

enum moult_status moult_checkin_read(struct moult_bytes message, struct moult_checkin *out,
                                     struct moult_finding *finding)
{
    return moult_message_read(message, MOULT_REQUEST_SIZE_MAX, &checkin_map, out, finding);
}

/* --- reply --- */

#define AT(name) offsetof(struct moult_checkin_reply, name)
static const struct moult_array gone_array = MOULT_GONE_ARRAY(AT(gone.count));
static const struct moult_field reply_fields[] = {
    {.key = 1, .kind = MOULT_KIND_CONST, .min = MESSAGE_FORMAT},
    NUMBER(2, MOULT_KIND_U32, next_s, UINT32_MAX),
    {.key = MOULT_REPLY_ASSIGNMENT,
     .kind = MOULT_KIND_BYTES,
     .offset = AT(assignment),
     .min = 1,
     .max = MOULT_STATEMENT_SIZE_MAX},
    NUMBER(MOULT_REPLY_KEYSET, MOULT_KIND_U32, keyset_version, UINT32_MAX),
    NUMBER(MOULT_REPLY_ENDPOINTS, MOULT_KIND_U32, endpoints_version, UINT32_MAX),
    MOULT_FIELD_U64(MOULT_REPLY_TIME, AT(server_time_ms), 0),
    {.key = MOULT_REPLY_SEND_FACTS,
     .kind = MOULT_KIND_U8,
     .offset = AT(send_facts),
     .min = 1,
     .max = 1},
    {.key = MOULT_REPLY_GONE,
     .kind = MOULT_KIND_LIST,
     .offset = AT(gone.deployment_id),
     .min = 1,
     .max = MOULT_REPORTS_MAX,
     .array = &gone_array},
};
static const struct moult_map reply_map = {
    .fields = reply_fields,
    .field_count = MOULT_COUNT_OF(reply_fields),
    .size = sizeof(struct moult_checkin_reply),
    .extensions = AT(extensions),
    .required = 0x06, /* 1, 2 */
};
#undef AT

void moult_checkin_reply_write(struct moult_cbor_writer *writer,
                               const struct moult_checkin_reply *reply)
{
    moult_record_write(writer, &reply_map, reply);
}

enum moult_status moult_checkin_reply_read(struct moult_bytes message,
                                           struct moult_checkin_reply *out,
                                           struct moult_finding *finding)
{
    return moult_message_read(message, MOULT_REPLY_SIZE_MAX, &reply_map, out, finding);
}
