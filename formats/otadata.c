/* otadata.c - see otadata.h. Checked against ESP-IDF's rules in tests/unit/formats/. */
#include "formats/otadata.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"

enum { OFF_SEQ = 0, OFF_STATE = 24, OFF_CRC = 28 };
_Static_assert(OFF_CRC + 4 == MOULT_OTADATA_SIZE, "otadata entry layout");

const char *moult_otadata_state_name(uint32_t state)
{
    static const char *const names[] = {"NEW", "PENDING_VERIFY", "VALID", "INVALID",
                                        "ABORTED"};
    if (state == MOULT_OTADATA_UNDEFINED) { return "UNDEFINED"; }
    return state < sizeof names / sizeof names[0] ? names[state] : "?";
}

static uint32_t crc_of_seq(const uint8_t *raw)
{
    return crc32_le(UINT32_MAX, raw + OFF_SEQ, 4);
}

struct moult_otadata_entry moult_otadata_decode(const uint8_t raw[MOULT_OTADATA_SIZE])
{
    return (struct moult_otadata_entry){
        .seq = get_le32(raw + OFF_SEQ),
        .state = get_le32(raw + OFF_STATE),
        .crc = get_le32(raw + OFF_CRC),
        .has_good_crc = get_le32(raw + OFF_CRC) == crc_of_seq(raw),
    };
}

void moult_otadata_encode(uint32_t seq, uint32_t state, uint8_t raw[MOULT_OTADATA_SIZE])
{
    memset(raw, 0xff, MOULT_OTADATA_SIZE);
    put_le32(raw + OFF_SEQ, seq);
    put_le32(raw + OFF_STATE, state);
    put_le32(raw + OFF_CRC, crc_of_seq(raw));
}

bool moult_otadata_is_invalid(const struct moult_otadata_entry *entry)
{
    return entry->seq == UINT32_MAX || entry->state == MOULT_OTADATA_INVALID ||
           entry->state == MOULT_OTADATA_ABORTED;
}

/* The CRC covers seq only, so a damaged state is believed: ESP-IDF's format. */
bool moult_otadata_is_valid(const struct moult_otadata_entry *entry)
{
    return !moult_otadata_is_invalid(entry) && entry->has_good_crc;
}

bool moult_otadata_is_initial(const struct moult_otadata_entry *entry)
{
    return entry->seq == UINT32_MAX || !entry->has_good_crc;
}

/* The entry with the larger seq of those that may; equal: 0. */
static int larger_of(const struct moult_otadata_entry entry[2], const bool may[2])
{
    if (may[0] && may[1]) { return entry[1].seq > entry[0].seq ? 1 : 0; }
    if (may[0]) { return 0; }
    return may[1] ? 1 : -1;
}

int moult_otadata_active(const uint8_t raw[2][MOULT_OTADATA_SIZE])
{
    struct moult_otadata_entry entry[2];
    bool may[2];
    for (int i = 0; i < 2; i++) {
        entry[i] = moult_otadata_decode(raw[i]);
        may[i] = moult_otadata_is_valid(&entry[i]);
    }
    return larger_of(entry, may);
}

uint32_t moult_otadata_slot(uint32_t seq, uint32_t slot_count)
{
    assert(slot_count >= 1);
    return (seq - 1u) % slot_count;
}

/* The smallest seq >= current that selects slot, as ESP-IDF counts; 0: none left. */
static uint32_t next_seq(uint32_t current, uint32_t slot, uint32_t slot_count)
{
    uint64_t seq = (slot + 1u) % slot_count;
    if (seq < current) {
        seq += (current - seq + slot_count - 1) / slot_count * (uint64_t)slot_count;
    }
    if (seq == 0) { seq = slot_count; } /* current was 0, which nobody writes */
    return seq < UINT32_MAX ? (uint32_t)seq : 0;
}

enum moult_status moult_otadata_select(const uint8_t raw[2][MOULT_OTADATA_SIZE],
                                       uint32_t slot, uint32_t slot_count, uint32_t state,
                                       struct moult_otadata_write *out)
{
    assert(raw && out);
    if (slot_count > MOULT_OTADATA_SLOTS_MAX || slot >= slot_count) {
        return MOULT_E_RANGE;
    }

    int active = moult_otadata_active(raw);
    uint32_t sector = 0, seq = slot + 1;
    if (active >= 0) {
        uint32_t current = get_le32(raw[active] + OFF_SEQ);
        bool is_same = moult_otadata_slot(current, slot_count) == slot;
        sector = is_same ? (uint32_t)active : (uint32_t)active ^ 1u;
        seq = is_same ? current : next_seq(current, slot, slot_count);
        if (!is_same && seq == 0) { return MOULT_E_RANGE; }
    }
    assert(moult_otadata_slot(seq, slot_count) == slot);
    out->sector = sector;
    moult_otadata_encode(seq, state, out->raw);
    return MOULT_OK;
}

enum moult_status moult_otadata_mark(const uint8_t raw[2][MOULT_OTADATA_SIZE],
                                     uint32_t state, struct moult_otadata_write *out)
{
    assert(raw && out);
    int active = moult_otadata_active(raw);
    if (active < 0) { return MOULT_E_NOENT; }
    if (get_le32(raw[active] + OFF_STATE) == state) { return MOULT_E_EXISTS; }

    out->sector = (uint32_t)active;
    memcpy(out->raw, raw[active], MOULT_OTADATA_SIZE);
    put_le32(out->raw + OFF_STATE, state);
    return MOULT_OK;
}

static bool may_boot(const struct moult_otadata_entry *entry,
                     const struct moult_otadata_rules *rules)
{
    if (rules->slot_count == 0 || !moult_otadata_is_valid(entry)) { return false; }
    uint32_t slot = moult_otadata_slot(entry->seq, rules->slot_count);
    return !rules->anti_rollback || (rules->slots_allowed >> slot & 1u);
}

static enum moult_status check_rules(const struct moult_otadata_rules *rules)
{
    if (rules->slot_count > MOULT_OTADATA_SLOTS_MAX) { return MOULT_E_RANGE; }
    if (rules->anti_rollback && !rules->rollback) { return MOULT_E_ARG; }
    return MOULT_OK;
}

enum moult_status moult_otadata_choose(const uint8_t raw[2][MOULT_OTADATA_SIZE],
                                       const struct moult_otadata_rules *rules,
                                       struct moult_otadata_choice *out)
{
    assert(raw && rules && out); /* a caller's bug; bad input gets a status instead */
    enum moult_status st = check_rules(rules);
    if (st != MOULT_OK) { return st; }

    struct moult_otadata_entry entry[2];
    bool may[2];
    for (int i = 0; i < 2; i++) {
        entry[i] = moult_otadata_decode(raw[i]);
        if (rules->rollback && entry[i].state == MOULT_OTADATA_PENDING_VERIFY) {
            entry[i].state = MOULT_OTADATA_ABORTED; /* its first boot never confirmed */
        }
        may[i] = may_boot(&entry[i], rules);
    }
    bool are_initial =
        moult_otadata_is_initial(&entry[0]) && moult_otadata_is_initial(&entry[1]);
    bool are_invalid =
        moult_otadata_is_invalid(&entry[0]) && moult_otadata_is_invalid(&entry[1]);
    *out = (struct moult_otadata_choice){
        .entry = larger_of(entry, may),
        .state = {entry[0].state, entry[1].state},
        .is_fresh = are_initial && (rules->anti_rollback || are_invalid),
    };
    if (out->entry < 0) { return MOULT_E_NOENT; }

    const struct moult_otadata_entry *chosen = &entry[out->entry];
    out->slot = moult_otadata_slot(chosen->seq, rules->slot_count);
    assert(out->slot < rules->slot_count && moult_otadata_is_valid(chosen));
    out->is_confirmed = chosen->state == MOULT_OTADATA_VALID;
    if (rules->rollback && chosen->state == MOULT_OTADATA_NEW) {
        out->state[out->entry] = MOULT_OTADATA_PENDING_VERIFY;
    }
    return MOULT_OK;
}
