/* record.c - see record.h. */
#include "device/src/record.h"
#include <assert.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/pack.h"
#include "formats/bytes.h"

enum { FORMAT = 1, OFF_KIND = 1, OFF_LENGTH = 2, OFF_GENERATION = 4 };
enum { FRAME = MOULT_RECORD_HEADER + MOULT_RECORD_TRAILER };
_Static_assert(MOULT_KEYSET_SIZE_MAX + FRAME <= MOULT_KV_BLOB_MAX,
               "a keyset bank is the largest");
_Static_assert(MOULT_SECTOR_SIZE + 64 >= MOULT_KV_BLOB_MAX, "work holds any frame");

static bool has_two_banks(enum moult_record kind)
{
    return kind <= MOULT_RECORD_DEFERRAL;
}

/* Keys as docs/design/journal.md lists them. */
static void key_of(enum moult_record kind, unsigned bank, char key[MOULT_KV_KEY_MAX + 1])
{
    static const char *const names[MOULT_RECORD_COUNT] = {"plan",   "mark",   "floor",
                                                          "orders", "blocks", "keyset",
                                                          "parts",  "route",  "deferral"};
    const char *name = kind == MOULT_RECORD_ASSIGNMENT    ? "assignment"
                       : kind == MOULT_RECORD_RELEASE     ? "release"
                       : kind >= MOULT_RECORD_REPORT      ? "report"
                       : kind >= MOULT_RECORD_ENDPOINTS_0 ? "endpoints"
                                                          : names[kind];
    if (kind == MOULT_RECORD_ENDPOINTS_1) { bank = 1; } /* a record each, not two banks */
    assert(bank <= 1 && kind < MOULT_RECORD_REPORT + MOULT_OUTBOX_ENTRIES);
    size_t length = strlen(name);
    assert(length + 2 <= MOULT_KV_KEY_MAX);
    memcpy(key, name, length);
    key[length] = '.';
    key[length + 1] =
        (char)('0' + (kind >= MOULT_RECORD_REPORT ? kind - MOULT_RECORD_REPORT : bank));
    key[length + 2] = '\0';
}

struct moult_frame moult_small_frame(struct moult_session *s)
{
    return (struct moult_frame){s->record, sizeof s->record};
}

struct moult_frame moult_work_frame(struct moult_session *s)
{
    return (struct moult_frame){s->work, sizeof s->work};
}

struct moult_pack moult_record_pack(struct moult_frame frame, size_t size)
{
    uint8_t *payload = frame.data + MOULT_RECORD_HEADER;
    assert(size + FRAME <= frame.capacity);
    return (struct moult_pack){payload, payload + size, false};
}

static bool is_good(enum moult_record kind, const uint8_t *frame, size_t size)
{
    if (size < FRAME || frame[0] != FORMAT || frame[OFF_KIND] != (uint8_t)kind) {
        return false;
    }
    size_t length = get_le16(frame + OFF_LENGTH);
    if (length + FRAME != size) { return false; }
    return get_le32(frame + size - MOULT_RECORD_TRAILER) ==
           crc32_le(0, frame, size - MOULT_RECORD_TRAILER);
}

enum bank_state { BANK_FREE, BANK_GOOD, BANK_BAD, BANK_UNREADABLE };

static enum bank_state read_bank(struct moult_session *s, enum moult_record kind,
                                 unsigned bank, struct moult_frame frame,
                                 size_t *payload_size)
{
    char key[MOULT_KV_KEY_MAX + 1];
    key_of(kind, bank, key);
    size_t size = 0;
    *payload_size = 0;
    int32_t native = -1;
    for (unsigned i = 0; i < MOULT_READ_TRIES_MAX && native != 0; i++) {
        native = s->port->kv_get(s->port->context, key, frame.data, frame.capacity, &size);
    }
    if (native != 0) {
        s->trouble.native = native;
        return BANK_UNREADABLE;
    }
    if (size == 0) { return BANK_FREE; }
    if (!is_good(kind, frame.data, size)) { return BANK_BAD; }
    *payload_size = size - FRAME;
    return BANK_GOOD;
}

static uint32_t generation_of(struct moult_frame frame)
{
    return get_le32(frame.data + OFF_GENERATION);
}

enum moult_status moult_record_store(struct moult_session *s, enum moult_record kind,
                                     struct moult_frame frame, size_t payload_size)
{
    assert(payload_size > 0 && payload_size + FRAME <= frame.capacity);
    size_t size = payload_size + FRAME;
    uint32_t generation = has_two_banks(kind) ? s->generation[kind] + 1 : 0;
    frame.data[0] = FORMAT;
    frame.data[OFF_KIND] = (uint8_t)kind;
    put_le16(frame.data + OFF_LENGTH, (uint16_t)payload_size);
    put_le32(frame.data + OFF_GENERATION, generation);
    uint32_t crc = crc32_le(0, frame.data, size - MOULT_RECORD_TRAILER);
    put_le32(frame.data + size - MOULT_RECORD_TRAILER, crc);

    char key[MOULT_KV_KEY_MAX + 1];
    key_of(kind, generation & 1u, key);
    int32_t native = s->port->kv_set(s->port->context, key, frame.data, size);
    if (native != 0) {
        s->trouble.native = native;
        return MOULT_E_IO;
    }
    size_t found = 0;
    if (read_bank(s, kind, generation & 1u, frame, &found) != BANK_GOOD ||
        found != payload_size || generation_of(frame) != generation ||
        get_le32(frame.data + size - MOULT_RECORD_TRAILER) != crc) {
        return MOULT_E_IO;
    }
    if (has_two_banks(kind)) { s->generation[kind] = generation; }
    return MOULT_OK;
}

/* What both banks hold: the states, and which good one is newer. */
struct survey {
    enum bank_state state[2];
    uint32_t generation[2];
    int newer; /* -1: none is good */
};

static struct survey look_at(struct moult_session *s, enum moult_record kind,
                             struct moult_frame frame)
{
    struct survey found = {.newer = -1}; /* and both BANK_FREE */
    unsigned banks = has_two_banks(kind) ? 2 : 1;
    for (unsigned bank = 0; bank < banks; bank++) {
        size_t size;
        found.state[bank] = read_bank(s, kind, bank, frame, &size);
        if (found.state[bank] != BANK_GOOD) { continue; }
        found.generation[bank] = generation_of(frame);
        bool is_newer = found.newer < 0 ||
                        found.generation[bank] - found.generation[0] < UINT32_MAX / 2;
        if (is_newer) { found.newer = (int)bank; }
    }
    return found;
}

static void drop_bad_bank(struct moult_session *s, enum moult_record kind, unsigned bank)
{
    char key[MOULT_KV_KEY_MAX + 1];
    key_of(kind, bank, key);
    /* A bank that stays is only looked at, and refused, again. */
    (void)s->port->kv_erase(s->port->context, key);
}

enum moult_status moult_record_load(struct moult_session *s, enum moult_record kind,
                                    struct moult_frame frame, size_t *size,
                                    bool *is_damaged)
{
    struct survey found = look_at(s, kind, frame);
    bool is_unreadable = false;
    *size = 0;
    *is_damaged = false;
    for (unsigned bank = 0; bank < 2; bank++) {
        if (found.state[bank] == BANK_UNREADABLE) { is_unreadable = true; }
        if (found.state[bank] == BANK_BAD) { drop_bad_bank(s, kind, bank); }
        if (found.state[bank] >= BANK_BAD) { *is_damaged = true; }
    }
    if (found.newer < 0) { return is_unreadable ? MOULT_E_IO : MOULT_E_NOENT; }
    /* Cells that an interrupted write left half way read differently each time: what was
     * good a moment ago may be bad now. Then the other bank counts. */
    for (unsigned i = 0; i < 2; i++) {
        unsigned bank = (unsigned)found.newer ^ i;
        if (found.state[bank] != BANK_GOOD) { continue; }
        if (read_bank(s, kind, bank, frame, size) == BANK_GOOD) {
            if (has_two_banks(kind)) { s->generation[kind] = found.generation[bank]; }
            return MOULT_OK;
        }
        *is_damaged = true;
    }
    return MOULT_E_IO;
}

enum moult_status moult_record_load_older(struct moult_session *s, enum moult_record kind,
                                          struct moult_frame frame, size_t *size)
{
    assert(has_two_banks(kind));
    unsigned older = (s->generation[kind] + 1) & 1u;
    switch (read_bank(s, kind, older, frame, size)) {
    case BANK_GOOD:
        return MOULT_OK;
    case BANK_UNREADABLE:
        return MOULT_E_IO;
    default:
        return MOULT_E_NOENT;
    }
}

enum moult_status moult_record_erase(struct moult_session *s, enum moult_record kind)
{
    assert(
        !has_two_banks(kind)); /* a cut between two erases would bring the older one back */
    char key[MOULT_KV_KEY_MAX + 1];
    key_of(kind, 0, key);
    int32_t native = s->port->kv_erase(s->port->context, key);
    if (native != 0) { s->trouble.native = native; }
    return native == 0 ? MOULT_OK : MOULT_E_IO;
}
