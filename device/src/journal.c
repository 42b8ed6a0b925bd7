/* journal.c - see journal.h. */
#include "device/src/journal.h"
#include <assert.h>
#include <string.h>
#include "device/src/pack.h"
#include "device/src/record.h"

enum { PLAN_VERSION = 1, PLAN_SIZE = 356, MARK_SIZE = 53, TRANSFER_TAG = 8 };
_Static_assert(PLAN_SIZE + MOULT_RECORD_HEADER + MOULT_RECORD_TRAILER <= MOULT_RECORD_MAX,
               "a plan is a small record");

/* The plan's fields in their order on flash: write and read are this one list. */
struct coder {
    struct moult_pack pack;
    bool is_writing;
};

static uint64_t code(struct coder *c, uint64_t value, size_t size)
{
    if (!c->is_writing) { return moult_get(&c->pack, size); }
    moult_put(&c->pack, value, size);
    return value;
}

static void code_bytes(struct coder *c, void *bytes, size_t size)
{
    if (c->is_writing) {
        moult_put_bytes(&c->pack, bytes, size);
    } else {
        moult_get_bytes(&c->pack, bytes, size);
    }
}

static void code_target(struct coder *c, struct moult_plan *plan)
{
    plan->slot = (uint8_t)code(c, plan->slot, 1);
    plan->from = (uint8_t)code(c, plan->from, 1);
    plan->component = (uint8_t)code(c, plan->component, 1);
    plan->encoding = (uint8_t)code(c, plan->encoding, 1);
    plan->attempts = (uint8_t)code(c, plan->attempts, 1);
    plan->activations = (uint8_t)code(c, plan->activations, 1);
    plan->has_head = code(c, plan->has_head, 1) == 1;
    plan->size = (uint32_t)code(c, plan->size, 4);
    code_bytes(c, plan->digest, sizeof plan->digest);
    plan->transfer_size = (uint32_t)code(c, plan->transfer_size, 4);
    code_bytes(c, plan->transfer_digest, sizeof plan->transfer_digest);
    code_bytes(c, plan->release, sizeof plan->release);
    code_bytes(c, plan->deployment, sizeof plan->deployment);
}

static void code_release(struct coder *c, struct moult_plan *plan)
{
    plan->sequence = code(c, plan->sequence, 8);
    plan->rollback_floor = code(c, plan->rollback_floor, 8);
    code_bytes(c, plan->version, sizeof plan->version);
    plan->chip_id = (uint16_t)code(c, plan->chip_id, 2);
    plan->revision_min = (uint16_t)code(c, plan->revision_min, 2);
    plan->revision_max = (uint16_t)code(c, plan->revision_max, 2);
    plan->secure_version = (uint8_t)code(c, plan->secure_version, 1);
    plan->confirm_timeout_s = (uint32_t)code(c, plan->confirm_timeout_s, 4);
    plan->deadline_s = code(c, plan->deadline_s, 8);
}

static void code_state(struct coder *c, struct moult_plan *plan)
{
    code_bytes(c, plan->head, sizeof plan->head);
    code_bytes(c, plan->etag, sizeof plan->etag);
    plan->verdict.detail = (uint16_t)code(c, plan->verdict.detail, 2);
    plan->verdict.reason = (uint16_t)code(c, plan->verdict.reason, 2);
    plan->verdict.native = (int32_t)(uint32_t)code(c, (uint32_t)plan->verdict.native, 4);
    code_bytes(c, plan->verdict_text, sizeof plan->verdict_text);
}

enum moult_status moult_journal_stage(struct moult_session *s, enum moult_stage stage)
{
    struct moult_frame frame = moult_small_frame(s);
    struct coder c = {moult_record_pack(frame, PLAN_SIZE), true};
    code(&c, PLAN_VERSION, 1);
    code(&c, stage, 1);
    code_target(&c, &s->plan);
    code_release(&c, &s->plan);
    code_state(&c, &s->plan);
    assert(!c.pack.is_bad && c.pack.at == c.pack.end);
    enum moult_status st = moult_record_store(s, MOULT_RECORD_PLAN, frame, PLAN_SIZE);
    if (st == MOULT_OK) { s->plan.stage = (uint8_t)stage; }
    return st;
}

/* A record with a good CRC that this build did not write that way: an older or newer
 * engine's. */
static bool is_sound(const struct moult_plan *plan)
{
    return plan->stage <= MOULT_STAGE_FAILED && plan->size <= MOULT_ESP_IMAGE_SIZE_MAX &&
           memchr(plan->version, '\0', sizeof plan->version) &&
           memchr(plan->etag, '\0', sizeof plan->etag) &&
           memchr(plan->verdict_text, '\0', sizeof plan->verdict_text);
}

enum moult_status moult_journal_load(struct moult_session *s)
{
    struct moult_frame frame = moult_small_frame(s);
    size_t size;
    bool is_damaged; /* the older plan then counts, which the act it announced allows for */
    memset(&s->plan, 0, sizeof s->plan);
    enum moult_status st =
        moult_record_load(s, MOULT_RECORD_PLAN, frame, &size, &is_damaged);
    if (st != MOULT_OK) { return st; }

    struct coder c = {moult_record_pack(frame, size), false};
    uint64_t version = code(&c, 0, 1);
    s->plan.stage = (uint8_t)code(&c, 0, 1);
    code_target(&c, &s->plan);
    code_release(&c, &s->plan);
    code_state(&c, &s->plan);
    if (version == PLAN_VERSION && size == PLAN_SIZE && is_sound(&s->plan)) {
        return MOULT_OK;
    }
    memset(&s->plan, 0, sizeof s->plan);
    return MOULT_E_FORMAT;
}

enum moult_status moult_journal_mark(struct moult_session *s)
{
    const struct moult_mark *mark = &s->transfer.mark;
    struct moult_frame frame = moult_small_frame(s);
    struct moult_pack pack = moult_record_pack(frame, MARK_SIZE);
    moult_put_bytes(&pack, s->plan.transfer_digest, TRANSFER_TAG);
    moult_put(&pack, mark->index, 4);
    moult_put(&pack, mark->offset, 4); /* input offset: the same for raw transfers */
    moult_put(&pack, mark->offset, 4);
    moult_put(&pack, 0, 1); /* the patch decoder's checksum; 0 for raw */
    moult_put_bytes(&pack, mark->digest, sizeof mark->digest);
    assert(!pack.is_bad && pack.at == pack.end);
    return moult_record_store(s, MOULT_RECORD_MARK, frame, MARK_SIZE);
}

enum moult_status moult_journal_load_mark(struct moult_session *s, bool older)
{
    struct moult_mark *mark = &s->transfer.mark;
    struct moult_frame frame = moult_small_frame(s);
    size_t size = 0;
    bool is_damaged; /* then the mark before it is taken: a little less progress */
    memset(mark, 0, sizeof *mark);
    enum moult_status st =
        older ? moult_record_load_older(s, MOULT_RECORD_MARK, frame, &size)
              : moult_record_load(s, MOULT_RECORD_MARK, frame, &size, &is_damaged);
    if (st != MOULT_OK) { return st; }

    struct moult_pack pack = moult_record_pack(frame, size);
    uint8_t tag[TRANSFER_TAG];
    struct moult_mark found;
    moult_get_bytes(&pack, tag, sizeof tag);
    found.index = (uint32_t)moult_get(&pack, 4);
    uint64_t input = moult_get(&pack, 4);
    found.offset = (uint32_t)moult_get(&pack, 4);
    uint64_t checksum = moult_get(&pack, 1);
    moult_get_bytes(&pack, found.digest, sizeof found.digest);
    bool is_ours =
        size == MARK_SIZE && memcmp(tag, s->plan.transfer_digest, sizeof tag) == 0;
    bool is_sane = input == found.offset && checksum == 0 && found.offset <= s->plan.size &&
                   (found.offset % MOULT_SECTOR_SIZE == 0 || found.offset == s->plan.size);
    if (!is_ours || !is_sane) { return MOULT_E_NOENT; }
    *mark = found;
    return MOULT_OK;
}

enum moult_status moult_journal_keep_release(struct moult_session *s)
{
    return moult_record_store(s, MOULT_RECORD_RELEASE, moult_work_frame(s), s->work_size);
}

enum moult_status moult_journal_keep_assignment(struct moult_session *s)
{
    struct moult_bytes order = s->contact.order;
    assert(order.size > 0 && order.size <= MOULT_STATEMENT_SIZE_MAX);
    memcpy(s->work + MOULT_RECORD_HEADER, order.data, order.size);
    return moult_record_store(s, MOULT_RECORD_ASSIGNMENT, moult_work_frame(s), order.size);
}

enum moult_status moult_journal_statement(struct moult_session *s, bool is_release,
                                          struct moult_bytes *envelope)
{
    size_t size;
    bool is_damaged; /* of a single bank: NOENT */
    enum moult_record kind = is_release ? MOULT_RECORD_RELEASE : MOULT_RECORD_ASSIGNMENT;
    enum moult_status st =
        moult_record_load(s, kind, moult_work_frame(s), &size, &is_damaged);
    *envelope = (struct moult_bytes){s->work + MOULT_RECORD_HEADER, size};
    return st;
}
