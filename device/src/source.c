/* source.c - step 10: the first usable source, and where to take up the work (state
 * SOURCE). */
#include <assert.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/route.h"

/* --- which source --- */

/* Under the base URL, by path or spelled out, or under an endpoint of the list. */
static bool is_address_good(const struct moult_session *s, struct moult_bytes url)
{
    size_t base = strlen(s->config.base_url);
    if (url.size == 0 || url.size > MOULT_SOURCE_URL_MAX) { return false; }
    if (url.data[0] == '/') { return true; }
    const struct moult_bytes built_in = {(const uint8_t *)s->config.base_url, base};
    return moult_endpoint_covers(built_in, url) ||
           (s->routes && s->routes->hooks->covers(s, url));
}

static enum moult_detail unusable(const struct moult_session *s,
                                  const struct moult_source *source)
{
    struct moult_finding why;
    if (source->component != s->offer.component) { return MOULT_D_COMPONENT; }
    if (!moult_source_is_usable(source, &why)) { return (enum moult_detail)why.detail; }
    if (source->encoding != MOULT_ENCODING_NONE) { return MOULT_D_ENCODING; }
    if (!is_address_good(s, source->url)) { return MOULT_D_URI; }
    /* Raw bytes are the result itself. */
    if (source->size != s->offer.size) { return MOULT_D_XFER_SIZE; }
    if (memcmp(source->digest, s->offer.digest, 32) != 0) { return MOULT_D_XFER_DIGEST; }
    return MOULT_D_NONE;
}

static void take(struct moult_session *s, const struct moult_source *source)
{
    assert(source->url.size < sizeof s->url);
    memcpy(s->url, source->url.data, source->url.size);
    s->url[source->url.size] = '\0';
    s->offer.encoding = source->encoding;
    s->offer.transfer_size = source->size;
    memcpy(s->offer.transfer_digest, source->digest, 32);
}

/* From source_index on. MOULT_D_NONE: one was taken; else why the last one was not. */
static enum moult_detail choose(struct moult_session *s)
{
    const struct moult_assignment *order = &s->scratch.assignment;
    enum moult_detail why = MOULT_D_COMPONENT;
    for (; s->source_index < order->source_count; s->source_index++) {
        const struct moult_source *source = &order->sources[s->source_index];
        why = unusable(s, source);
        if (why == MOULT_D_NONE) {
            take(s, source);
            return why;
        }
    }
    return why;
}

/* --- where to begin --- */

static bool is_same_plan(const struct moult_plan *a, const struct moult_plan *b)
{
    return a->slot == b->slot && a->component == b->component &&
           a->encoding == b->encoding && a->size == b->size &&
           a->transfer_size == b->transfer_size &&
           memcmp(a->release, b->release, 32) == 0 &&
           memcmp(a->digest, b->digest, 32) == 0 &&
           memcmp(a->transfer_digest, b->transfer_digest, 32) == 0;
}

/* The journal's plan goes on under the new order. */
static void renew(struct moult_session *s)
{
    struct moult_plan *plan = &s->plan;
    bool is_new_order = memcmp(plan->deployment, s->offer.deployment, 16) != 0;
    if (is_new_order) {
        plan->attempts = 0;
        s->transfer.begun_ms = 0; /* its deadline counts from its own first byte */
    }
    memcpy(plan->deployment, s->offer.deployment, 16);
    plan->from = s->offer.from;
    plan->confirm_timeout_s = s->offer.confirm_timeout_s;
    plan->deadline_s = s->offer.deadline_s;
}

static enum moult_state resume(struct moult_session *s)
{
    renew(s);
    if (s->plan.stage == MOULT_STAGE_TRANSFER) { return MOULT_STATE_REHASH; }
    if (!s->plan.has_head) { return MOULT_STATE_PREPARE; }
    if (!s->is_verified_here) {
        s->is_adopted = true;
    } /* the journal's word: proven next */
    return s->is_verified_here ? MOULT_STATE_RECHECK : MOULT_STATE_VERIFY;
}

/* Whether the target slot says of itself that it holds this release, complete. Only a hint:
 * step 13 proves it, and if it is not so, the transfer begins as if nothing had been there.
 * */
static bool is_there_already(struct moult_session *s)
{
    struct moult_image_info info;
    uint8_t raw[MOULT_IMAGE_INFO_SIZE];
    const struct moult_port *port = s->port;
    const struct moult_plan *plan = &s->offer;
    if (port->flash_read(port->context, plan->slot, MOULT_IMAGE_INFO_OFFSET, raw,
                         sizeof raw) ||
        moult_image_info_parse(raw, &info, NULL) != MOULT_OK ||
        info.sequence != plan->sequence || strcmp(info.version, plan->version) != 0 ||
        memcmp(info.class_id, s->running.info.class_id, 16) != 0) {
        return false;
    }
    uint8_t *head = s->offer.head;
    return port->flash_read(port->context, plan->slot, 0, head, sizeof plan->head) == 0 &&
           head[0] == MOULT_ESP_MAGIC;
}

static enum moult_state start(struct moult_session *s)
{
    s->is_adopted = s->offer.component == MOULT_COMPONENT_APP && is_there_already(s);
    assert(s->offer.slot != s->running.boot.running);
    s->offer.has_head = s->is_adopted;
    s->plan = s->offer;
    s->plan.stage = MOULT_STAGE_NONE; /* until it is journalled */
    memset(&s->transfer.mark, 0, sizeof s->transfer.mark);
    s->transfer.changes = 0;
    s->transfer.begun_ms = 0;
    s->transfer.is_second = false;
    s->is_verified_here = false;
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_PLAN, (uint32_t)s->plan.sequence, s->plan.size);
    return s->is_adopted ? MOULT_STATE_CLEAN : MOULT_STATE_PREPARE;
}

enum moult_state moult_state_SOURCE(struct moult_session *s)
{
    struct moult_cose cose;
    struct moult_finding finding;
    enum moult_detail why;
    if (s->contact.order.size == 0 ||
        moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, s->contact.order, &cose, &finding) !=
            MOULT_OK ||
        moult_assignment_parse(cose.payload, &s->scratch.assignment, NULL) != MOULT_OK) {
        return MOULT_STATE_IDLE; /* verified in ORDER, gone since: comes again */
    }
    bool is_first = s->source_index == 0;
    struct moult_trouble before = s->trouble;
    why = choose(s);
    if (why != MOULT_D_NONE && is_first) {
        moult_trouble(s, MOULT_D_NO_SOURCE, (int32_t)why);
        return moult_flow_fail(s);
    }
    if (why != MOULT_D_NONE) { /* none is left: what the last one failed with */
        s->trouble = before;
        return moult_sources_used_up(s);
    }
    bool is_same = s->plan.stage >= MOULT_STAGE_TRANSFER &&
                   s->plan.stage <= MOULT_STAGE_VERIFIED &&
                   is_same_plan(&s->plan, &s->offer);
    return is_same ? resume(s) : start(s);
}
