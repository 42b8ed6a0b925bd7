/* events.c - see events.h. */
#include "server/control/events.h"
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "server/base/mem.h"

enum moult_status event_put(struct store_db *db, const struct store_event *event,
                            json_t *data)
{
    char text[STORE_EVENT_DATA_MAX];
    size_t size = data ? json_dumpb(data, text, sizeof text - 1, JSON_COMPACT) : 0;
    json_decref(data);
    bool fits = size > 0 && size < sizeof text;
    if (fits) { text[size] = '\0'; }
    struct store_event row = *event;
    row.data = fits ? text : "{}";
    return store_event_insert(db, &row, NULL);
}

const char *report_kind_word(unsigned kind)
{
    static const char *const words[] = {
        "event",     "downloading", "written", "verified", "rebooting", "trial",
        "confirmed", "rolled_back", "failed",  "deferred", "staged",    "user_deferred",
    };
    return kind < sizeof words / sizeof words[0] ? words[kind] : "?";
}

const char *reason_name(uint16_t reason)
{
    const struct moult_code_info *info = moult_reason_info(reason);
    return info ? info->name + strlen("MOULT_R_") : "UNKNOWN";
}

void reason_words(uint16_t reason, char *out, size_t size)
{
    const struct moult_code_info *info = moult_reason_info(reason);
    if (reason == 0) {
        out[0] = '\0';
    } else if (info) {
        snprintf(out, size, "R%03u %s: %s", (unsigned)reason, reason_name(reason),
                 info->words);
    } else {
        snprintf(out, size, "R%03u", (unsigned)reason);
    }
}

static json_t *json_code(char letter, uint16_t code)
{
    char text[8];
    if (code == 0) { return json_null(); }
    moult_code_format(letter, code, text);
    return json_string(text);
}

json_t *json_reason(uint16_t reason)
{
    return json_code('R', reason);
}

json_t *json_detail(uint16_t detail)
{
    return json_code('E', detail);
}

/* --- reports -------------------------------------------------------------------------- */

static void set_number(json_t *data, const struct moult_report *r, unsigned key,
                       const char *name, json_int_t value)
{
    if (r->present & (1u << key)) { json_object_set_new(data, name, json_integer(value)); }
}

static json_t *report_data(const struct moult_report *r)
{
    json_t *data = json_object();
    char boot[17]; /* with the number in it the key by which repetitions are known */
    snprintf(boot, sizeof boot, "%016llx", (unsigned long long)r->boot_id);
    json_object_set_new(data, "boot", json_string(boot));
    json_object_set_new(data, "number", json_integer((json_int_t)r->sequence));
    if (r->reason) { json_object_set_new(data, "reason", json_reason(r->reason)); }
    if (r->detail) { json_object_set_new(data, "detail", json_detail(r->detail)); }
    set_number(data, r, MOULT_REPORT_NATIVE, "native", (int32_t)r->native);
    set_number(data, r, MOULT_REPORT_OFFSET, "offset", r->offset);
    set_number(data, r, MOULT_REPORT_FREE_HEAP, "free_heap", r->free_heap);
    set_number(data, r, MOULT_REPORT_LARGEST_BLOCK, "largest_block", r->largest_block);
    set_number(data, r, MOULT_REPORT_SIGNAL, "rssi_dbm", -(json_int_t)r->signal_dbm);
    set_number(data, r, MOULT_REPORT_BATTERY, "battery_mv", r->battery_mv);
    set_number(data, r, MOULT_REPORT_RESET_REASON, "reset_reason", r->reset_reason);
    set_number(data, r, MOULT_REPORT_UPTIME, "uptime_s", r->uptime_s);
    if (r->text.size > 0) {
        json_object_set_new(data, "text",
                            json_stringn((const char *)r->text.data, r->text.size));
    }
    char crash[65];
    if (r->crash) {
        moult_hex_encode(r->crash, 32, crash);
        json_object_set_new(data, "crash", json_string(crash));
    }
    return data;
}

/* "the device reports: rolled_back, R806 ...; its words". */
static void report_text(const struct moult_report *r, char out[EVENT_TEXT_SIZE])
{
    char reason[160];
    reason_words(r->reason, reason, sizeof reason);
    snprintf(out, EVENT_TEXT_SIZE, "the device reports %s%s%s%s%.*s",
             report_kind_word(r->kind), reason[0] ? ", " : "", reason,
             r->text.size > 0 ? "; " : "", (int)r->text.size,
             r->text.size > 0 ? (const char *)r->text.data : "");
}

enum moult_status event_put_report(struct store_db *db, int64_t device, int64_t rollout,
                                   int64_t now_ms, const struct moult_report *report)
{
    char kind[40], text[EVENT_TEXT_SIZE];
    snprintf(kind, sizeof kind, "report.%s", report_kind_word(report->kind));
    report_text(report, text);
    struct store_event event = {.time_ms = now_ms,
                                .device = device,
                                .rollout = rollout,
                                .has_key = true,
                                .boot_id = report->boot_id,
                                .sequence = report->sequence,
                                .kind = kind,
                                .text = text};
    return event_put(db, &event, report_data(report));
}
