/* nvs.c - see nvs.h.
 *
 * A page is a sector: 64 bytes of header, then 126 entries of 32 bytes. A record is one
 * header entry and its data entries, within one page. Writing: program the record, then
 * clear its bit in `committed`, then clear the old record's bit in `dropped`. Of two live
 * records of one key the later one counts, by page sequence and position. Garbage
 * collection fills a page that is marked "receiving", marks it complete, erases the victim.
 */
#include "ports/sim/nvs.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"

enum {
    PAGE_SIZE = MOULT_SIM_SECTOR_SIZE,
    ENTRY_SIZE = MOULT_SIM_NVS_ENTRY_SIZE,
    ENTRIES_AT = 64,
    ENTRY_COUNT = MOULT_SIM_NVS_ENTRIES,

    /* page header, as on flash */
    PAGE_MAGIC_AT = 0,
    PAGE_SEQ_AT = 4,
    PAGE_CRC_AT = 8, /* of the 8 bytes before */
    PAGE_STATE_AT = 12,
    PAGE_HEADER_SIZE = 13,
    COMMITTED_AT = 16, /* one bit per entry, 0: a record begins here and is whole */
    DROPPED_AT = 32,   /* one bit per entry, 0: that record does not count any more */
    BITMAP_SIZE = 16,

    /* record header, as on flash */
    RECORD_CRC_AT = 0, /* of the rest of the header entry */
    RECORD_SPACE_AT = 4,
    RECORD_SIZE_AT = 6,
    RECORD_KEY_AT = 8,
    RECORD_DATA_CRC_AT = 24,

    STATE_COMPLETE = 0x00,
    STATE_RECEIVING = 0xff, /* garbage collection was filling it: does not count */
};
#define PAGE_MAGIC 0x31564e4du /* "MNV1" */

_Static_assert(ENTRIES_AT + ENTRY_COUNT * ENTRY_SIZE == PAGE_SIZE, "page layout");
_Static_assert(DROPPED_AT + BITMAP_SIZE <= ENTRIES_AT, "bitmaps fit the page header");
_Static_assert(MOULT_SIM_NVS_BLOB_MAX + ENTRY_SIZE <= ENTRY_COUNT * ENTRY_SIZE,
               "the largest record fits a page");

/* In RAM only. */
enum page_kind { PAGE_FREE, PAGE_DIRTY, PAGE_USED };

/* A page is collected for its age instead of its garbage when it is so many pages old:
 * otherwise a page of values that never change would never wear. */
enum { AGE_FACTOR = 16 };

static uint32_t span_of(uint32_t size)
{
    return 1 + (size + ENTRY_SIZE - 1) / ENTRY_SIZE;
}

static uint32_t page_at(const struct moult_sim_nvs *nvs, uint32_t page)
{
    return nvs->offset + page * PAGE_SIZE;
}

static uint32_t entry_at(const struct moult_sim_nvs *nvs, uint32_t page, uint32_t entry)
{
    return page_at(nvs, page) + ENTRIES_AT + entry * ENTRY_SIZE;
}

static bool bit_is_clear(const uint8_t *bitmap, uint32_t index)
{
    return (bitmap[index / 8] & (1u << (index % 8))) == 0;
}

/* --- Reading ------------------------------------------------------------------------- */

struct bitmaps {
    uint8_t committed[BITMAP_SIZE], dropped[BITMAP_SIZE];
};
_Static_assert(sizeof(struct bitmaps) == 2 * BITMAP_SIZE &&
                   COMMITTED_AT + BITMAP_SIZE == DROPPED_AT,
               "both bitmaps are read at once");

static enum moult_status read_bitmaps(const struct moult_sim_nvs *nvs, uint32_t page,
                                      struct bitmaps *out)
{
    return moult_sim_flash_read(nvs->flash, page_at(nvs, page) + COMMITTED_AT,
                                out->committed, sizeof *out);
}

/* False: the header entry is damaged. */
static bool decode_record(const uint8_t raw[ENTRY_SIZE], struct moult_sim_nvs_record *out)
{
    if (get_le32(raw + RECORD_CRC_AT) != crc32_le(0, raw + 4, ENTRY_SIZE - 4)) {
        return false;
    }
    out->space = raw[RECORD_SPACE_AT];
    out->size = get_le16(raw + RECORD_SIZE_AT);
    out->data_crc = get_le32(raw + RECORD_DATA_CRC_AT);
    memcpy(out->key, raw + RECORD_KEY_AT, sizeof out->key);
    return out->key[MOULT_SIM_NVS_KEY_MAX] == 0 && out->size <= MOULT_SIM_NVS_BLOB_MAX &&
           out->entry + span_of(out->size) <= ENTRY_COUNT;
}

/* The next live record at or behind the cursor; the cursor moves behind it. MOULT_E_NOENT:
 * no more. */
static enum moult_status next_live(const struct moult_sim_nvs *nvs,
                                   struct moult_sim_nvs_cursor *cursor,
                                   struct moult_sim_nvs_record *out)
{
    for (; cursor->page < nvs->page_count; cursor->page++, cursor->entry = 0) {
        if (nvs->pages[cursor->page].kind != PAGE_USED) { continue; }
        struct bitmaps maps;
        enum moult_status st = read_bitmaps(nvs, cursor->page, &maps);
        if (st != MOULT_OK) { return st; }
        while (cursor->entry < ENTRY_COUNT) {
            uint32_t entry = cursor->entry++;
            if (!bit_is_clear(maps.committed, entry) || bit_is_clear(maps.dropped, entry)) {
                continue;
            }
            uint8_t raw[ENTRY_SIZE];
            out->page = cursor->page;
            out->entry = entry;
            st = moult_sim_flash_read(nvs->flash, entry_at(nvs, out->page, entry), raw,
                                      sizeof raw);
            if (st != MOULT_OK) { return st; }
            if (decode_record(raw, out)) { return MOULT_OK; }
        }
    }
    return MOULT_E_NOENT;
}

static bool is_later(const struct moult_sim_nvs *nvs, const struct moult_sim_nvs_record *a,
                     const struct moult_sim_nvs_record *b)
{
    uint32_t seq_a = nvs->pages[a->page].seq, seq_b = nvs->pages[b->page].seq;
    return seq_a != seq_b ? seq_a > seq_b : a->entry > b->entry;
}

static bool has_key(const struct moult_sim_nvs_record *record, uint8_t space,
                    const char *key)
{
    return record->space == space && strcmp(record->key, key) == 0;
}

/* The record that counts for a key. */
static enum moult_status find(const struct moult_sim_nvs *nvs, uint8_t space,
                              const char *key, struct moult_sim_nvs_record *out)
{
    struct moult_sim_nvs_cursor cursor = {0};
    struct moult_sim_nvs_record record;
    bool is_found = false;
    enum moult_status st;
    while ((st = next_live(nvs, &cursor, &record)) == MOULT_OK) {
        if (!has_key(&record, space, key)) { continue; }
        if (!is_found || is_later(nvs, &record, out)) { *out = record; }
        is_found = true;
    }
    if (st != MOULT_E_NOENT) { return st; }
    return is_found ? MOULT_OK : MOULT_E_NOENT;
}

/* --- Writing ------------------------------------------------------------------------- */

/* Program, read back, compare: a flash that lies is found here, not at the next boot. */
static enum moult_status program(struct moult_sim_nvs *nvs, uint32_t offset,
                                 const uint8_t *data, uint32_t size)
{
    enum moult_status st = moult_sim_flash_program(nvs->flash, offset, data, size);
    for (uint32_t at = 0; st == MOULT_OK && at < size;) {
        uint8_t found[ENTRY_SIZE];
        uint32_t part = size - at < sizeof found ? size - at : (uint32_t)sizeof found;
        st = moult_sim_flash_read(nvs->flash, offset + at, found, part);
        if (st == MOULT_OK && memcmp(found, data + at, part) != 0) { st = MOULT_E_IO; }
        at += part;
    }
    return st;
}

static enum moult_status clear_bit(struct moult_sim_nvs *nvs, uint32_t page,
                                   uint32_t bitmap_at, uint32_t entry)
{
    uint32_t at = page_at(nvs, page) + bitmap_at + entry / 8;
    uint8_t byte;
    enum moult_status st = moult_sim_flash_read(nvs->flash, at, &byte, 1);
    if (st != MOULT_OK) { return st; }
    byte = (uint8_t)(byte & ~(1u << (entry % 8)));
    return program(nvs, at, &byte, 1);
}

/* Drop every live record of the key but `keep` (NULL: all). */
static enum moult_status drop_others(struct moult_sim_nvs *nvs, uint8_t space,
                                     const char *key,
                                     const struct moult_sim_nvs_record *keep)
{
    struct moult_sim_nvs_cursor cursor = {0};
    struct moult_sim_nvs_record record;
    enum moult_status st;
    while ((st = next_live(nvs, &cursor, &record)) == MOULT_OK) {
        bool is_kept = keep && record.page == keep->page && record.entry == keep->entry;
        if (is_kept || !has_key(&record, space, key)) { continue; }
        st = clear_bit(nvs, record.page, DROPPED_AT, record.entry);
        if (st != MOULT_OK) { return st; }
        struct moult_sim_nvs_page *page = &nvs->pages[record.page];
        page->live = (uint8_t)(page->live - span_of(record.size));
    }
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* The page to be filled next: round and round, for even wear. page_count: none is free. */
static uint32_t pick_free(const struct moult_sim_nvs *nvs)
{
    for (uint32_t i = 1; i <= nvs->page_count; i++) {
        uint32_t page = (nvs->active + i) % nvs->page_count;
        if (nvs->pages[page].kind != PAGE_USED) { return page; }
    }
    return nvs->page_count;
}

static uint32_t count_free(const struct moult_sim_nvs *nvs)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < nvs->page_count; i++) {
        count += nvs->pages[i].kind != PAGE_USED;
    }
    return count;
}

static uint32_t seq_max(const struct moult_sim_nvs *nvs)
{
    uint32_t seq = 0;
    for (uint32_t i = 0; i < nvs->page_count; i++) {
        const struct moult_sim_nvs_page *page = &nvs->pages[i];
        if (page->kind == PAGE_USED && page->seq > seq) { seq = page->seq; }
    }
    return seq;
}

static enum moult_status open_page(struct moult_sim_nvs *nvs, uint32_t page, uint8_t state)
{
    assert(page < nvs->page_count && nvs->pages[page].kind != PAGE_USED);
    enum moult_status st = MOULT_OK;
    uint32_t seq = seq_max(nvs) + 1;
    if (nvs->pages[page].kind == PAGE_DIRTY) {
        st = moult_sim_flash_erase(nvs->flash, page_at(nvs, page));
    }
    nvs->pages[page] = (struct moult_sim_nvs_page){.kind = PAGE_DIRTY};
    if (st != MOULT_OK) { return st; }

    uint8_t header[PAGE_HEADER_SIZE];
    put_le32(header + PAGE_MAGIC_AT, PAGE_MAGIC);
    put_le32(header + PAGE_SEQ_AT, seq);
    put_le32(header + PAGE_CRC_AT, crc32_le(0, header, PAGE_CRC_AT));
    header[PAGE_STATE_AT] = state;
    st = program(nvs, page_at(nvs, page), header, sizeof header);
    if (st != MOULT_OK) { return st; }
    nvs->pages[page] = (struct moult_sim_nvs_page){.kind = PAGE_USED, .seq = seq};
    nvs->active = page;
    return MOULT_OK;
}

/* Commit a record whose entries have been programmed at the end of `page`. */
static enum moult_status commit(struct moult_sim_nvs *nvs, uint32_t page, uint32_t entry,
                                uint32_t span)
{
    enum moult_status st = clear_bit(nvs, page, COMMITTED_AT, entry);
    if (st == MOULT_OK) { nvs->pages[page].live = (uint8_t)(nvs->pages[page].live + span); }
    return st;
}

/* Entries at the end of the page are now used, whatever becomes of them. */
static uint32_t take_entries(struct moult_sim_nvs *nvs, uint32_t page, uint32_t span)
{
    uint32_t entry = nvs->pages[page].end;
    assert(entry + span <= ENTRY_COUNT);
    nvs->pages[page].end = (uint8_t)(entry + span);
    return entry;
}

/* --- Garbage collection -------------------------------------------------------------- */

static enum moult_status copy_record(struct moult_sim_nvs *nvs,
                                     const struct moult_sim_nvs_record *record, uint32_t to)
{
    uint32_t span = span_of(record->size);
    uint32_t entry = take_entries(nvs, to, span);
    for (uint32_t i = 0; i < span; i++) {
        uint8_t raw[ENTRY_SIZE];
        enum moult_status st = moult_sim_flash_read(
            nvs->flash, entry_at(nvs, record->page, record->entry + i), raw, sizeof raw);
        if (st == MOULT_OK) {
            st = program(nvs, entry_at(nvs, to, entry + i), raw, sizeof raw);
        }
        if (st != MOULT_OK) { return st; }
    }
    return commit(nvs, to, entry, span);
}

/* Copy what counts in `victim` into page `to`. */
static enum moult_status copy_live(struct moult_sim_nvs *nvs, uint32_t victim, uint32_t to)
{
    struct moult_sim_nvs_cursor cursor = {.page = victim};
    struct moult_sim_nvs_record record, latest;
    enum moult_status st;
    while ((st = next_live(nvs, &cursor, &record)) == MOULT_OK && record.page == victim) {
        st = find(nvs, record.space, record.key, &latest);
        if (st == MOULT_OK && latest.page == victim && latest.entry == record.entry) {
            st = copy_record(nvs, &record, to);
        }
        if (st != MOULT_OK) { return st; }
    }
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* The used page that is cheapest to collect, or the oldest when it has rested for too long;
 * page_count: none leaves room for `span` entries. */
static uint32_t pick_victim(const struct moult_sim_nvs *nvs, uint32_t span)
{
    uint32_t best = nvs->page_count, oldest = nvs->page_count;
    for (uint32_t i = 0; i < nvs->page_count; i++) {
        const struct moult_sim_nvs_page *page = &nvs->pages[i];
        if (page->kind != PAGE_USED || page->live + span > ENTRY_COUNT) { continue; }
        if (oldest == nvs->page_count || page->seq < nvs->pages[oldest].seq) { oldest = i; }
        if (best == nvs->page_count || page->live < nvs->pages[best].live ||
            (page->live == nvs->pages[best].live && page->seq < nvs->pages[best].seq)) {
            best = i;
        }
    }
    bool is_stale = oldest < nvs->page_count &&
                    seq_max(nvs) - nvs->pages[oldest].seq > AGE_FACTOR * nvs->page_count;
    return is_stale ? oldest : best;
}

static enum moult_status collect(struct moult_sim_nvs *nvs, uint32_t span)
{
    uint32_t victim = pick_victim(nvs, span), to = pick_free(nvs);
    if (victim == nvs->page_count || to == nvs->page_count) { return MOULT_E_SPACE; }

    uint32_t active = nvs->active;
    enum moult_status st = open_page(nvs, to, STATE_RECEIVING);
    if (st == MOULT_OK) { st = copy_live(nvs, victim, to); }
    if (st == MOULT_OK) {
        const uint8_t complete = STATE_COMPLETE;
        st = program(nvs, page_at(nvs, to) + PAGE_STATE_AT, &complete, 1);
    }
    if (st != MOULT_OK) { /* as if it had never begun */
        nvs->pages[to].kind = PAGE_DIRTY;
        nvs->active = active;
        return st;
    }
    st = moult_sim_flash_erase(nvs->flash, page_at(nvs, victim));
    if (st == MOULT_OK) {
        nvs->pages[victim] = (struct moult_sim_nvs_page){.kind = PAGE_FREE};
    }
    return st;
}

static enum moult_status make_room(struct moult_sim_nvs *nvs, uint32_t span)
{
    bool has_active = nvs->active < nvs->page_count;
    if (has_active && nvs->pages[nvs->active].end + span <= ENTRY_COUNT) {
        return MOULT_OK;
    }
    if (count_free(nvs) > 1) { return open_page(nvs, pick_free(nvs), STATE_COMPLETE); }
    return collect(nvs, span);
}

/* --- Mounting ------------------------------------------------------------------------ */

/* The first entry behind everything that was ever written to the page. */
static enum moult_status find_end(const struct moult_sim_nvs *nvs, uint32_t page,
                                  uint8_t *end)
{
    for (uint32_t entry = ENTRY_COUNT; entry > 0; entry--) {
        uint8_t raw[ENTRY_SIZE];
        enum moult_status st = moult_sim_flash_read(
            nvs->flash, entry_at(nvs, page, entry - 1), raw, sizeof raw);
        if (st != MOULT_OK) { return st; }
        if (!moult_bytes_all(raw, sizeof raw, 0xff)) {
            *end = (uint8_t)entry;
            return MOULT_OK;
        }
    }
    *end = 0;
    return MOULT_OK;
}

static enum moult_status load_page(struct moult_sim_nvs *nvs, uint32_t page)
{
    struct moult_sim_nvs_page *out = &nvs->pages[page];
    *out = (struct moult_sim_nvs_page){.kind = PAGE_DIRTY};
    uint8_t header[ENTRIES_AT];
    enum moult_status st =
        moult_sim_flash_read(nvs->flash, page_at(nvs, page), header, sizeof header);
    if (st == MOULT_OK) { st = find_end(nvs, page, &out->end); }
    if (st != MOULT_OK) { return st; }

    if (out->end == 0 && moult_bytes_all(header, sizeof header, 0xff)) {
        out->kind = PAGE_FREE;
    } else if (get_le32(header + PAGE_MAGIC_AT) == PAGE_MAGIC &&
               get_le32(header + PAGE_CRC_AT) == crc32_le(0, header, PAGE_CRC_AT) &&
               header[PAGE_STATE_AT] == STATE_COMPLETE) {
        out->kind = PAGE_USED;
        out->seq = get_le32(header + PAGE_SEQ_AT);
    }
    return MOULT_OK;
}

static void pick_active(struct moult_sim_nvs *nvs)
{
    nvs->active = nvs->page_count;
    for (uint32_t i = 0; i < nvs->page_count; i++) {
        if (nvs->pages[i].kind == PAGE_USED && nvs->pages[i].seq == seq_max(nvs)) {
            nvs->active = i;
        }
    }
}

static enum moult_status count_live(struct moult_sim_nvs *nvs)
{
    struct moult_sim_nvs_cursor cursor = {0};
    struct moult_sim_nvs_record record;
    enum moult_status st;
    while ((st = next_live(nvs, &cursor, &record)) == MOULT_OK) {
        struct moult_sim_nvs_page *page = &nvs->pages[record.page];
        page->live = (uint8_t)(page->live + span_of(record.size));
    }
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* Of every key keep only the record that counts: a cut may have come between the commit of
 * a new one and the drop of the old one, or before a collected page was erased. */
static enum moult_status drop_duplicates(struct moult_sim_nvs *nvs)
{
    struct moult_sim_nvs_cursor cursor = {0};
    struct moult_sim_nvs_record record, latest;
    enum moult_status st;
    while ((st = next_live(nvs, &cursor, &record)) == MOULT_OK) {
        st = find(nvs, record.space, record.key, &latest);
        if (st == MOULT_OK) { st = drop_others(nvs, record.space, record.key, &latest); }
        if (st != MOULT_OK) { return st; }
    }
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* A page with nothing that counts may be erased when it is needed. */
static void release_empty(struct moult_sim_nvs *nvs)
{
    for (uint32_t i = 0; i < nvs->page_count; i++) {
        bool is_empty = nvs->pages[i].kind == PAGE_USED && nvs->pages[i].live == 0;
        if (is_empty && i != nvs->active) { nvs->pages[i].kind = PAGE_DIRTY; }
    }
}

enum moult_status moult_sim_nvs_mount(struct moult_sim_nvs *nvs,
                                      struct moult_sim_flash *flash, uint32_t offset,
                                      uint32_t size, bool is_writable)
{
    assert(nvs && flash);
    uint32_t page_count = size / PAGE_SIZE;
    if (offset % PAGE_SIZE || size % PAGE_SIZE || page_count < MOULT_SIM_NVS_PAGES_MIN ||
        page_count > MOULT_SIM_NVS_PAGES_MAX) {
        return MOULT_E_RANGE;
    }
    *nvs =
        (struct moult_sim_nvs){.flash = flash, .offset = offset, .page_count = page_count};
    for (uint32_t i = 0; i < page_count; i++) {
        enum moult_status st = load_page(nvs, i);
        if (st != MOULT_OK) { return st; }
    }
    pick_active(nvs);
    enum moult_status st = count_live(nvs);
    if (st == MOULT_OK && is_writable) {
        /* A bit that will not clear leaves a duplicate, and the later record counts all the
         * same: no reason to be without a store. */
        enum moult_status dropped = drop_duplicates(nvs);
        if (nvs->flash->is_off) { st = dropped; }
    }
    if (st == MOULT_OK && is_writable) { release_empty(nvs); }
    return st;
}

/* --- The interface ------------------------------------------------------------------- */

static bool is_key(const char *key)
{
    size_t length = strlen(key);
    return length >= 1 && length <= MOULT_SIM_NVS_KEY_MAX;
}

static uint32_t data_at(const struct moult_sim_nvs *nvs,
                        const struct moult_sim_nvs_record *record)
{
    return entry_at(nvs, record->page, record->entry + 1);
}

enum moult_status moult_sim_nvs_get(const struct moult_sim_nvs *nvs, uint8_t space,
                                    const char *key, uint8_t *out, uint32_t capacity,
                                    uint32_t *size)
{
    if (!is_key(key)) { return MOULT_E_ARG; }
    struct moult_sim_nvs_record record;
    enum moult_status st = find(nvs, space, key, &record);
    if (st != MOULT_OK) { return st; }
    *size = record.size;
    if (record.size > capacity) { return MOULT_E_SPACE; }
    st = moult_sim_flash_read(nvs->flash, data_at(nvs, &record), out, record.size);
    if (st != MOULT_OK) { return st; }
    return crc32_le(0, out, record.size) == record.data_crc ? MOULT_OK : MOULT_E_DIGEST;
}

/* Whether the record holds exactly these bytes. */
static bool holds(const struct moult_sim_nvs *nvs,
                  const struct moult_sim_nvs_record *record, const uint8_t *data,
                  uint32_t size)
{
    if (record->size != size) { return false; }
    for (uint32_t at = 0; at < size;) {
        uint8_t found[ENTRY_SIZE];
        uint32_t part = size - at < sizeof found ? size - at : (uint32_t)sizeof found;
        if (moult_sim_flash_read(nvs->flash, data_at(nvs, record) + at, found, part) !=
                MOULT_OK ||
            memcmp(found, data + at, part) != 0) {
            return false;
        }
        at += part;
    }
    return true;
}

/* Header entry and value at the end of the active page, which has room. */
static enum moult_status write_record(struct moult_sim_nvs *nvs,
                                      const struct moult_sim_nvs_record *record,
                                      const uint8_t *data)
{
    uint8_t header[ENTRY_SIZE];
    memset(header, 0xff, sizeof header);
    header[RECORD_SPACE_AT] = record->space;
    put_le16(header + RECORD_SIZE_AT, record->size);
    memcpy(header + RECORD_KEY_AT, record->key, sizeof record->key);
    put_le32(header + RECORD_DATA_CRC_AT, record->data_crc);
    put_le32(header + RECORD_CRC_AT, crc32_le(0, header + 4, sizeof header - 4));

    uint32_t at = entry_at(nvs, record->page, record->entry);
    enum moult_status st = program(nvs, at, header, sizeof header);
    if (st != MOULT_OK || record->size == 0) { return st; }
    return program(nvs, at + ENTRY_SIZE, data, record->size);
}

enum moult_status moult_sim_nvs_set(struct moult_sim_nvs *nvs, uint8_t space,
                                    const char *key, const uint8_t *data, uint32_t size)
{
    if (!is_key(key)) { return MOULT_E_ARG; }
    if (size > MOULT_SIM_NVS_BLOB_MAX) { return MOULT_E_RANGE; }
    struct moult_sim_nvs_record old, record = {.space = space, .size = (uint16_t)size};
    enum moult_status st = find(nvs, space, key, &old);
    if (st == MOULT_OK && holds(nvs, &old, data, size)) { return MOULT_OK; }
    if (st != MOULT_OK && st != MOULT_E_NOENT) { return st; }

    st = make_room(nvs, span_of(size));
    if (st != MOULT_OK) { return st; }
    record.page = nvs->active;
    record.entry = take_entries(nvs, record.page, span_of(size));
    record.data_crc = crc32_le(0, data, size);
    memcpy(record.key, key, strlen(key));
    st = write_record(nvs, &record, data);
    if (st == MOULT_OK) { st = commit(nvs, record.page, record.entry, span_of(size)); }
    if (st == MOULT_OK) { st = drop_others(nvs, space, key, &record); }
    return st;
}

enum moult_status moult_sim_nvs_erase(struct moult_sim_nvs *nvs, uint8_t space,
                                      const char *key)
{
    if (!is_key(key)) { return MOULT_E_ARG; }
    struct moult_sim_nvs_record latest;
    enum moult_status st = find(nvs, space, key, &latest);
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    /* The latest goes last: an older one that a failure left must not count in between. */
    if (st == MOULT_OK) { st = drop_others(nvs, space, key, &latest); }
    return st == MOULT_OK ? drop_others(nvs, space, key, NULL) : st;
}

enum moult_status moult_sim_nvs_find(const struct moult_sim_nvs *nvs, uint8_t space,
                                     const char *key, struct moult_sim_nvs_record *out)
{
    return find(nvs, space, key, out);
}

uint32_t moult_sim_nvs_record_offset(const struct moult_sim_nvs *nvs,
                                     const struct moult_sim_nvs_record *record)
{
    return entry_at(nvs, record->page, record->entry);
}

enum moult_status moult_sim_nvs_next(const struct moult_sim_nvs *nvs,
                                     struct moult_sim_nvs_cursor *cursor,
                                     struct moult_sim_nvs_record *out)
{
    enum moult_status st;
    while ((st = next_live(nvs, cursor, out)) == MOULT_OK) {
        struct moult_sim_nvs_record latest;
        st = find(nvs, out->space, out->key, &latest);
        if (st != MOULT_OK) { return st; }
        if (latest.page == out->page && latest.entry == out->entry) { break; }
    }
    return st;
}
