/* fields.c - see fields.h. */
#include "formats/fields.h"
#include <assert.h>
#include <string.h>
#include "formats/codes.h"
#include "formats/statement.h"

static void *member(void *record, size_t offset)
{
    return (uint8_t *)record + offset;
}

static const void *member_const(const void *record, size_t offset)
{
    return (const uint8_t *)record + offset;
}

static uint32_t present_bits(const void *record)
{
    uint32_t bits;
    memcpy(&bits, record, sizeof bits);
    return bits;
}

static const struct moult_field *field_of(const struct moult_map *map, uint32_t key)
{
    for (unsigned i = 0; i < map->field_count; i++) {
        if (map->fields[i].key == key) { return &map->fields[i]; }
    }
    return NULL;
}

/* --- reading: plain values --- */

/* Another format number than ours: a later version, not a mistake. */
static void read_const(struct moult_cbor_reader *reader, uint64_t value)
{
    const uint8_t *start = reader->at;
    if (moult_cbor_read_u64(reader, 0, UINT64_MAX) == value) { return; }
    moult_cbor_reject(reader, MOULT_E_UNSUPPORTED, start);
}

static void read_alg(struct moult_cbor_reader *reader)
{
    const uint8_t *start = reader->at;
    if (moult_cbor_read_alg(reader) == MOULT_CBOR_ESP256) { return; }
    moult_cbor_reject(reader, MOULT_E_RANGE, start);
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

static void read_plain(struct moult_cbor_reader *reader, const struct moult_field *field,
                       void *record)
{
    void *at = member(record, field->offset);
    struct moult_bytes *bytes = at;
    switch (field->kind) {
    case MOULT_KIND_CONST:
        read_const(reader, field->min);
        break;
    case MOULT_KIND_ALG:
        read_alg(reader);
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
    default:
        read_number(reader, field, at);
        break;
    }
}

/* --- reading: arrays --- */

static void read_tuple(struct moult_cbor_reader *reader, const struct moult_array *array,
                       void *element)
{
    uint32_t count = moult_cbor_read_array(reader, array->row_count, array->row_count);
    for (uint32_t i = 0; i < count; i++) {
        read_plain(reader, &array->rows[i], element);
    }
}

static void read_array(struct moult_cbor_reader *reader, const struct moult_field *field,
                       void *record)
{
    const struct moult_array *array = field->array;
    uint8_t *element = member(record, field->offset);
    uint32_t count = moult_cbor_read_array(reader, field->min, field->max);
    *(uint8_t *)member(record, array->count) = (uint8_t)count;
    for (; count > 0; count--) {
        if (field->kind == MOULT_KIND_LIST) {
            read_plain(reader, array->rows, element);
        } else {
            read_tuple(reader, array, element);
        }
        element += array->stride;
    }
}

static void read_value(struct moult_cbor_reader *reader, const struct moult_field *field,
                       void *record)
{
    void *at = member(record, field->offset);
    switch (field->kind) {
    case MOULT_KIND_TUPLE:
        read_tuple(reader, field->array, at);
        break;
    case MOULT_KIND_TUPLES:
    case MOULT_KIND_LIST:
        read_array(reader, field, record);
        break;
    case MOULT_KIND_CUSTOM:
        field->custom->read(reader, at);
        break;
    default:
        read_plain(reader, field, record);
        break;
    }
}

/* --- reading: maps --- */

/* An entry >= 64: kept encoded, since such entries come last and lie side by side. */
static void read_extension(struct moult_cbor_reader *reader, const struct moult_map *map,
                           void *record, const uint8_t *start)
{
    struct moult_cbor_list *list = member(record, map->extensions);
    (void)moult_cbor_read_any(reader); /* its failure is in the status */
    if (list->count == 0) { list->encoded.data = start; }
    list->encoded.size = (size_t)(reader->at - list->encoded.data);
    list->count++;
}

/* Reads a key. NULL when it is no field of the map: its value is then dealt with. */
static const struct moult_field *read_key(struct moult_cbor_reader *reader,
                                          const struct moult_map *map, void *record)
{
    const uint8_t *start = reader->at;
    uint32_t key = (uint32_t)moult_cbor_read_u64(reader, 0, UINT32_MAX);
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
    uint32_t bits = present_bits(record) | UINT32_C(1) << key;
    memcpy(record, &bits, sizeof bits);
    return field;
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
    if (reader->status != MOULT_OK) { return; } /* what was not read is not judged */
    bool is_whole = (present_bits(record) & map->required) == map->required;
    if (is_whole && (!map->is_sound || map->is_sound(record))) { return; }
    moult_cbor_reject(reader, MOULT_E_RANGE, start);
}

void moult_map_read(struct moult_cbor_reader *reader, const struct moult_map *map,
                    void *record)
{
    const uint8_t *start = reader->at;
    for (uint32_t left = begin(reader, map, record); left > 0; left--) {
        const struct moult_field *field = read_key(reader, map, record);
        if (field) { read_value(reader, field, record); }
    }
    finish(reader, map, record, start);
}

static void read_maps(struct moult_cbor_reader *reader, const struct moult_field *field,
                      void *record)
{
    uint8_t *element = member(record, field->offset);
    uint32_t count = moult_cbor_read_array(reader, field->min, field->max);
    *(uint8_t *)member(record, field->map->count) = (uint8_t)count;
    for (; count > 0; count--) {
        moult_map_read(reader, field->map, element);
        element += field->map->size;
    }
}

void moult_record_read(struct moult_cbor_reader *reader, const struct moult_map *map,
                       void *record)
{
    const uint8_t *start = reader->at;
    for (uint32_t left = begin(reader, map, record); left > 0; left--) {
        const struct moult_field *field = read_key(reader, map, record);
        if (!field) { continue; }
        switch (field->kind) {
        case MOULT_KIND_MAP:
            moult_map_read(reader, field->map, member(record, field->offset));
            break;
        case MOULT_KIND_MAPS:
            read_maps(reader, field, record);
            break;
        default:
            read_value(reader, field, record);
            break;
        }
    }
    finish(reader, map, record, start);
}

enum moult_status moult_message_read(struct moult_bytes message, size_t size_max,
                                     const struct moult_map *map, void *record,
                                     struct moult_finding *finding)
{
    struct moult_finding unwanted;
    if (!finding) { finding = &unwanted; }
    (void)moult_refuse(finding, MOULT_OK, MOULT_D_CBOR_PROFILE, 0,
                       0); /* a status comes below */
    if (message.size > size_max) {
        finding->expected = (uint32_t)size_max;
        finding->found = message.size > UINT32_MAX ? UINT32_MAX : (uint32_t)message.size;
        return MOULT_E_RANGE;
    }
    size_t where;
    if (moult_cbor_check(message, MOULT_CBOR_PAYLOAD, &where) != MOULT_OK) {
        finding->where = (uint32_t)where;
        return MOULT_E_FORMAT;
    }
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, message);
    moult_record_read(&reader, map, record);
    if (reader.status == MOULT_OK) { return moult_accept(finding); }
    finding->where = (uint32_t)moult_cbor_fault(&reader);
    return reader.status == MOULT_E_UNSUPPORTED ? MOULT_E_UNSUPPORTED : MOULT_E_FORMAT;
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

static void write_plain(struct moult_cbor_writer *writer, const struct moult_field *field,
                        const void *record)
{
    const void *at = member_const(record, field->offset);
    const struct moult_bytes *bytes = at;
    switch (field->kind) {
    case MOULT_KIND_CONST:
        moult_cbor_write_u64(writer, field->min);
        break;
    case MOULT_KIND_ALG:
        moult_cbor_write_alg(writer, MOULT_CBOR_ESP256);
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
    default:
        moult_cbor_write_u64(writer, number_of(field, at));
        break;
    }
}

static void write_tuple(struct moult_cbor_writer *writer, const struct moult_array *array,
                        const void *element)
{
    moult_cbor_write_array(writer, array->row_count);
    for (unsigned i = 0; i < array->row_count; i++) {
        write_plain(writer, &array->rows[i], element);
    }
}

static void write_array(struct moult_cbor_writer *writer, const struct moult_field *field,
                        const void *record)
{
    const struct moult_array *array = field->array;
    const uint8_t *element = member_const(record, field->offset);
    uint8_t count = *(const uint8_t *)member_const(record, array->count);
    assert(count >= field->min && count <= field->max);
    moult_cbor_write_array(writer, count);
    for (; count > 0; count--) {
        if (field->kind == MOULT_KIND_LIST) {
            write_plain(writer, array->rows, element);
        } else {
            write_tuple(writer, array, element);
        }
        element += array->stride;
    }
}

static void write_value(struct moult_cbor_writer *writer, const struct moult_field *field,
                        const void *record)
{
    const void *at = member_const(record, field->offset);
    switch (field->kind) {
    case MOULT_KIND_TUPLE:
        write_tuple(writer, field->array, at);
        break;
    case MOULT_KIND_TUPLES:
    case MOULT_KIND_LIST:
        write_array(writer, field, record);
        break;
    case MOULT_KIND_CUSTOM:
        field->custom->write(writer, at);
        break;
    default:
        write_plain(writer, field, record);
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
    const struct moult_cbor_list *extensions = member_const(record, map->extensions);
    uint32_t count = extensions->count;
    for (unsigned i = 0; i < map->field_count; i++) {
        count += is_written(map, &map->fields[i], record);
    }
    moult_cbor_write_map(writer, count);
    return extensions;
}

void moult_map_write(struct moult_cbor_writer *writer, const struct moult_map *map,
                     const void *record)
{
    const struct moult_cbor_list *extensions = write_head(writer, map, record);
    for (unsigned i = 0; i < map->field_count; i++) {
        const struct moult_field *field = &map->fields[i];
        if (!is_written(map, field, record)) { continue; }
        moult_cbor_write_u64(writer, field->key);
        write_value(writer, field, record);
    }
    moult_cbor_write_raw(writer, extensions->encoded);
}

static void write_maps(struct moult_cbor_writer *writer, const struct moult_field *field,
                       const void *record)
{
    const uint8_t *element = member_const(record, field->offset);
    uint8_t count = *(const uint8_t *)member_const(record, field->map->count);
    assert(count >= field->min && count <= field->max);
    moult_cbor_write_array(writer, count);
    for (; count > 0; count--) {
        moult_map_write(writer, field->map, element);
        element += field->map->size;
    }
}

void moult_record_write(struct moult_cbor_writer *writer, const struct moult_map *map,
                        const void *record)
{
    const struct moult_cbor_list *extensions = write_head(writer, map, record);
    for (unsigned i = 0; i < map->field_count; i++) {
        const struct moult_field *field = &map->fields[i];
        if (!is_written(map, field, record)) { continue; }
        moult_cbor_write_u64(writer, field->key);
        switch (field->kind) {
        case MOULT_KIND_MAP:
            moult_map_write(writer, field->map, member_const(record, field->offset));
            break;
        case MOULT_KIND_MAPS:
            write_maps(writer, field, record);
            break;
        default:
            write_value(writer, field, record);
            break;
        }
    }
    moult_cbor_write_raw(writer, extensions->encoded);
}
