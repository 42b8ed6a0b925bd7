/* fields.c - see fields.h. */
#include "formats/fields.h"
#include <assert.h>
#include <string.h>
#include "formats/codes.h"

static void *member(void *record, const struct moult_field *field)
{
    return (uint8_t *)record + field->offset;
}

static const void *member_const(const void *record, const struct moult_field *field)
{
    return (const uint8_t *)record + field->offset;
}

static uint32_t present_bits(const void *record)
{
    uint32_t bits;
    memcpy(&bits, record, sizeof bits);
    return bits;
}

static struct moult_cbor_list *extensions_of(const struct moult_map *map, void *record)
{
    return (struct moult_cbor_list *)(void *)((uint8_t *)record + map->extensions);
}

static const struct moult_field *field_of(const struct moult_map *map, uint64_t key)
{
    for (unsigned i = 0; i < map->count; i++) {
        if (map->fields[i].key == key) { return &map->fields[i]; }
    }
    return NULL;
}

/* --- reading --- */

/* A value >= 64: kept encoded, since such entries come last and lie side by side. */
static void read_extension(struct moult_cbor_reader *reader, const struct moult_map *map,
                           void *record, const uint8_t *start)
{
    struct moult_cbor_list *list = extensions_of(map, record);
    (void)moult_cbor_read_any(reader); /* its failure is in the status */
    if (list->count == 0) { list->encoded.data = start; }
    list->encoded.size = (size_t)(reader->at - list->encoded.data);
    if (list->count == MOULT_CBOR_EXTENSIONS_MAX) {
        moult_cbor_reject(reader, MOULT_E_FORMAT, start);
        return;
    }
    list->count++;
}

/* Reads a key. NULL when it is no field of the map: its value is then dealt with. */
static const struct moult_field *read_key(struct moult_cbor_reader *reader,
                                          const struct moult_map *map, void *record)
{
    const uint8_t *start = reader->at;
    uint64_t key = moult_cbor_read_u64(reader, 0, UINT32_MAX);
    if (key >= MOULT_CBOR_EXTENSION_KEY) {
        read_extension(reader, map, record, start);
        return NULL;
    }
    const struct moult_field *field = field_of(map, key);
    if (!field) {
        moult_cbor_reject(reader, MOULT_E_UNSUPPORTED, start);
        (void)moult_cbor_read_any(reader); /* its failure is in the status */
        return NULL;
    }
    uint32_t bits = present_bits(record) | UINT32_C(1) << field->key;
    memcpy(record, &bits, sizeof bits);
    return field;
}

static void read_number(struct moult_cbor_reader *reader, const struct moult_field *field,
                        void *at)
{
    uint64_t max = field->kind == MOULT_KIND_U64 ? UINT64_MAX : field->max;
    uint64_t value = moult_cbor_read_u64(reader, field->min, max);
    switch (field->kind) {
    case MOULT_KIND_U8:
        *(uint8_t *)at = (uint8_t)value;
        break;
    case MOULT_KIND_U16:
        *(uint16_t *)at = (uint16_t)value;
        break;
    case MOULT_KIND_U32:
        *(uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(uint64_t *)at = value;
        break;
    }
}

/* Another format number than ours: a later version, not a mistake. */
static void read_const(struct moult_cbor_reader *reader, uint64_t value)
{
    const uint8_t *start = reader->at;
    if (moult_cbor_read_u64(reader, 0, UINT64_MAX) == value) { return; }
    moult_cbor_reject(reader, MOULT_E_UNSUPPORTED, start);
}

static void read_value(struct moult_cbor_reader *reader, const struct moult_field *field,
                       void *record)
{
    void *at = member(record, field);
    struct moult_bytes *bytes = at;
    switch (field->kind) {
    case MOULT_KIND_CONST:
        read_const(reader, field->min);
        break;
    case MOULT_KIND_FIXED:
        *(const uint8_t **)at = moult_cbor_read_fixed(reader, field->max);
        break;
    case MOULT_KIND_BYTES:
        *bytes = moult_cbor_read_bytes(reader, field->min, field->max);
        break;
    case MOULT_KIND_TEXT:
        *bytes = moult_cbor_read_text(reader, field->min, field->max);
        break;
    case MOULT_KIND_ANY:
        *bytes = moult_cbor_read_any(reader);
        break;
    case MOULT_KIND_CUSTOM:
    case MOULT_KIND_NESTED:
        field->custom->read(reader, record);
        break;
    default:
        read_number(reader, field, at);
        break;
    }
}

static uint32_t begin(struct moult_cbor_reader *reader, const struct moult_map *map,
                      void *record)
{
    memset(record, 0, map->size);
    return moult_cbor_read_map(reader, 0, MOULT_CBOR_ENTRIES_MAX);
}

static void finish(struct moult_cbor_reader *reader, const struct moult_map *map,
                   const void *record, const uint8_t *start)
{
    if ((present_bits(record) & map->required) != map->required) {
        moult_cbor_reject(reader, MOULT_E_RANGE, start);
    }
}

void moult_map_read(struct moult_cbor_reader *reader, const struct moult_map *map,
                    void *record)
{
    const uint8_t *start = reader->at;
    for (uint32_t left = begin(reader, map, record); left > 0; left--) {
        const struct moult_field *field = read_key(reader, map, record);
        if (!field) { continue; }
        assert(field->kind != MOULT_KIND_NESTED);
        read_value(reader, field, record);
    }
    finish(reader, map, record, start);
}

void moult_record_read(struct moult_cbor_reader *reader, const struct moult_map *map,
                       void *record)
{
    const uint8_t *start = reader->at;
    for (uint32_t left = begin(reader, map, record); left > 0; left--) {
        const struct moult_field *field = read_key(reader, map, record);
        if (field) { read_value(reader, field, record); }
    }
    finish(reader, map, record, start);
}

static uint32_t offset_of_fault(const struct moult_cbor_reader *reader)
{
    return (uint32_t)moult_cbor_fault(reader);
}

enum moult_status moult_message_read(struct moult_bytes message, size_t size_max,
                                     const struct moult_map *map, void *record,
                                     struct moult_finding *finding)
{
    struct moult_finding bad = {.detail = MOULT_D_CBOR_PROFILE};
    if (message.size > size_max) {
        bad.expected = (uint32_t)size_max;
        bad.found = message.size > UINT32_MAX ? UINT32_MAX : (uint32_t)message.size;
        return moult_found(finding, MOULT_E_RANGE, bad);
    }
    size_t where;
    if (moult_cbor_check(message, MOULT_CBOR_PAYLOAD, &where) != MOULT_OK) {
        bad.where = (uint32_t)where;
        return moult_found(finding, MOULT_E_FORMAT, bad);
    }
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, message);
    moult_record_read(&reader, map, record);
    if (reader.status == MOULT_OK) {
        return moult_found(finding, MOULT_OK, (struct moult_finding){0});
    }
    bad.where = offset_of_fault(&reader);
    bool unknown = reader.status == MOULT_E_UNSUPPORTED;
    return moult_found(finding, unknown ? MOULT_E_UNSUPPORTED : MOULT_E_FORMAT, bad);
}

/* --- writing --- */

static uint64_t number_of(const struct moult_field *field, const void *at)
{
    switch (field->kind) {
    case MOULT_KIND_U8:
        return *(const uint8_t *)at;
    case MOULT_KIND_U16:
        return *(const uint16_t *)at;
    case MOULT_KIND_U32:
        return *(const uint32_t *)at;
    default:
        return *(const uint64_t *)at;
    }
}

static void write_value(struct moult_cbor_writer *writer, const struct moult_field *field,
                        const void *record)
{
    const void *at = member_const(record, field);
    const struct moult_bytes *bytes = at;
    switch (field->kind) {
    case MOULT_KIND_CONST:
        moult_cbor_write_u64(writer, field->min);
        break;
    case MOULT_KIND_FIXED:
        moult_cbor_write_bytes(writer, *(const uint8_t *const *)at, field->max);
        break;
    case MOULT_KIND_BYTES:
        moult_cbor_write_bytes(writer, bytes->data, bytes->size);
        break;
    case MOULT_KIND_TEXT:
        moult_cbor_write_text(writer, *bytes);
        break;
    case MOULT_KIND_ANY:
        moult_cbor_write_raw(writer, *bytes);
        break;
    case MOULT_KIND_CUSTOM:
    case MOULT_KIND_NESTED:
        field->custom->write(writer, record);
        break;
    default:
        moult_cbor_write_u64(writer, number_of(field, at));
        break;
    }
}

static bool is_written(const struct moult_map *map, const struct moult_field *field,
                       const void *record)
{
    return (present_bits(record) | map->required) >> field->key & 1;
}

static const struct moult_cbor_list *write_head(struct moult_cbor_writer *writer,
                                                const struct moult_map *map,
                                                const void *record)
{
    const void *at = (const uint8_t *)record + map->extensions;
    const struct moult_cbor_list *extensions = at;
    uint32_t count = extensions->count;
    for (unsigned i = 0; i < map->count; i++) {
        count += is_written(map, &map->fields[i], record);
    }
    moult_cbor_write_map(writer, count);
    return extensions;
}

void moult_map_write(struct moult_cbor_writer *writer, const struct moult_map *map,
                     const void *record)
{
    const struct moult_cbor_list *extensions = write_head(writer, map, record);
    for (unsigned i = 0; i < map->count; i++) {
        const struct moult_field *field = &map->fields[i];
        assert(field->kind != MOULT_KIND_NESTED);
        if (!is_written(map, field, record)) { continue; }
        moult_cbor_write_u64(writer, field->key);
        write_value(writer, field, record);
    }
    moult_cbor_write_raw(writer, extensions->encoded);
}

void moult_record_write(struct moult_cbor_writer *writer, const struct moult_map *map,
                        const void *record)
{
    const struct moult_cbor_list *extensions = write_head(writer, map, record);
    for (unsigned i = 0; i < map->count; i++) {
        const struct moult_field *field = &map->fields[i];
        if (!is_written(map, field, record)) { continue; }
        moult_cbor_write_u64(writer, field->key);
        write_value(writer, field, record);
    }
    moult_cbor_write_raw(writer, extensions->encoded);
}
