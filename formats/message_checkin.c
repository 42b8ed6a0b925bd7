/* message_checkin.c - see message_checkin.h. */
#include "formats/message_checkin.h"
#include <assert.h>
#include <stddef.h>
#include "formats/fields.h"
#include "formats/message_parts.h"

enum { MESSAGE_FORMAT = 1, ID_SIZE = 16 };

/* --- facts --- */

static void read_encodings(struct moult_cbor_reader *reader, void *record)
{
    struct moult_facts *facts = record;
    facts->encoding_count =
        (uint8_t)moult_cbor_read_array(reader, 1, MOULT_FACTS_ENCODINGS_MAX);
    for (unsigned i = 0; i < facts->encoding_count; i++) {
        facts->encodings[i] = (uint8_t)moult_cbor_read_u64(reader, 0, UINT8_MAX);
    }
}

static void write_encodings(struct moult_cbor_writer *writer, const void *record)
{
    const struct moult_facts *facts = record;
    moult_cbor_write_array(writer, facts->encoding_count);
    for (unsigned i = 0; i < facts->encoding_count; i++) {
        moult_cbor_write_u64(writer, facts->encodings[i]);
    }
}

static void read_attribute(struct moult_cbor_reader *reader, struct moult_bytes *name,
                           struct moult_bytes *value)
{
    if (moult_cbor_read_array(reader, 2, 2) != 2) { return; }
    *name = moult_cbor_read_text(reader, 1, MOULT_ATTRIBUTE_NAME_MAX);
    *value = moult_cbor_read_text(reader, 0, MOULT_ATTRIBUTE_VALUE_MAX);
}

static void read_attributes(struct moult_cbor_reader *reader, void *record)
{
    struct moult_facts *facts = record;
    uint32_t count = moult_cbor_read_array(reader, 0, MOULT_ATTRIBUTES_MAX);
    const uint8_t *start = reader->at;
    for (uint32_t i = 0; i < count; i++) {
        struct moult_bytes name, value;
        read_attribute(reader, &name, &value);
    }
    facts->attributes.encoded = (struct moult_bytes){start, (size_t)(reader->at - start)};
    facts->attributes.count = (uint8_t)count;
}

static void write_attributes(struct moult_cbor_writer *writer, const void *record)
{
    const struct moult_facts *facts = record;
    moult_cbor_write_array(writer, facts->attributes.count);
    moult_cbor_write_raw(writer, facts->attributes.encoded);
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

static const struct moult_field_custom encodings_custom = {read_encodings, write_encodings};
static const struct moult_field_custom attributes_custom = {read_attributes,
                                                            write_attributes};

#define AT(name) offsetof(struct moult_facts, name)
static const struct moult_field facts_fields[] = {
    {MOULT_FACTS_CHIP, MOULT_KIND_U16, AT(chip_id), 0, UINT16_MAX, NULL},
    {MOULT_FACTS_REVISION, MOULT_KIND_U16, AT(revision), 0, UINT16_MAX, NULL},
    {MOULT_FACTS_FLASH_SIZE, MOULT_KIND_U32, AT(flash_size), 0, UINT32_MAX, NULL},
    {MOULT_FACTS_SLOT_SIZE, MOULT_KIND_U32, AT(slot_size), 0, UINT32_MAX, NULL},
    {MOULT_FACTS_SLOT, MOULT_KIND_U8, AT(slot), 0, UINT8_MAX, NULL},
    {MOULT_FACTS_OTHER_DIGEST, MOULT_KIND_FIXED, AT(other_digest), MOULT_SHA256_SIZE,
     MOULT_SHA256_SIZE, NULL},
    {MOULT_FACTS_TABLE_DIGEST, MOULT_KIND_FIXED, AT(table_digest), MOULT_SHA256_SIZE,
     MOULT_SHA256_SIZE, NULL},
    {MOULT_FACTS_VERSION, MOULT_KIND_TEXT, AT(version), 1, MOULT_FACTS_VERSION_MAX, NULL},
    {MOULT_FACTS_BOOTLOADER, MOULT_KIND_U32, AT(bootloader_version), 0, UINT32_MAX, NULL},
    {MOULT_FACTS_NVS_SCHEMA, MOULT_KIND_U32, AT(nvs_schema), 0, UINT32_MAX, NULL},
    {MOULT_FACTS_SECURE_VERSION, MOULT_KIND_U8, AT(secure_version), 0, UINT8_MAX, NULL},
    {MOULT_FACTS_ENCODINGS, MOULT_KIND_CUSTOM, 0, 0, 0, &encodings_custom},
    {MOULT_FACTS_PATCH_PROFILES, MOULT_KIND_U8, AT(patch_profiles), 0, UINT8_MAX, NULL},
    {MOULT_FACTS_DECODER_RAM, MOULT_KIND_U32, AT(decoder_ram), 0, UINT32_MAX, NULL},
    {MOULT_FACTS_POSTURE, MOULT_KIND_U32, AT(posture), 0, UINT32_MAX, NULL},
    {MOULT_FACTS_SERIAL, MOULT_KIND_TEXT, AT(serial), 1, MOULT_FACTS_SERIAL_MAX, NULL},
    {MOULT_FACTS_ATTRIBUTES, MOULT_KIND_CUSTOM, 0, 0, 0, &attributes_custom},
};
static const struct moult_map facts_map = {
    .fields = facts_fields,
    .count = MOULT_FIELD_COUNT_OF(facts_fields),
    .size = sizeof(struct moult_facts),
    .extensions = AT(extensions),
};
#undef AT

/* --- check-in --- */

static void read_facts(struct moult_cbor_reader *reader, void *record)
{
    moult_map_read(reader, &facts_map, &((struct moult_checkin *)record)->facts);
}

static void write_facts(struct moult_cbor_writer *writer, const void *record)
{
    moult_map_write(writer, &facts_map, &((const struct moult_checkin *)record)->facts);
}

static void read_reports(struct moult_cbor_reader *reader, void *record)
{
    moult_report_list_read(reader, &((struct moult_checkin *)record)->reports);
}

static void write_reports(struct moult_cbor_writer *writer, const void *record)
{
    moult_report_list_write(writer, &((const struct moult_checkin *)record)->reports);
}

static const struct moult_field_custom facts_custom = {read_facts, write_facts};
static const struct moult_field_custom reports_custom = {read_reports, write_reports};

#define AT(name) offsetof(struct moult_checkin, name)
static const struct moult_field checkin_fields[] = {
    {1, MOULT_KIND_CONST, 0, MESSAGE_FORMAT, 0, NULL},
    {2, MOULT_KIND_FIXED, AT(nonce), MOULT_NONCE_SIZE, MOULT_NONCE_SIZE, NULL},
    {3, MOULT_KIND_FIXED, AT(device_id), ID_SIZE, ID_SIZE, NULL},
    {4, MOULT_KIND_FIXED, AT(running_digest), MOULT_SHA256_SIZE, MOULT_SHA256_SIZE, NULL},
    {5, MOULT_KIND_U64, AT(running_sequence), 0, 0, NULL},
    {6, MOULT_KIND_U8, AT(running_state), 0, MOULT_RUNNING_UNMANAGED, NULL},
    {7, MOULT_KIND_U32, AT(keyset_version), 0, UINT32_MAX, NULL},
    {8, MOULT_KIND_U64, AT(counter), 0, 0, NULL},
    {MOULT_CHECKIN_ENDPOINTS, MOULT_KIND_U32, AT(endpoints_version), 0, UINT32_MAX, NULL},
    {MOULT_CHECKIN_FACTS, MOULT_KIND_NESTED, 0, 0, 0, &facts_custom},
    {MOULT_CHECKIN_REPORTS, MOULT_KIND_NESTED, 0, 0, 0, &reports_custom},
};
static const struct moult_map checkin_map = {
    .fields = checkin_fields,
    .count = MOULT_FIELD_COUNT_OF(checkin_fields),
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

static void read_gone(struct moult_cbor_reader *reader, void *record)
{
    moult_gone_read(reader, &((struct moult_checkin_reply *)record)->gone);
}

static void write_gone(struct moult_cbor_writer *writer, const void *record)
{
    moult_gone_write(writer, &((const struct moult_checkin_reply *)record)->gone);
}

static const struct moult_field_custom gone_custom = {read_gone, write_gone};

#define AT(name) offsetof(struct moult_checkin_reply, name)
static const struct moult_field reply_fields[] = {
    {1, MOULT_KIND_CONST, 0, MESSAGE_FORMAT, 0, NULL},
    {2, MOULT_KIND_U32, AT(next_s), 0, UINT32_MAX, NULL},
    {MOULT_REPLY_ASSIGNMENT, MOULT_KIND_BYTES, AT(assignment), 1, MOULT_STATEMENT_SIZE_MAX,
     NULL},
    {MOULT_REPLY_KEYSET, MOULT_KIND_U32, AT(keyset_version), 0, UINT32_MAX, NULL},
    {MOULT_REPLY_ENDPOINTS, MOULT_KIND_U32, AT(endpoints_version), 0, UINT32_MAX, NULL},
    {MOULT_REPLY_TIME, MOULT_KIND_U64, AT(server_time_ms), 0, 0, NULL},
    {MOULT_REPLY_SEND_FACTS, MOULT_KIND_U8, AT(send_facts), 1, 1, NULL},
    {MOULT_REPLY_GONE, MOULT_KIND_CUSTOM, 0, 0, 0, &gone_custom},
};
static const struct moult_map reply_map = {
    .fields = reply_fields,
    .count = MOULT_FIELD_COUNT_OF(reply_fields),
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
