/* release.c - steps 7 to 9: what the author signed, and whether it may and can run here
 * (state RELEASE). */
#include <assert.h>
#include <string.h>
#include "device/src/component.h"
#include "device/src/contact.h"
#include "device/src/store.h"

enum { PHASE_BEGIN, PHASE_POLL, PHASE_KEEP_ORDER };

static enum moult_state failed(struct moult_session *s, enum moult_detail detail,
                               int32_t native)
{
    moult_trouble(s, detail, native);
    return moult_flow_fail(s);
}

static enum moult_state begin(struct moult_session *s)
{
    static const char prefix[] = "/device/v1/release/";
    _Static_assert(sizeof prefix + 64 <= sizeof s->url, "room for the path");
    memcpy(s->url, prefix, sizeof prefix);
    moult_hex_encode(s->offer.release, 32, s->url + sizeof prefix - 1);
    s->work_size = 0;
    s->parts.id = 0;
    s->phase = PHASE_POLL;
    if (moult_fetch_begin(s, s->url, (struct moult_bytes){NULL, 0})) {
        return MOULT_STATE_RELEASE;
    }
    moult_contact_failed(s);
    return MOULT_STATE_IDLE;
}

/* Another check-in, with its own order, tries again; a release that is not there ends it.
 * */
static enum moult_state not_fetched(struct moult_session *s)
{
    bool may_retry =
        moult_is_transient(s) && ++s->contact.release_tries < s->config.transfer_tries_max;
    moult_contact_failed(s);
    if (may_retry) { return MOULT_STATE_IDLE; }
    s->contact.release_tries = 0;
    return failed(s, MOULT_D_RELEASE_FETCH, s->trouble.native);
}

/* --- step 8 --- */

static enum moult_status check_rollback(struct moult_session *s,
                                        const struct moult_release *release,
                                        struct moult_finding *why)
{
    struct moult_dependency installed[1 + MOULT_COMPONENTS_MAX];
    installed[0] = (struct moult_dependency){MOULT_COMPONENT_APP, s->running.info.sequence};
    const struct moult_port *port = s->port;
    uint32_t fused = port->secure_version ? port->secure_version(port->context) : 0;
    struct moult_rollback_facts facts = {
        .floor = moult_floor_effective(s),
        .running_sequence = s->running.info.sequence,
        .secure_version_fused = fused > UINT8_MAX ? UINT8_MAX : (uint8_t)fused,
        .now_s = moult_now_s(s),
        .installed = installed,
        .installed_count = 1 + moult_components_installed(s, installed + 1),
    };
    return moult_release_check_rollback(release, &facts, why);
}

/* --- step 9 --- */

static enum moult_detail misfit(const struct moult_session *s,
                                const struct moult_release *release)
{
    const struct moult_component *c = moult_release_component(release, MOULT_COMPONENT_APP);
    uint16_t revision = s->config.chip_revision;
    if (!c || c->format != MOULT_FORMAT_ESP_APP || c->size < MOULT_ESP_HELD_BACK_SIZE) {
        return MOULT_D_COMPONENT; /* data only ever comes with the application */
    }
    if (c->chip_id != s->config.chip_id) { return MOULT_D_CHIP; }
    if (revision < c->revision_min || revision > c->revision_max) {
        return MOULT_D_CHIP_REV;
    }
    if (c->size > s->port->slot_size) { return MOULT_D_SLOT_SIZE; }
    if (c->label.size > 0) { return MOULT_D_PARTITION; } /* the app goes to the free slot */
    return MOULT_D_NONE;
}

/* --- the offer --- */

static uint8_t free_slot(const struct moult_session *s)
{
    uint32_t running = s->running.boot.running;
    if (running >= s->port->slot_count) { return 0; } /* the factory app runs */
    return (uint8_t)((running + 1) % s->port->slot_count);
}

static void fill_offer(struct moult_session *s, const struct moult_release *release)
{
    const struct moult_component *c = moult_release_component(release, MOULT_COMPONENT_APP);
    struct moult_plan *offer = &s->offer;
    assert(c && release->version.size < sizeof offer->version);
    struct moult_plan next = {
        .slot = free_slot(s),
        .from = s->running.boot.running,
        .component = c->id,
        .size = c->size,
        .sequence = release->sequence,
        .rollback_floor = release->rollback_floor,
        .chip_id = c->chip_id,
        .revision_min = c->revision_min,
        .revision_max = c->revision_max,
        .secure_version = c->secure_version,
        .confirm_timeout_s = s->policy.confirm_timeout_s,
        .deadline_s = s->policy.give_up_s ? s->iat_s + s->policy.give_up_s : 0,
    };
    assert(next.slot != next.from && next.slot < s->port->slot_count);
    memcpy(next.release, offer->release, sizeof next.release);
    memcpy(next.deployment, offer->deployment, sizeof next.deployment);
    memcpy(next.digest, c->digest, sizeof next.digest);
    memcpy(next.version, release->version.data, release->version.size);
    *offer = next;
}

/* It runs already: nothing to do but to say so. */
static enum moult_state already_running(struct moult_session *s)
{
    if (moult_components_are_due(s)) {
        return MOULT_STATE_IDLE;
    } /* said when they are in */
    s->trouble = (struct moult_trouble){0};
    return moult_flow_tell(s, MOULT_REPORT_CONFIRMED);
}

static enum moult_state ask(struct moult_session *s)
{
    struct moult_offer offer = moult_policy_offer(s, &s->offer);
    enum moult_report_kind kind;
    switch (moult_policy_ask(s, &offer, &kind)) {
    case MOULT_GATE_OPEN:
        break;
    case MOULT_GATE_CLOSED:
        return moult_flow_tell(s, kind);
    case MOULT_GATE_ENDED:
        return moult_flow_fail(s);
    }
    /* Also when a plan of this release is resumed: what is stored may have rotted since,
     * and a store that holds the same bytes writes nothing. */
    if (moult_journal_keep_release(s) != MOULT_OK) {
        return failed(s, MOULT_D_PLAN_WRITE, s->trouble.native);
    }
    s->phase = PHASE_KEEP_ORDER;
    return MOULT_STATE_RELEASE;
}

static enum moult_state judge(struct moult_session *s)
{
    struct moult_release *release = &s->scratch.release;
    struct moult_bytes envelope = {s->work + MOULT_RECORD_HEADER, s->work_size};
    struct moult_release_expect expect = {&s->trust.keyset, s->offer.release,
                                          s->running.info.class_id};
    struct moult_finding why = {0};
    s->contact.release_tries = 0;
    if (moult_release_verify(s->port->crypto, envelope, &expect, release, &why) !=
            MOULT_OK ||
        check_rollback(s, release, &why) != MOULT_OK) {
        return failed(s, (enum moult_detail)why.detail, 0);
    }
    enum moult_detail misfits = misfit(s, release);
    bool is_running = false;
    if (misfits == MOULT_D_NONE) {
        fill_offer(s, release);
        is_running = memcmp(s->offer.digest, s->running.digest, 32) == 0;
        misfits = moult_components_fit(s, release, is_running);
    }
    if (misfits != MOULT_D_NONE) { return failed(s, misfits, 0); }
    if (is_running) { return already_running(s); }
    return ask(s);
}

static enum moult_state keep_order(struct moult_session *s)
{
    if (moult_journal_keep_assignment(s) == MOULT_OK) {
        return s->parts.hooks ? MOULT_STATE_COMPONENT : MOULT_STATE_SOURCE;
    }
    return failed(s, MOULT_D_PLAN_WRITE, s->trouble.native);
}

enum moult_state moult_state_RELEASE(struct moult_session *s)
{
    if (s->phase == PHASE_KEEP_ORDER) {
        return s->contact.order.size > 0 ? keep_order(s) : MOULT_STATE_IDLE;
    }
    if (s->phase == PHASE_BEGIN) { return begin(s); }
    enum moult_fetch got = moult_fetch_poll(s, s->work + MOULT_RECORD_HEADER,
                                            MOULT_STATEMENT_SIZE_MAX, &s->work_size);
    switch (got) {
    case MOULT_FETCH_BUSY:
        return MOULT_STATE_RELEASE;
    case MOULT_FETCH_DONE:
        return judge(s);
    case MOULT_FETCH_TOO_LARGE:
        return failed(s, MOULT_D_RELEASE_SIZE, 0);
    case MOULT_FETCH_FAILED:
        break;
    }
    return not_fetched(s);
}
