/* verify.c - steps 13 and 14: what is on flash, read back from flash (states VERIFY,
 * IMAGE). */
#include <assert.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/hash.h"
#include "formats/secure_boot.h"

static enum moult_state dropped(struct moult_session *s, enum moult_detail detail,
                                int32_t native)
{
    moult_trouble(s, detail, native);
    return moult_flow_drop(s);
}

/* Not what was signed. If these bytes were written in this boot, the flash is to blame and
 * the plan ends; if the slot was taken on its own word, or the journal's, it is written
 * anew. */
static enum moult_state refused(struct moult_session *s, enum moult_detail detail,
                                int32_t native)
{
    return s->is_adopted ? MOULT_STATE_PREPARE : dropped(s, detail, native);
}

/* --- VERIFY --- */

enum { PHASE_BEGIN, PHASE_HASH, PHASE_TAIL };
enum { SECTORS_BEHIND = 2 }; /* erased by CLEAN */

static uint32_t round_up(uint32_t size, uint32_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* The padding of the last write unit, which was programmed as 0xff. */
static bool is_padding_clean(struct moult_session *s)
{
    uint8_t pad[MOULT_WRITE_UNIT];
    const struct moult_port *port = s->port;
    uint32_t size = s->plan.size;
    uint32_t rest = round_up(size, MOULT_WRITE_UNIT) - size;
    return rest == 0 ||
           (port->flash_read(port->context, s->plan.slot, size, pad, rest) == 0 &&
            moult_bytes_all(pad, rest, 0xff));
}

/* Erased behind the image: to the end of its last sector and two sectors on; one per step.
 * */
static enum moult_state check_tail(struct moult_session *s)
{
    const struct moult_port *port = s->port;
    uint32_t at = s->transfer.offset;
    uint32_t end =
        round_up(s->plan.size, MOULT_SECTOR_SIZE) + SECTORS_BEHIND * MOULT_SECTOR_SIZE;
    if (end > port->slot_size) { end = port->slot_size; }
    if (at >= end) { return MOULT_STATE_IMAGE; }
    uint32_t next = round_up(at + 1, MOULT_SECTOR_SIZE);
    assert(at >= s->plan.size && next - at <= MOULT_SECTOR_SIZE);
    bool is_erased = false;
    if (port->flash_is_erased(port->context, s->plan.slot, at, next - at, &is_erased) !=
            0 ||
        !is_erased) {
        return refused(s, MOULT_D_TAIL, (int32_t)at);
    }
    s->transfer.offset = next;
    return MOULT_STATE_VERIFY;
}

static enum moult_state judge(struct moult_session *s)
{
    uint8_t digest[MOULT_SHA256_SIZE];
    if (!moult_hash_peek(s, digest) ||
        !moult_bytes_equal(digest, s->plan.digest, sizeof digest)) {
        return refused(s, MOULT_D_RESULT_DIGEST, 0);
    }
    if (!is_padding_clean(s)) { return refused(s, MOULT_D_TAIL, (int32_t)s->plan.size); }
    s->transfer.offset = round_up(s->plan.size, MOULT_WRITE_UNIT);
    s->phase = PHASE_TAIL;
    return MOULT_STATE_VERIFY;
}

/* Where a signature sector begins, if the image ends with one. */
static uint32_t last_sector(const struct moult_session *s)
{
    return s->plan.size - MOULT_SB_SECTOR_SIZE;
}

static enum moult_state hash_on(struct moult_session *s)
{
    struct moult_reader target = moult_target_reader(s);
    if (s->transfer.offset >= s->plan.size) { return judge(s); }
    if (s->port->secure_boot && s->transfer.offset == last_sector(s) &&
        !moult_hash_peek(s, s->transfer.signed_digest)) {
        return refused(s, MOULT_D_RESULT_DIGEST, 0);
    }
    bool is_first = s->transfer.offset == 0;
    if (moult_hash_slot(s, &target, s->plan.size) &&
        (!is_first || moult_hash_peek(s, s->transfer.first_digest))) {
        return MOULT_STATE_VERIFY;
    }
    return refused(s, MOULT_D_RESULT_DIGEST, s->trouble.native);
}

enum moult_state moult_state_VERIFY(struct moult_session *s)
{
    if (!moult_has_target(s) || !s->plan.has_head) { return MOULT_STATE_IDLE; }
    if (s->phase == PHASE_HASH) { return hash_on(s); }
    if (s->phase == PHASE_TAIL) { return check_tail(s); }
    s->phase = PHASE_HASH;
    s->transfer.offset = 0;
    return moult_hash_begin(s) ? MOULT_STATE_VERIFY : refused(s, MOULT_D_RESULT_DIGEST, 0);
}

/* --- IMAGE --- */

/* Ends where the signed size ends: at its own end, or with the signature sector behind it.
 * */
static bool is_extent_right(struct moult_session *s)
{
    const struct moult_esp_image *image = &s->scratch.image.image;
    uint32_t sector = moult_sb_sector_offset(image->size);
    struct moult_sb_block block;
    if (image->size == s->plan.size) { return true; }
    return sector + MOULT_SB_SECTOR_SIZE == s->plan.size &&
           moult_sb_block_read(&s->scratch.image.reader, sector, 0, s->port->crypto, &block,
                               NULL) == MOULT_OK;
}

static enum moult_detail check_chip(struct moult_session *s, uint32_t page_size)
{
    struct moult_finding finding;
    enum moult_status st =
        moult_esp_image_runs_on(&s->scratch.image.image, s->config.chip_id,
                                s->config.chip_revision, page_size, &finding);
    if (st == MOULT_E_INCOMPATIBLE || s->scratch.image.image.chip_id != s->plan.chip_id) {
        return MOULT_D_IMAGE_CHIP;
    }
    return st == MOULT_OK ? MOULT_D_NONE : MOULT_D_IMAGE_HEADER;
}

static bool is_info_right(struct moult_session *s)
{
    struct moult_image_info info;
    const struct moult_plan *plan = &s->plan;
    const struct moult_image_info *own = &s->running.info;
    return moult_image_info_read(&s->scratch.image.reader, &info, NULL) == MOULT_OK &&
           memcmp(info.fleet_id, own->fleet_id, 16) == 0 &&
           memcmp(info.class_id, own->class_id, 16) == 0 &&
           info.sequence == plan->sequence && info.rollback_floor == plan->rollback_floor &&
           strcmp(info.version, plan->version) == 0;
}

/* Headers against the signed fields: what can be said without reading it all. */
static enum moult_detail check_headers(struct moult_session *s)
{
    struct moult_app_desc desc;
    const struct moult_port *port = s->port;
    const struct moult_reader *target = &s->scratch.image.reader;
    struct moult_finding finding;
    if (moult_esp_image_parse(target, &s->scratch.image.image, &finding) != MOULT_OK ||
        moult_app_desc_read(target, &desc) != MOULT_OK || !is_extent_right(s)) {
        return MOULT_D_IMAGE_HEADER;
    }
    enum moult_detail why = check_chip(s, moult_app_desc_page_size(&desc));
    if (why != MOULT_D_NONE) { return why; }
    uint32_t fused = port->secure_version ? port->secure_version(port->context) : 0;
    if (desc.secure_version != s->plan.secure_version || desc.secure_version < fused) {
        return MOULT_D_IMAGE_SECVER;
    }
    return is_info_right(s) ? MOULT_D_NONE : MOULT_D_IMAGE_INFO;
}

/* Before the slot is armed, not at the reset after: what the bootloader would refuse. */
static enum moult_state check_secure_boot(struct moult_session *s)
{
    const struct moult_port *port = s->port;
    bool is_signed = s->scratch.image.image.size != s->plan.size;
    if (!port->secure_boot) { return MOULT_STATE_RECHECK; }
    enum moult_status st =
        port->secure_boot(port->context, &s->scratch.image.reader,
                          is_signed ? last_sector(s) : 0, s->transfer.signed_digest);
    if (st == MOULT_OK || st == MOULT_E_UNSUPPORTED) { return MOULT_STATE_RECHECK; }
    bool is_revoked = st == MOULT_E_REFUSED;
    return dropped(s, is_revoked ? MOULT_D_SBV2_REVOKED : MOULT_D_SECURE_BOOT, st);
}

/* Checksum and appended digest, as the bootloader will look at them. */
static enum moult_state check_data(struct moult_session *s)
{
    struct moult_finding finding;
    enum moult_status st =
        moult_esp_check_step(&s->scratch.image.check, MOULT_SECTOR_SIZE, &finding);
    if (st == MOULT_E_BUSY) { return MOULT_STATE_IMAGE; }
    if (st != MOULT_OK) { return dropped(s, MOULT_D_IMAGE_HEADER, finding.detail); }
    enum moult_state next = check_secure_boot(s);
    s->is_verified_here = next == MOULT_STATE_RECHECK;
    return next;
}

enum moult_state moult_state_IMAGE(struct moult_session *s)
{
    if (!moult_has_target(s) || !s->plan.has_head) { return MOULT_STATE_IDLE; }
    if (s->phase == 1) { return check_data(s); }
    s->phase = 1;
    s->scratch.image.reader = moult_target_reader(s);
    enum moult_detail why = check_headers(s);
    if (why != MOULT_D_NONE) { return dropped(s, why, 0); }
    if (moult_esp_check_begin(&s->scratch.image.check, &s->scratch.image.reader,
                              s->port->crypto, &s->scratch.image.image) == MOULT_OK) {
        return MOULT_STATE_IMAGE;
    }
    return dropped(s, MOULT_D_IMAGE_HEADER, 0);
}
