/* checkin.c - step 1: asking the server, and delivering reports (states IDLE, CHECKIN,
 * REPLY, REPORT). */
#include <assert.h>
#include <string.h>
#include "device/src/component.h"
#include "device/src/contact.h"
#include "device/src/outbox.h"
#include "device/src/route.h"
#include "device/src/store.h"

/* --- IDLE --- */

static bool wants_keyset(struct moult_session *s)
{
    uint64_t now_s = moult_now_s(s);
    if (s->disabled || s->trial.is_on || s->contact.keyset_tried) { return false; }
    /* By uptime too: trusted time comes from an assign key, which may be the stolen one. */
    bool is_long_up =
        s->now_ms - s->contact.looked_ms >= (uint64_t)MOULT_KEYSET_REFRESH_S * 1000;
    if (is_long_up || now_s == 0) { return is_long_up; }
    if (s->floor.refreshed_s == 0 || s->floor.refreshed_s > now_s) {
        moult_unstored(s, moult_floor_refreshed(s, now_s)); /* the week begins */
        return false;
    }
    return now_s - s->floor.refreshed_s >= MOULT_KEYSET_REFRESH_S;
}

enum moult_state moult_state_IDLE(struct moult_session *s)
{
    if (s->now_ms >= s->contact.due_ms) { return MOULT_STATE_CHECKIN; }
    if (s->phase == 0) {
        s->phase = 1;
        s->contact.order = (struct moult_bytes){NULL, 0};
        if (wants_keyset(s)) { return MOULT_STATE_KEYSET; }
        if (moult_components_are_due(s)) { return MOULT_STATE_APPLY; }
    }
    moult_wait_until(s, s->contact.due_ms);
    return MOULT_STATE_IDLE;
}

/* --- CHECKIN --- */

static struct moult_bytes text_of(const char *text)
{
    return (struct moult_bytes){(const uint8_t *)text, strlen(text)};
}

static void add_attributes(const struct moult_session *s, struct moult_facts *facts,
                           struct moult_cbor_writer *writer)
{
    size_t begin = writer->size;
    for (uint32_t i = 0; i < s->config.attribute_count; i++) {
        const struct moult_attribute *a = &s->config.attributes[i];
        moult_attribute_write(writer, text_of(a->name), text_of(a->value));
    }
    if (s->config.attribute_count == 0) { return; }
    facts->attributes.encoded =
        (struct moult_bytes){writer->data + begin, writer->size - begin};
    facts->attributes.count = (uint8_t)s->config.attribute_count;
    facts->present |= 1u << MOULT_FACTS_ATTRIBUTES;
}

static void add_hardware(const struct moult_session *s, struct moult_facts *facts)
{
    facts->chip_id = s->config.chip_id;
    facts->revision = s->config.chip_revision;
    facts->flash_size = s->config.flash_size;
    facts->slot_size = s->port->slot_size;
    facts->slot = s->running.boot.running;
    facts->present = 1u << MOULT_FACTS_CHIP | 1u << MOULT_FACTS_REVISION |
                     1u << MOULT_FACTS_FLASH_SIZE | 1u << MOULT_FACTS_SLOT_SIZE |
                     1u << MOULT_FACTS_SLOT | 1u << MOULT_FACTS_POSTURE |
                     1u << MOULT_FACTS_ENCODINGS;
    facts->posture = s->config.posture;
    facts->encodings[0] = MOULT_ENCODING_NONE;
    facts->encoding_count = 1;
    if (s->config.bootloader_version) {
        facts->bootloader_version = s->config.bootloader_version;
        facts->present |= 1u << MOULT_FACTS_BOOTLOADER;
    }
    if (s->port->secure_version) {
        facts->secure_version = (uint8_t)s->port->secure_version(s->port->context);
        facts->present |= 1u << MOULT_FACTS_SECURE_VERSION;
    }
}

static void add_facts(struct moult_session *s, struct moult_checkin *checkin,
                      struct moult_cbor_writer *room)
{
    struct moult_facts *facts = &checkin->facts;
    if (!s->contact.facts_due) { return; }
    add_hardware(s, facts);
    if (s->config.table_digest) {
        facts->table_digest = s->config.table_digest;
        facts->present |= 1u << MOULT_FACTS_TABLE_DIGEST;
    }
    if (s->running.is_managed) {
        facts->version = text_of(s->running.info.version);
        facts->present |= 1u << MOULT_FACTS_VERSION;
    }
    if (s->config.serial) {
        facts->serial = text_of(s->config.serial);
        facts->present |= 1u << MOULT_FACTS_SERIAL;
    }
    add_attributes(s, facts, room);
    checkin->present |= 1u << MOULT_CHECKIN_FACTS;
}

/* The request into work; attributes and reports are gathered in reply, which is free until
 * then. */
static bool compose(struct moult_session *s)
{
    uint32_t endpoints = s->routes ? s->routes->hooks->begin(s) : 0;
    struct moult_checkin *checkin = &s->scratch.checkin;
    struct moult_cbor_writer room, out;
    moult_cbor_writer_init(&room, s->reply, sizeof s->reply);
    moult_cbor_writer_init(&out, s->work, MOULT_REQUEST_SIZE_MAX);
    *checkin = (struct moult_checkin){
        .nonce = s->contact.nonce,
        .device_id = s->config.device_id,
        .running_digest = s->running.digest,
        .running_sequence = s->running.info.sequence,
        .running_state = s->trial.is_on          ? MOULT_RUNNING_TRIAL
                         : s->running.is_managed ? MOULT_RUNNING_CONFIRMED
                                                 : MOULT_RUNNING_UNMANAGED,
        .keyset_version = s->trust.is_good ? s->trust.keyset.version : 0,
        .counter = moult_orders_highest(s),
        .endpoints_version = endpoints,
    };
    if (endpoints != 0) { checkin->present |= 1u << MOULT_CHECKIN_ENDPOINTS; }
    add_facts(s, checkin, &room);
    size_t begin = room.size;
    checkin->reports.count = moult_outbox_write(s, &room);
    if (checkin->reports.count > 0) {
        checkin->reports.encoded =
            (struct moult_bytes){room.data + begin, room.size - begin};
        checkin->present |= 1u << MOULT_CHECKIN_REPORTS;
    }
    moult_checkin_write(&out, checkin);
    assert(room.status == MOULT_OK &&
           out.status == MOULT_OK); /* by the limits of each part */
    assert(out.size <= MOULT_REQUEST_SIZE_MAX);
    s->work_size = (uint16_t)out.size;
    return out.status == MOULT_OK;
}

enum moult_state moult_state_CHECKIN(struct moult_session *s)
{
    s->contact.order = (struct moult_bytes){NULL, 0}; /* reply is about to be used */
    s->contact.keyset_tried = false;
    s->contact.has_nonce =
        s->port->random(s->port->context, s->contact.nonce, MOULT_NONCE_SIZE);
    if (!s->contact.has_nonce) {
        moult_trouble(s, MOULT_D_RNG, 0);
        moult_contact_failed(s);
        return MOULT_STATE_IDLE;
    }
    s->contact.nonce_ms = s->now_ms;
    if (s->boot_id == 0) { moult_draw_boot_id(s); } /* there was no entropy at boot */
    struct moult_bytes body = {s->work, 0};
    bool is_started = compose(s);
    body.size = s->work_size;
    is_started = is_started && moult_fetch_begin(s, "/device/v1/checkin", body);
    if (!is_started) {
        moult_contact_failed(s);
        return MOULT_STATE_IDLE;
    }
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_CHECKIN, s->scratch.checkin.reports.count,
               s->work_size);
    s->reply_size = 0;
    return MOULT_STATE_REPLY;
}

/* --- REPLY --- */

/* The server has forgotten this deployment: ask for a signed order at once, do nothing on
 * its word. */
static void heed_gone(struct moult_session *s, const struct moult_gone *gone)
{
    for (unsigned i = 0; i < gone->count; i++) {
        bool is_ours = s->plan.stage != MOULT_STAGE_NONE &&
                       memcmp(gone->deployment_id[i], s->plan.deployment, 16) == 0;
        if (is_ours) { moult_contact_now(s, 0); }
    }
}

static enum moult_state no_answer(struct moult_session *s, enum moult_fetch why)
{
    if (why == MOULT_FETCH_TOO_LARGE) { moult_http_trouble(s, s->http.status); }
    moult_contact_failed(s);
    return MOULT_STATE_IDLE;
}

/* Envelope and profile of the assignment, before the keyset is looked at: step 2. */
static bool is_envelope_good(struct moult_session *s)
{
    struct moult_cose cose;
    struct moult_finding finding;
    if (moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, s->contact.order, &cose, &finding) ==
        MOULT_OK) {
        return true;
    }
    moult_trouble(s, (enum moult_detail)finding.detail, 0);
    moult_flow_refuse(s);
    s->contact.order = (struct moult_bytes){NULL, 0};
    return false;
}

static enum moult_state take_reply(struct moult_session *s)
{
    struct moult_checkin_reply *reply = &s->scratch.reply;
    struct moult_bytes message = {s->reply, s->reply_size};
    assert(s->http.status >= 200 && s->http.status <= 299);
    moult_outbox_delivered(s); /* any 2xx: stored */
    if (moult_checkin_reply_read(message, reply, NULL) != MOULT_OK) {
        return no_answer(s, MOULT_FETCH_TOO_LARGE); /* as bad as a body that does not fit */
    }
    moult_contact_worked(s);
    moult_contact_next(s, reply->next_s);
    s->contact.facts_due = reply->send_facts == 1;
    s->contact.keyset_hint = reply->keyset_version;
    s->contact.endpoints_hint = reply->endpoints_version;
    s->contact.order = reply->assignment;
    s->contact.keyset_hops = 0;
    if (moult_outbox_count(s) > 0) {
        moult_contact_soon(s);
    } /* more than one message's worth */
    heed_gone(s, &reply->gone);

    if (s->contact.order.size > 0 && !is_envelope_good(s)) { return MOULT_STATE_IDLE; }
    bool is_behind = s->trust.is_good && s->contact.keyset_hint > s->trust.keyset.version;
    return is_behind ? MOULT_STATE_KEYSET : moult_after_keyset(s);
}

enum moult_state moult_state_REPLY(struct moult_session *s)
{
    if (s->now_ms - s->contact.nonce_ms > MOULT_NONCE_AGE_MAX_MS) {
        s->port->http_cancel(s->port->context);
        moult_net_trouble(s, &(struct moult_http_failure){MOULT_NET_STALL, 0});
        return no_answer(s, MOULT_FETCH_FAILED);
    }
    enum moult_fetch got = moult_fetch_poll(s, s->reply, sizeof s->reply, &s->reply_size);
    if (got == MOULT_FETCH_BUSY) { return MOULT_STATE_REPLY; }
    return got == MOULT_FETCH_DONE ? take_reply(s) : no_answer(s, got);
}

/* --- REPORT: between two check-ins, best effort, one try --- */

static bool post_reports(struct moult_session *s)
{
    /* The encoded reports go behind the place where the message is composed, in one buffer.
     * */
    enum { ROOM = MOULT_REPORTS_MAX * 160, HEAD = 16 };
    _Static_assert(ROOM * 2 + HEAD <= MOULT_SECTOR_SIZE, "message and reports fit work");
    struct moult_cbor_writer room, out;
    struct moult_cbor_list list;
    moult_cbor_writer_init(&room, s->work + ROOM + HEAD, ROOM);
    list.count = moult_outbox_write(s, &room);
    list.encoded = moult_cbor_written(&room);
    if (list.count == 0) { return false; }
    moult_cbor_writer_init(&out, s->work, ROOM + HEAD);
    moult_report_batch_write(&out, &list);
    assert(out.status == MOULT_OK);
    return moult_fetch_begin(s, "/device/v1/report", moult_cbor_written(&out));
}

enum moult_state moult_state_REPORT(struct moult_session *s)
{
    enum moult_state next = (enum moult_state)s->contact.next_state;
    if (s->phase == 0) {
        s->phase = 1;
        s->work_size = 0;
        return post_reports(s) ? MOULT_STATE_REPORT : next;
    }
    enum moult_fetch got =
        moult_fetch_poll(s, s->work, MOULT_REPLY_SIZE_MAX, &s->work_size);
    if (got == MOULT_FETCH_BUSY) { return MOULT_STATE_REPORT; }
    s->http.retry_after_s =
        0; /* reports wait for the next check-in; the transfer goes on */
    if (got != MOULT_FETCH_DONE) {
        moult_note(s, MOULT_LOG_WARN, MOULT_D_REPORT, moult_outbox_count(s), 0);
        return next;
    }
    moult_outbox_delivered(s);
    struct moult_gone gone;
    struct moult_bytes message = {s->work, s->work_size};
    if (moult_report_reply_read(message, &gone, NULL) != MOULT_OK) { return next; }
    uint64_t due = s->contact.due_ms;
    heed_gone(s, &gone);
    return s->contact.due_ms < due ? MOULT_STATE_IDLE : next;
}
