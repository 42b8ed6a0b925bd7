/* journal.c - see journal.h. */
#include "device/src/journal.h"
#include <assert.h>
#include <string.h>
#include "device/src/pack.h"
#include "device/src/record.h"

enum { PLAN_VERSION = 1, PLAN_SIZE = 356, MARK_SIZE = 53, TRANSFER_TAG = 8 };
_Static_assert(PLAN_SIZE + MOULT_RECORD_HEADER + MOULT_RECORD_TRAILER <= MOULT_RECORD_MAX,
               "a plan is a small record");

/* The plan behind its version and stage, in the order of docs/design/journal.md. */
#define PLAN(member, kind) MOULT_MEMBER(struct moult_plan, member, kind)
static const struct moult_member plan_members[] = {
    PLAN(slot, NUMBER),
    PLAN(from, NUMBER),
    PLAN(component, NUMBER),
    PLAN(encoding, NUMBER),
    PLAN(attempts, NUMBER),
    PLAN(activations, NUMBER),
    PLAN(has_head, FLAG),
    PLAN(size, NUMBER),
    PLAN(digest, BYTES),
    PLAN(transfer_size, NUMBER),
    PLAN(transfer_digest, BYTES),
    PLAN(release, BYTES),
    PLAN(deployment, BYTES),
    PLAN(sequence, NUMBER),
    PLAN(rollback_floor, NUMBER),
    PLAN(version, BYTES),
    PLAN(chip_id, NUMBER),
    PLAN(revision_min, NUMBER),
    PLAN(revision_max, NUMBER),
    PLAN(secure_version, NUMBER),
    PLAN(confirm_timeout_s, NUMBER),
    PLAN(deadline_s, NUMBER),
    PLAN(head, BYTES),
    PLAN(etag, BYTES),
    PLAN(verdict.detail, NUMBER),
    PLAN(verdict.reason, NUMBER),
    PLAN(verdict.native, NUMBER),
    PLAN(verdict_text, BYTES),
};
enum { PLAN_MEMBERS = sizeof plan_members / sizeof plan_members[0] };

enum moult_status moult_journal_stage(struct moult_session *s, enum moult_stage stage)
{
    struct moult_frame frame = moult_small_frame(s);
    assert(stage <= MOULT_STAGE_FAILED);
    struct moult_pack pack = moult_record_pack(frame, PLAN_SIZE);
    moult_put(&pack, PLAN_VERSION, 1);
    moult_put(&pack, stage, 1);
    moult_put_members(&pack, plan_members, PLAN_MEMBERS, &s->plan);
    assert(!pack.is_bad && pack.at == pack.end);
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

    struct moult_pack pack = moult_record_pack(frame, size);
    uint64_t version = moult_get(&pack, 1);
    s->plan.stage = (uint8_t)moult_get(&pack, 1);
    moult_get_members(&pack, plan_members, PLAN_MEMBERS, &s->plan);
    if (version == PLAN_VERSION && size == PLAN_SIZE && is_sound(&s->plan)) {
        return MOULT_OK;
    }
    memset(&s->plan, 0, sizeof s->plan);
    return MOULT_E_FORMAT;
}

enum moult_status moult_journal_mark(struct moult_session *s)
{
    const struct moult_mark *mark = &s->transfer.mark;
    assert(mark->offset % MOULT_SECTOR_SIZE == 0 || mark->offset == s->plan.size);
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
    assert(s->work_size > 0 && s->work_size <= MOULT_STATEMENT_SIZE_MAX);
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
