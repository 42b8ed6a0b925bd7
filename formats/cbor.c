/* cbor.c - see cbor.h. */
#include "formats/cbor.h"
#include <assert.h>
#include <string.h>

enum { TAG_COSE_SIGN = 98, KEYSET_KEYS_ENTRY = 5, KEYSET_KEYS_DEPTH = 3 };
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22 };

struct head {
    uint8_t type;   /* enum moult_cbor_type */
    uint64_t value; /* number, size, count, tag, or simple value */
};

static size_t left(const struct moult_cbor_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Whether a head stands for something the profile has and the input can hold. Floats and
 * longer simple values fall here, since 20..22 are in the first byte. */
static bool is_plausible(const struct head *head, size_t rest)
{
    if (head->type == MOULT_CBOR_SIMPLE) {
        return head->value >= SIMPLE_FALSE && head->value <= SIMPLE_NULL;
    }
    bool has_contents = head->type >= MOULT_CBOR_BYTES && head->type <= MOULT_CBOR_MAP;
    return !has_contents || head->value <= rest >> (head->type == MOULT_CBOR_MAP);
}

/* An argument of 1, 2, 4 or 8 bytes. False when a shorter form would do: a single byte
 * below 24, or an upper half that is all zero. */
static bool read_argument(const uint8_t *at, unsigned size, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        *value = *value << 8 | at[i];
        if (i + 1 == size / 2 && *value == 0) { return false; }
    }
    return size > 1 || *value >= 24;
}

/* Reads a head in its shortest form and nothing else. False leaves the reader where it was.
 * */
static bool read_head(struct moult_cbor_reader *reader, struct head *head)
{
    const uint8_t *at = reader->at;
    size_t rest = left(reader);
    if (rest == 0) { return false; }
    unsigned info = *at & 31;
    head->type = *at >> 5;
    head->value = info;
    at++;
    rest--;
    if (info >= 24) {
        unsigned size = 1u << (info - 24);
        if (info > 27 || rest < size || !read_argument(at, size, &head->value)) {
            return false;
        }
        at += size;
        rest -= size;
    }
    if (!is_plausible(head, rest)) { return false; }
    reader->at = at;
    return true;
}

static bool is_printable(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) { return false; }
    }
    return true;
}

/* Skips the contents of a string. */
static bool skip_string(struct moult_cbor_reader *reader, const struct head *head)
{
    bool good =
        head->type == MOULT_CBOR_BYTES || is_printable(reader->at, (size_t)head->value);
    if (good) { reader->at += head->value; }
    return good;
}

/* --- the profile, all the way down --- */

/* An open container. Of a map, keys and values both count as items, so that an even number
 * of them left means that a key comes next. */
struct level {
    size_t left;        /* items still to come; each has at least a byte */
    uint64_t key_min;   /* smallest key that may come: one above the last */
    uint8_t extensions; /* keys >= 64 seen in this map */
    bool is_map;
    bool is_extension; /* inside the value of a key >= 64 */
    bool is_begun;     /* an item was read */
};

/* What else may stand here; the profile itself always may. */
enum leave { ALG_ANYWHERE = 1, ALG_IN_KEYS = 2, SIMPLE_ANYWHERE = 4 };

struct walk {
    struct moult_cbor_reader *reader;
    unsigned leave;                                /* enum leave */
    struct level *top;                             /* the innermost open container */
    struct level levels[1 + MOULT_CBOR_DEPTH_MAX]; /* the first holds the item itself */
};

static bool in_extension(const struct level *level)
{
    return level->is_extension ||
           (level->is_map && level->key_min > MOULT_CBOR_EXTENSION_KEY);
}

/* The first item in an element of entry 5 of a keyset: { 5: [ [ -9, ... ], ... ] }. */
static bool may_be_alg(const struct walk *walk)
{
    const struct level *levels = walk->levels;
    if (walk->leave & ALG_ANYWHERE) { return true; }
    return (walk->leave & ALG_IN_KEYS) && walk->top == &levels[KEYSET_KEYS_DEPTH] &&
           levels[1].is_map && levels[1].key_min == KEYSET_KEYS_ENTRY + 1 &&
           !levels[2].is_map && !levels[3].is_map && !levels[3].is_begun;
}

static bool is_alg(const struct head *head)
{
    return head->value == -1 - MOULT_CBOR_ESP256 || head->value == -1 - MOULT_CBOR_ES256;
}

static bool walk_key(struct level *level, const struct head *head)
{
    if (head->type != MOULT_CBOR_UINT || head->value > UINT32_MAX) { return false; }
    if (head->value < level->key_min) { return false; }
    level->key_min = head->value + 1;
    if (head->value >= MOULT_CBOR_EXTENSION_KEY) { level->extensions++; }
    return level->extensions <= MOULT_CBOR_EXTENSIONS_MAX;
}

static bool walk_into(struct walk *walk, const struct head *head)
{
    bool is_map = head->type == MOULT_CBOR_MAP;
    bool is_extension = in_extension(walk->top);
    if (walk->top == &walk->levels[MOULT_CBOR_DEPTH_MAX]) { return false; }
    if (is_map && head->value > MOULT_CBOR_ENTRIES_MAX) { return false; }
    walk->top++;
    *walk->top = (struct level){
        .left = (size_t)head->value << is_map,
        .is_map = is_map,
        .is_extension = is_extension,
    };
    return true;
}

/* A key, or an item; of a container only its head. */
static bool walk_step(struct walk *walk)
{
    struct level *level = walk->top;
    bool is_key = level->is_map && level->left % 2 == 0;
    bool alg = may_be_alg(walk);
    struct head head;
    if (!read_head(walk->reader, &head)) { return false; }
    level->left--;
    level->is_begun = true;
    if (is_key) { return walk_key(level, &head); }
    switch (head.type) {
    case MOULT_CBOR_UINT:
        return true;
    case MOULT_CBOR_NEGATIVE:
        return alg && is_alg(&head);
    case MOULT_CBOR_BYTES:
    case MOULT_CBOR_TEXT:
        return skip_string(walk->reader, &head);
    case MOULT_CBOR_ARRAY:
    case MOULT_CBOR_MAP:
        return walk_into(walk, &head);
    case MOULT_CBOR_SIMPLE:
        return (walk->leave & SIMPLE_ANYWHERE) || in_extension(level);
    default:
        return false; /* a tag */
    }
}

/* Reads one item whole. False leaves the reader at the head that is wrong. */
static bool walk_item(struct moult_cbor_reader *reader, unsigned leave)
{
    struct walk walk = {.reader = reader, .leave = leave, .levels[0].left = 1};
    walk.top = walk.levels;
    while (walk.levels[0].left > 0 || walk.top > walk.levels) {
        const uint8_t *start = reader->at;
        if (!walk_step(&walk)) {
            reader->at = start;
            return false;
        }
        while (walk.top > walk.levels && walk.top->left == 0) {
            walk.top--;
        }
    }
    return true;
}

enum moult_status moult_cbor_check(struct moult_bytes input, enum moult_cbor_place place,
                                   size_t *where)
{
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, input);
    static const uint8_t tag[] = {0xd8, TAG_COSE_SIGN};
    bool is_tagged = place == MOULT_CBOR_ENVELOPE && left(&reader) >= sizeof tag &&
                     memcmp(reader.at, tag, sizeof tag) == 0;
    if (is_tagged) { reader.at += sizeof tag; }
    bool good = walk_item(&reader, place == MOULT_CBOR_KEYSET_PAYLOAD ? ALG_IN_KEYS : 0);
    if (where) { *where = (size_t)(reader.at - reader.start); }
    if (!good) { return MOULT_E_FORMAT; }
    return left(&reader) == 0 ? MOULT_OK : MOULT_E_RANGE;
}

/* --- reader --- */

void moult_cbor_reader_init(struct moult_cbor_reader *reader, struct moult_bytes input)
{
    static const uint8_t nothing;
    const uint8_t *start = input.data ? input.data : &nothing;
    *reader = (struct moult_cbor_reader){
        .start = start,
        .at = start,
        .end = start + (input.data ? input.size : 0),
        .status = MOULT_OK,
    };
}

/* A later place in the list of cbor.h is worse. */
static unsigned severity(enum moult_status status)
{
    if (status == MOULT_E_FORMAT) { return 3; }
    if (status == MOULT_E_UNSUPPORTED) { return 2; }
    return status == MOULT_E_RANGE;
}

void moult_cbor_reject(struct moult_cbor_reader *reader, enum moult_status status,
                       const uint8_t *at)
{
    if (severity(status) <= severity(reader->status)) { return; }
    reader->status = status;
    reader->fault = at;
}

size_t moult_cbor_fault(const struct moult_cbor_reader *reader)
{
    return reader->fault ? (size_t)(reader->fault - reader->start) : 0;
}

enum moult_cbor_type moult_cbor_peek(const struct moult_cbor_reader *reader)
{
    if (left(reader) == 0 || reader->status == MOULT_E_FORMAT) { return MOULT_CBOR_END; }
    return (enum moult_cbor_type)(*reader->at >> 5);
}

struct moult_bytes moult_cbor_read_any(struct moult_cbor_reader *reader)
{
    const uint8_t *start = reader->at;
    if (reader->status != MOULT_E_FORMAT &&
        walk_item(reader, ALG_ANYWHERE | SIMPLE_ANYWHERE)) {
        return (struct moult_bytes){start, (size_t)(reader->at - start)};
    }
    moult_cbor_reject(reader, MOULT_E_FORMAT, reader->at);
    return (struct moult_bytes){0};
}

/* Skips the item at `start` and says it was not what was asked for. */
static void refuse(struct moult_cbor_reader *reader, const uint8_t *start)
{
    reader->at = start;
    (void)moult_cbor_read_any(reader); /* its failure is in the status */
    moult_cbor_reject(reader, MOULT_E_RANGE, start);
}

/* The head of the next item, if it has this type and its value is in the range. */
static bool take(struct moult_cbor_reader *reader, struct head *want, uint64_t min,
                 uint64_t max)
{
    const uint8_t *start = reader->at;
    if (reader->status == MOULT_E_FORMAT) { return false; }
    struct head head;
    if (!read_head(reader, &head)) {
        moult_cbor_reject(reader, MOULT_E_FORMAT, start);
        return false;
    }
    if (head.type != want->type || head.value < min || head.value > max) {
        refuse(reader, start);
        return false;
    }
    *want = head;
    return true;
}

uint64_t moult_cbor_read_u64(struct moult_cbor_reader *reader, uint64_t min, uint64_t max)
{
    struct head head = {.type = MOULT_CBOR_UINT};
    return take(reader, &head, min, max) ? head.value : 0;
}

static struct moult_bytes read_string(struct moult_cbor_reader *reader, uint8_t type,
                                      size_t min, size_t max)
{
    const uint8_t *start = reader->at;
    struct head head = {.type = type};
    if (!take(reader, &head, min, max)) { return (struct moult_bytes){0}; }
    const uint8_t *data = reader->at;
    if (!skip_string(reader, &head)) {
        moult_cbor_reject(reader, MOULT_E_FORMAT, start);
        return (struct moult_bytes){0};
    }
    return (struct moult_bytes){data, (size_t)head.value};
}

struct moult_bytes moult_cbor_read_bytes(struct moult_cbor_reader *reader, size_t min,
                                         size_t max)
{
    return read_string(reader, MOULT_CBOR_BYTES, min, max);
}

struct moult_bytes moult_cbor_read_text(struct moult_cbor_reader *reader, size_t min,
                                        size_t max)
{
    return read_string(reader, MOULT_CBOR_TEXT, min, max);
}

const uint8_t *moult_cbor_read_fixed(struct moult_cbor_reader *reader, size_t size)
{
    return read_string(reader, MOULT_CBOR_BYTES, size, size).data;
}

uint32_t moult_cbor_read_array(struct moult_cbor_reader *reader, uint32_t min, uint32_t max)
{
    struct head head = {.type = MOULT_CBOR_ARRAY};
    return take(reader, &head, min, max) ? (uint32_t)head.value : 0;
}

uint32_t moult_cbor_read_map(struct moult_cbor_reader *reader, uint32_t min, uint32_t max)
{
    struct head head = {.type = MOULT_CBOR_MAP};
    return take(reader, &head, min, max) ? (uint32_t)head.value : 0;
}

int moult_cbor_read_alg(struct moult_cbor_reader *reader)
{
    const uint8_t *start = reader->at;
    struct head head = {.type = MOULT_CBOR_NEGATIVE};
    if (!take(reader, &head, 0, UINT64_MAX)) { return 0; }
    if (is_alg(&head)) { return -1 - (int)head.value; }
    refuse(reader, start);
    return 0;
}

/* --- writer --- */

void moult_cbor_writer_init(struct moult_cbor_writer *writer, uint8_t *data,
                            size_t capacity)
{
    assert(data || capacity == 0);
    *writer = (struct moult_cbor_writer){data, capacity, 0, MOULT_OK};
}

static void put(struct moult_cbor_writer *writer, const uint8_t *data, size_t size)
{
    if (writer->status == MOULT_OK && size > writer->capacity - writer->size) {
        writer->status = MOULT_E_SPACE;
    }
    if (writer->status != MOULT_OK || size == 0) { return; }
    assert(data);
    memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

static void put_head(struct moult_cbor_writer *writer, enum moult_cbor_type type,
                     uint64_t value)
{
    uint8_t bytes[9];
    unsigned size = 0, info = (unsigned)value;
    if (value >= 24) {
        unsigned step = value > UINT32_MAX ? 3 : value > UINT16_MAX ? 2 : value > UINT8_MAX;
        size = 1u << step;
        info = 24 + step;
    }
    bytes[0] = (uint8_t)((unsigned)type << 5 | info);
    for (unsigned i = size; i > 0; i--) {
        bytes[i] = (uint8_t)value;
        value >>= 8;
    }
    put(writer, bytes, size + 1);
}

void moult_cbor_write_u64(struct moult_cbor_writer *writer, uint64_t value)
{
    put_head(writer, MOULT_CBOR_UINT, value);
}

void moult_cbor_write_bytes(struct moult_cbor_writer *writer, const uint8_t *data,
                            size_t size)
{
    put_head(writer, MOULT_CBOR_BYTES, size);
    put(writer, data, size);
}

void moult_cbor_write_bytes_head(struct moult_cbor_writer *writer, size_t size)
{
    put_head(writer, MOULT_CBOR_BYTES, size);
}

void moult_cbor_write_text(struct moult_cbor_writer *writer, struct moult_bytes text)
{
    put_head(writer, MOULT_CBOR_TEXT, text.size);
    put(writer, text.data, text.size);
}

void moult_cbor_write_array(struct moult_cbor_writer *writer, uint32_t count)
{
    put_head(writer, MOULT_CBOR_ARRAY, count);
}

void moult_cbor_write_map(struct moult_cbor_writer *writer, uint32_t count)
{
    put_head(writer, MOULT_CBOR_MAP, count);
}

void moult_cbor_write_alg(struct moult_cbor_writer *writer, int alg)
{
    assert(alg == MOULT_CBOR_ESP256 || alg == MOULT_CBOR_ES256);
    put_head(writer, MOULT_CBOR_NEGATIVE, (uint64_t)(-1 - alg));
}

void moult_cbor_write_raw(struct moult_cbor_writer *writer, struct moult_bytes encoded)
{
    put(writer, encoded.data, encoded.size);
}

struct moult_bytes moult_cbor_written(const struct moult_cbor_writer *writer)
{
    return (struct moult_bytes){writer->data, writer->size};
}
