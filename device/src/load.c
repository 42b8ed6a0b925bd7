/* load.c - step 0: what survived the reset, and what runs (states LOAD and MEASURE). */
#include <string.h>
#include "device/src/component.h"
#include "device/src/contact.h"
#include "device/src/hash.h"
#include "device/src/outbox.h"
#include "device/src/store.h"
#include "device/src/trust.h"
#include "formats/secure_boot.h"

/* A loss that is only to be told: an event with the platform's error. */
static void tell(struct moult_session *s, enum moult_detail detail, int32_t native)
{
    moult_trouble(s, detail, native);
    struct moult_news news = {.kind = MOULT_REPORT_EVENT, .trouble = &s->trouble};
    moult_outbox_add(s, &news);
}

void moult_draw_boot_id(struct moult_session *s)
{
    uint8_t raw[8];
    if (s->port->random(s->port->context, raw, sizeof raw)) { s->boot_id = get_le64(raw); }
}

static void load_identity(struct moult_session *s)
{
    const struct moult_port *port = s->port;
    moult_draw_boot_id(s);
    int32_t native = -1;
    for (unsigned i = 0; i < MOULT_READ_TRIES_MAX && native != 0; i++) {
        native = port->boot_info(port->context, &s->running.boot);
    }
    if (native != 0) {
        s->running.boot = (struct moult_boot_info){
            MOULT_SLOT_NONE, MOULT_SLOT_NONE, MOULT_SLOT_NO_ENTRY, MOULT_RESET_UNKNOWN};
    }
    moult_outbox_load(s);
    struct moult_reader image = moult_running_reader(s);
    s->running.is_managed =
        moult_image_info_read(&image, &s->running.info, NULL) == MOULT_OK;
}

static void load_baked(struct moult_session *s)
{
    struct moult_finding why;
    enum moult_status st = moult_trust_load_baked(s, &why);
    if (st == MOULT_OK) { return; }
    s->disabled = MOULT_D_ANCHOR;
    tell(s, MOULT_D_ANCHOR, why.detail ? (int32_t)why.detail : st);
}

static void load_stored(struct moult_session *s)
{
    struct moult_finding why;
    if (s->disabled) { return; }
    enum moult_status st = moult_trust_load_stored(s, &why);
    if (st != MOULT_OK) {
        tell(s, MOULT_D_KEYSET_STORE, why.detail ? (int32_t)why.detail : st);
    }
}

static void load_counters(struct moult_session *s)
{
    bool is_lost = moult_floor_load(s) != MOULT_OK;
    is_lost |= moult_orders_load(s) != MOULT_OK;
    is_lost |= moult_blocks_load(s) != MOULT_OK;
    if (s->trust.is_good) {
        is_lost |= moult_floor_adopt(s) != MOULT_OK;
        is_lost |= moult_orders_prune(s) != MOULT_OK;
    }
    moult_unstored(s, moult_deferral_load(s)); /* lost: the user may put it off again */
    if (is_lost) { tell(s, MOULT_D_FLOOR_STORE, s->trouble.native); }
}

static void compare_table(struct moult_session *s)
{
    const struct moult_port *port = s->port;
    uint8_t found[MOULT_SHA256_SIZE];
    if (!s->config.table_digest || !port->table_digest) { return; }
    int32_t native = port->table_digest(port->context, found);
    if (native == 0 && memcmp(found, s->config.table_digest, sizeof found) == 0) { return; }
    s->disabled = s->disabled ? s->disabled : (uint16_t)MOULT_D_PTABLE;
    tell(s, MOULT_D_PTABLE, native);
}

/* One record, or one verified statement, per step. */
enum moult_state moult_state_LOAD(struct moult_session *s)
{
    switch (s->phase++) {
    case 0:
        load_identity(s);
        return MOULT_STATE_LOAD;
    case 1:
        load_baked(s);
        return MOULT_STATE_LOAD;
    case 2:
        load_stored(s);
        return MOULT_STATE_LOAD;
    case 3:
        load_counters(s);
        return MOULT_STATE_LOAD;
    case 4:
        /* NOENT is a device that never updated; others lose the plan, not the firmware. */
        if (moult_journal_load(s) != MOULT_OK) { s->plan.stage = MOULT_STAGE_NONE; }
        if (s->parts.hooks) { s->parts.hooks->load(s); }
        return MOULT_STATE_LOAD;
    default:
        compare_table(s);
        return MOULT_STATE_MEASURE;
    }
}

/* --- MEASURE: size and digest of the running image, 4 KB per step --- */

enum { PHASE_PARSE, PHASE_IMAGE, PHASE_SECTOR, PHASE_END };

static enum moult_state parse(struct moult_session *s)
{
    s->scratch.image.reader = moult_running_reader(s);
    if (moult_esp_image_parse(&s->scratch.image.reader, &s->scratch.image.image, NULL) !=
            MOULT_OK ||
        !moult_hash_begin(s)) {
        return MOULT_STATE_CLASSIFY; /* not an image of ours: digest stays zero */
    }
    s->running.size = s->scratch.image.image.size;
    s->transfer.offset = 0;
    s->phase = PHASE_IMAGE;
    return MOULT_STATE_MEASURE;
}

/* Whether a signature sector that speaks of this image follows; the hash is of all before
 * it. */
static bool has_signature(struct moult_session *s, uint32_t sector)
{
    struct moult_sb_block block;
    uint8_t digest[MOULT_SHA256_SIZE];
    if (moult_sb_block_read(&s->scratch.image.reader, sector, 0, s->port->crypto, &block,
                            NULL) != MOULT_OK) {
        return false;
    }
    if (block.scheme == MOULT_SB_P384) { return true; } /* a SHA-384: not computed here */
    return moult_hash_peek(s, digest) && memcmp(digest, block.image_digest, 32) == 0;
}

enum moult_state moult_state_MEASURE(struct moult_session *s)
{
    if (s->phase == PHASE_PARSE) { return parse(s); }
    uint32_t size = s->scratch.image.image.size;
    uint32_t sector = moult_sb_sector_offset(size);
    uint32_t end = s->phase == PHASE_IMAGE    ? size
                   : s->phase == PHASE_SECTOR ? sector
                                              : sector + MOULT_SB_SECTOR_SIZE;
    if (s->transfer.offset < end) {
        bool is_read = moult_hash_slot(s, &s->scratch.image.reader, end);
        return is_read ? MOULT_STATE_MEASURE : MOULT_STATE_CLASSIFY;
    }
    if (s->phase == PHASE_SECTOR && has_signature(s, sector)) {
        s->running.size = sector + MOULT_SB_SECTOR_SIZE;
        s->phase = PHASE_END;
        return MOULT_STATE_MEASURE;
    }
    if (s->phase == PHASE_SECTOR || !moult_hash_peek(s, s->running.digest)) {
        return MOULT_STATE_CLASSIFY;
    }
    bool may_be_signed = s->phase == PHASE_IMAGE && sector < s->port->slot_size;
    s->phase = PHASE_SECTOR;
    return may_be_signed ? MOULT_STATE_MEASURE : MOULT_STATE_CLASSIFY;
}
