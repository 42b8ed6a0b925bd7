/* write.c - steps 11 and 12: from the transfer to the slot, sector by sector (states
 * PREPARE, REHASH, ERASE, PROGRAM, RECORD, CLEAN). */
#include <assert.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/hash.h"
#include "device/src/outbox.h"

enum { TRIES_MAX = 3 };      /* erase or program of one sector */
enum { SECTORS_BEHIND = 2 }; /* where a signature sector would sit, and one past it */

static enum moult_state failed(struct moult_session *s, enum moult_detail detail,
                               enum moult_reason reason)
{
    if (s->transfer.is_open) { s->port->http_cancel(s->port->context); }
    s->transfer.is_open = false;
    s->transfer.write_tries = 0;
    moult_trouble_as(s, detail, reason, s->trouble.native);
    return moult_flow_give_up(s);
}

static enum moult_state unjournalled(struct moult_session *s)
{
    return failed(s, MOULT_D_PLAN_WRITE, MOULT_R_JOURNAL_FULL);
}

static uint32_t up_to_sector(uint32_t size)
{
    return (size + MOULT_SECTOR_SIZE - 1) / MOULT_SECTOR_SIZE * MOULT_SECTOR_SIZE;
}

/* --- PREPARE: the plan first, then the sector without which nothing boots --- */

static enum moult_state journal_plan(struct moult_session *s)
{
    s->plan.has_head = !moult_is_app(s); /* of a component nothing is held back */
    s->is_adopted = false;
    s->transfer.write_tries = 0;
    memset(&s->transfer.mark, 0, sizeof s->transfer.mark);
    if (moult_journal_mark(s) != MOULT_OK ||
        moult_journal_stage(s, MOULT_STAGE_TRANSFER) != MOULT_OK) {
        return unjournalled(s);
    }
    s->phase = 1;
    return MOULT_STATE_PREPARE;
}

enum moult_state moult_state_PREPARE(struct moult_session *s)
{
    if (!moult_has_target(s)) { return MOULT_STATE_IDLE; }
    if (s->phase == 0) { return journal_plan(s); }
    if (moult_slot_disarm(s) != MOULT_OK) {
        if (++s->transfer.write_tries < TRIES_MAX) { return MOULT_STATE_PREPARE; }
        return failed(s, MOULT_D_ERASE, MOULT_R_FLASH_ERASE);
    }
    s->transfer.write_tries = 0;
    if (moult_hash_begin(s)) { return MOULT_STATE_FETCH; }
    return failed(s, MOULT_D_XFER_DIGEST, MOULT_R_DEC_MEMORY);
}

/* --- REHASH: trust no byte that was not hashed in this boot --- */

static enum moult_state take_mark(struct moult_session *s, bool older)
{
    if (moult_journal_load_mark(s, older) != MOULT_OK || s->transfer.mark.offset == 0 ||
        !s->plan.has_head || !moult_hash_begin(s)) {
        return MOULT_STATE_PREPARE; /* nothing to take up */
    }
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_RESUME, s->transfer.mark.offset, s->plan.size);
    s->transfer.offset = 0;
    s->phase = older ? 2 : 1;
    return MOULT_STATE_REHASH;
}

enum moult_state moult_state_REHASH(struct moult_session *s)
{
    uint8_t digest[MOULT_SHA256_SIZE];
    if (!moult_has_target(s)) { return MOULT_STATE_IDLE; }
    if (s->phase == 0) { return take_mark(s, false); }
    struct moult_reader target = moult_target_reader(s);
    if (s->transfer.offset < s->transfer.mark.offset) {
        bool is_read = moult_hash_slot(s, &target, s->transfer.mark.offset);
        return is_read ? MOULT_STATE_REHASH : MOULT_STATE_PREPARE;
    }
    bool is_right = moult_hash_peek(s, digest) &&
                    memcmp(digest, s->transfer.mark.digest, sizeof digest) == 0;
    if (is_right) { return MOULT_STATE_FETCH; }
    return s->phase == 1 ? take_mark(s, true) : MOULT_STATE_PREPARE;
}

/* --- ERASE, PROGRAM, RECORD: one sector --- */

enum moult_state moult_state_ERASE(struct moult_session *s)
{
    if (!moult_has_target(s) || s->transfer.fill == 0) { return MOULT_STATE_IDLE; }
    if (moult_target_erase(s, s->transfer.mark.offset) == MOULT_OK) {
        return MOULT_STATE_PROGRAM;
    }
    if (++s->transfer.write_tries < TRIES_MAX) { return MOULT_STATE_ERASE; }
    return failed(s, MOULT_D_ERASE, MOULT_R_FLASH_ERASE);
}

/* The first 32 bytes go to the journal instead of the flash; the rest of the sector is
 * padded. */
static enum moult_state keep_head(struct moult_session *s)
{
    memcpy(s->plan.head, s->work, sizeof s->plan.head);
    s->plan.has_head = true;
    s->phase = 1;
    if (moult_journal_stage(s, MOULT_STAGE_TRANSFER) == MOULT_OK) {
        return MOULT_STATE_PROGRAM;
    }
    return unjournalled(s);
}

enum moult_state moult_state_PROGRAM(struct moult_session *s)
{
    uint32_t offset = s->transfer.mark.offset;
    if (!moult_has_target(s) || s->transfer.fill == 0) { return MOULT_STATE_IDLE; }
    bool has_head = offset == 0 && moult_is_app(s);
    if (has_head && s->phase == 0) { return keep_head(s); }
    uint32_t held = has_head ? MOULT_ESP_HELD_BACK_SIZE : 0;
    assert(s->transfer.fill <= MOULT_SECTOR_SIZE && offset % MOULT_SECTOR_SIZE == 0);
    uint32_t size =
        (s->transfer.fill + MOULT_WRITE_UNIT - 1) / MOULT_WRITE_UNIT * MOULT_WRITE_UNIT;
    memset(s->work + s->transfer.fill, 0xff, size - s->transfer.fill);
    enum moult_status st =
        size > held ? moult_target_program(s, offset + held, s->work + held, size - held)
                    : MOULT_OK;
    if (st == MOULT_OK) { return MOULT_STATE_RECORD; }
    if (++s->transfer.write_tries < TRIES_MAX) { return MOULT_STATE_ERASE; }
    return failed(s, MOULT_D_FLASH_WRITE,
                  st == MOULT_E_DIGEST ? MOULT_R_FLASH_READBACK : MOULT_R_FLASH_WRITE);
}

enum moult_state moult_state_RECORD(struct moult_session *s)
{
    struct moult_mark *mark = &s->transfer.mark;
    if (!moult_has_target(s) || s->transfer.fill == 0) { return MOULT_STATE_IDLE; }
    struct moult_mark next = {mark->index + 1, mark->offset + s->transfer.fill, {0}};
    if (!moult_hash_add(s, s->work, s->transfer.fill) || !moult_hash_peek(s, next.digest)) {
        return failed(s, MOULT_D_XFER_DIGEST, MOULT_R_DEC_MEMORY);
    }
    assert(next.offset <= s->plan.size && next.offset > mark->offset);
    *mark = next;
    moult_note(s, MOULT_LOG_DEBUG, MOULT_LOG_SECTOR, mark->offset - s->transfer.fill,
               s->transfer.fill);
    s->transfer.fill = 0;
    s->transfer.write_tries = 0;
    s->transfer.failures = 0; /* progress */
    if (moult_journal_mark(s) != MOULT_OK) { return unjournalled(s); }
    return s->transfer.is_open ? MOULT_STATE_RECEIVE : MOULT_STATE_FETCH;
}

/* --- CLEAN: a signature of the previous image must not stand behind this one --- */

static enum moult_state written(struct moult_session *s)
{
    s->plan.activations = 0; /* resets were counted here while it was fetched */
    s->plan.verdict.native = 0;
    if (moult_journal_stage(s, MOULT_STAGE_WRITTEN) != MOULT_OK) { return unjournalled(s); }
    struct moult_news news = {.kind = MOULT_REPORT_WRITTEN,
                              .deployment = s->plan.deployment,
                              .offset = s->plan.size};
    moult_outbox_add(s, &news);
    return MOULT_STATE_VERIFY;
}

enum moult_state moult_state_CLEAN(struct moult_session *s)
{
    if (!moult_has_target(s)) { return MOULT_STATE_IDLE; }
    uint32_t from = up_to_sector(s->plan.size);
    uint32_t offset = from + s->phase * MOULT_SECTOR_SIZE;
    if (s->phase == SECTORS_BEHIND || offset >= s->port->slot_size) { return written(s); }
    if (moult_target_erase(s, offset) == MOULT_OK) {
        s->phase++;
        s->transfer.write_tries = 0;
        return MOULT_STATE_CLEAN;
    }
    if (++s->transfer.write_tries < TRIES_MAX) { return MOULT_STATE_CLEAN; }
    return failed(s, MOULT_D_ERASE, MOULT_R_FLASH_ERASE);
}
