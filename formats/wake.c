/* wake.c - see wake.h. */
#include "formats/wake.h"
#include <stddef.h>
#include <string.h>
#include "formats/fields.h"

struct record {
    uint32_t present;
    struct moult_wake wake;
    struct moult_cbor_list extensions;
};

static const struct moult_field fields[] = {
    MOULT_FIELD_U64(1, offsetof(struct record, wake.seq), 0),
    {.key = 2,
     .kind = MOULT_KIND_U32,
     .offset = offsetof(struct record, wake.spread_s),
     .max = UINT32_MAX},
};
static const struct moult_map map = {
    .fields = fields,
    .field_count = MOULT_COUNT_OF(fields),
    .size = sizeof(struct record),
    .extensions = offsetof(struct record, extensions),
    .required = 0x06, /* 1, 2 */
};

void moult_wake_write(struct moult_cbor_writer *writer, const struct moult_wake *wake)
{
    struct record record = {.wake = *wake};
    moult_record_write(writer, &map, &record);
}

enum moult_status moult_wake_read(struct moult_bytes payload, struct moult_wake *out)
{
    struct record record;
    enum moult_status st =
        moult_message_read(payload, MOULT_WAKE_SIZE_MAX, &map, &record, NULL);
    if (st == MOULT_OK) { *out = record.wake; }
    return st;
}

void moult_wake_topic(const uint8_t device_id[16], char out[MOULT_WAKE_TOPIC_SIZE])
{
    static const char before[] = "moult/1/";
    static const char after[] = "/wake";
    _Static_assert(sizeof before - 1 + 32 + sizeof after == MOULT_WAKE_TOPIC_SIZE, "topic");
    memcpy(out, before, sizeof before - 1);
    moult_hex_encode(device_id, 16, out + sizeof before - 1);
    memcpy(out + sizeof before - 1 + 32, after, sizeof after);
}
