/* outbox.c - see outbox.h. */
#include "device/src/outbox.h"
#include <assert.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/pack.h"
#include "device/src/record.h"
#include "formats/bytes.h"

enum { NUMBER_SIZE = 4 };
_Static_assert(MOULT_REPORT_SIZE_MAX + NUMBER_SIZE + MOULT_RECORD_HEADER +
                       MOULT_RECORD_TRAILER <=
                   MOULT_RECORD_MAX,
               "a report is a small record");
_Static_assert(MOULT_OUTBOX_ENTRIES == MOULT_REPORTS_MAX, "one message carries the outbox");

static const uint8_t no_deployment[16];

static enum moult_record kind_of(unsigned entry)
{
    assert(entry < MOULT_OUTBOX_ENTRIES);
    return (enum moult_record)(MOULT_RECORD_REPORT + entry);
}

/* The encoded report of an entry, in the record buffer. Empty: damaged or unreadable. */
static struct moult_bytes read_entry(struct moult_session *s, unsigned entry)
{
    size_t size;
    bool is_damaged; /* a bank of its own: then nothing is returned */
    if (moult_record_load(s, kind_of(entry), moult_small_frame(s), &size, &is_damaged) !=
            MOULT_OK ||
        size <= NUMBER_SIZE) {
        return (struct moult_bytes){NULL, 0};
    }
    return (struct moult_bytes){s->record + MOULT_RECORD_HEADER + NUMBER_SIZE,
                                size - NUMBER_SIZE};
}

void moult_outbox_load(struct moult_session *s)
{
    memset(&s->outbox, 0, sizeof s->outbox);
    s->outbox.next_number = 1;
    for (unsigned i = 0; i < MOULT_OUTBOX_ENTRIES; i++) {
        struct moult_bytes encoded = read_entry(s, i);
        struct moult_report report;
        if (encoded.size == 0 || moult_report_read(encoded, &report, NULL) != MOULT_OK) {
            continue;
        }
        uint32_t number = get_le32(encoded.data - NUMBER_SIZE);
        s->outbox.number[i] = number;
        s->outbox.kind[i] = report.kind;
        s->outbox.deployment[i] = crc32_le(0, report.deployment_id, 16);
        if (number >= s->outbox.next_number) { s->outbox.next_number = number + 1; }
    }
}

static bool is_final(uint8_t kind)
{
    return kind == MOULT_REPORT_CONFIRMED || kind == MOULT_REPORT_ROLLED_BACK ||
           kind == MOULT_REPORT_FAILED || kind == MOULT_REPORT_STAGED;
}

/* Told once per deployment while it waits: a recovery may come through the same stage
 * again. */
static bool is_milestone(uint8_t kind)
{
    return kind >= MOULT_REPORT_WRITTEN && kind != MOULT_REPORT_FAILED &&
           kind != MOULT_REPORT_DEFERRED && kind != MOULT_REPORT_USER_DEFERRED;
}

static int find(const struct moult_session *s, uint8_t kind, uint32_t deployment)
{
    for (int i = 0; i < MOULT_OUTBOX_ENTRIES; i++) {
        if (s->outbox.number[i] != 0 && s->outbox.kind[i] == kind &&
            s->outbox.deployment[i] == deployment) {
            return i;
        }
    }
    return -1;
}

/* The oldest entry, of those that are not final if `expendable`; -1: none. */
static int oldest(const struct moult_session *s, bool expendable)
{
    int found = -1;
    for (int i = 0; i < MOULT_OUTBOX_ENTRIES; i++) {
        if (s->outbox.number[i] == 0 || (expendable && is_final(s->outbox.kind[i]))) {
            continue;
        }
        if (found < 0 || s->outbox.number[i] < s->outbox.number[found]) { found = i; }
    }
    return found;
}

static int place_for(const struct moult_session *s, uint8_t kind, uint32_t deployment)
{
    if (kind == MOULT_REPORT_DOWNLOADING) {
        int same = find(s, kind, deployment);
        if (same >= 0) { return same; }
    }
    for (int i = 0; i < MOULT_OUTBOX_ENTRIES; i++) {
        if (s->outbox.number[i] == 0) { return i; }
    }
    int entry = oldest(s, true);
    if (entry < 0 && is_final(kind)) { entry = oldest(s, false); }
    return entry;
}

static void add_condition(const struct moult_session *s, struct moult_report *report)
{
    const struct moult_port *port = s->port;
    report->uptime_s = (uint32_t)(s->now_ms / 1000);
    report->present |= 1u << MOULT_REPORT_UPTIME;
    if (port->free_heap) {
        report->free_heap = port->free_heap(port->context);
        report->present |= 1u << MOULT_REPORT_FREE_HEAP;
    }
    if (port->largest_block) {
        report->largest_block = port->largest_block(port->context);
        report->present |= 1u << MOULT_REPORT_LARGEST_BLOCK;
    }
    uint8_t dbm = port->signal ? port->signal(port->context) : 0;
    if (dbm != 0) {
        report->signal_dbm = dbm;
        report->present |= 1u << MOULT_REPORT_SIGNAL;
    }
    uint8_t percent;
    if (port->battery && port->battery(port->context, &percent, &report->battery_mv)) {
        report->present |= 1u << MOULT_REPORT_BATTERY;
    }
}

static void add_trouble(struct moult_report *report, const struct moult_trouble *trouble)
{
    report->reason = trouble->reason;
    report->detail = trouble->detail;
    report->native = (uint32_t)trouble->native;
    report->present |= 1u << MOULT_REPORT_REASON;
    if (trouble->detail != 0) { report->present |= 1u << MOULT_REPORT_DETAIL; }
    if (trouble->native != 0) { report->present |= 1u << MOULT_REPORT_NATIVE; }
}

static void compose(struct moult_session *s, const struct moult_news *news,
                    struct moult_report *report)
{
    *report = (struct moult_report){
        .boot_id = s->boot_id,
        .sequence = s->outbox.next_sequence,
        .deployment_id = news->deployment ? news->deployment : no_deployment,
        .kind = (uint8_t)news->kind,
    };
    if (news->trouble && news->trouble->reason != 0) { add_trouble(report, news->trouble); }
    if (news->offset != 0) {
        report->offset = news->offset;
        report->present |= 1u << MOULT_REPORT_OFFSET;
    }
    if (news->with_reset) {
        report->reset_reason = s->running.boot.reset;
        report->present |= 1u << MOULT_REPORT_RESET_REASON;
    }
    if (news->text && news->text[0] != '\0') {
        report->text =
            (struct moult_bytes){(const uint8_t *)news->text, strlen(news->text)};
        report->present |= 1u << MOULT_REPORT_TEXT;
    }
    add_condition(s, report);
}

static bool store(struct moult_session *s, int entry, const struct moult_news *news,
                  uint32_t deployment)
{
    struct moult_report report;
    compose(s, news, &report);
    struct moult_pack pack = moult_record_pack(moult_small_frame(s), NUMBER_SIZE);
    moult_put(&pack, s->outbox.next_number, NUMBER_SIZE);
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, pack.at, MOULT_REPORT_SIZE_MAX);
    moult_report_write(&writer, &report);
    assert(writer.status == MOULT_OK); /* the limit holds for every report */
    if (moult_record_store(s, kind_of((unsigned)entry), moult_small_frame(s),
                           NUMBER_SIZE + writer.size) != MOULT_OK) {
        return false;
    }
    assert(s->outbox.next_number > 0);
    s->outbox.number[entry] = s->outbox.next_number++;
    s->outbox.kind[entry] = (uint8_t)news->kind;
    s->outbox.deployment[entry] = deployment;
    s->outbox.next_sequence++;
    s->outbox.sent &= (uint8_t) ~(1u << entry); /* replaced under way: the new one stays */
    return true;
}

bool moult_outbox_add(struct moult_session *s, const struct moult_news *news)
{
    uint8_t kind = (uint8_t)news->kind;
    uint32_t deployment =
        crc32_le(0, news->deployment ? news->deployment : no_deployment, 16);
    if (is_milestone(kind) && find(s, kind, deployment) >= 0) { return true; }
    int entry = place_for(s, kind, deployment);
    bool is_stored = entry >= 0 && store(s, entry, news, deployment);
    moult_note(s, is_stored ? MOULT_LOG_INFO : MOULT_LOG_ERROR, MOULT_LOG_REPORT, kind,
               is_stored ? (uint32_t)entry : UINT32_MAX);
    return is_stored;
}

uint8_t moult_outbox_count(const struct moult_session *s)
{
    uint8_t count = 0;
    for (unsigned i = 0; i < MOULT_OUTBOX_ENTRIES; i++) {
        count = (uint8_t)(count + (s->outbox.number[i] != 0));
    }
    return count;
}

static void forget(struct moult_session *s, unsigned entry)
{
    assert(entry < MOULT_OUTBOX_ENTRIES && s->outbox.number[entry] != 0);
    s->outbox.number[entry] = 0;
}

/* The taken entry with the lowest number above `after`; -1: none. */
static int next_after(const struct moult_session *s, uint32_t after)
{
    int found = -1;
    for (int i = 0; i < MOULT_OUTBOX_ENTRIES; i++) {
        if (s->outbox.number[i] <= after) { continue; }
        if (found < 0 || s->outbox.number[i] < s->outbox.number[found]) { found = i; }
    }
    return found;
}

uint8_t moult_outbox_write(struct moult_session *s, struct moult_cbor_writer *writer)
{
    uint8_t count = 0;
    uint32_t after = 0;
    s->outbox.sent = 0;
    for (int entry = next_after(s, after); entry >= 0; entry = next_after(s, after)) {
        after = s->outbox.number[entry];
        struct moult_bytes encoded = read_entry(s, (unsigned)entry);
        if (encoded.size == 0) { /* lost to the store since it was written */
            forget(s, (unsigned)entry);
            continue;
        }
        if (writer->capacity - writer->size < encoded.size) { break; }
        moult_cbor_write_raw(writer, encoded);
        s->outbox.sent |= (uint8_t)(1u << entry);
        count++;
    }
    return count;
}

void moult_outbox_delivered(struct moult_session *s)
{
    for (unsigned i = 0; i < MOULT_OUTBOX_ENTRIES; i++) {
        if (!(s->outbox.sent & (1u << i))) { continue; }
        /* If it cannot be erased it is sent again after a reset, under its old id: no harm.
         * */
        moult_unstored(s, moult_record_erase(s, kind_of(i)));
        forget(s, i);
    }
    s->outbox.sent = 0;
}
