/* events.h - writes what happened, in words and as data; private to this folder.
 *
 * Layer    server/control.
 */
#ifndef MOULT_SERVER_CONTROL_EVENTS_H
#define MOULT_SERVER_CONTROL_EVENTS_H

#include "formats/message_report.h"
#include "server/control/control.h"
#include "server/store/store_event.h"

#define EVENT_TEXT_SIZE 320u

/* data is moved (NULL: an empty object). time, kind, text, device and rollout as in
 * *event. */
MOULT_MUST_CHECK enum moult_status event_put(struct store_db *db,
                                             const struct store_event *event, json_t *data);

/* A device's report, stored at most once. MOULT_E_EXISTS: it is there already. */
MOULT_MUST_CHECK enum moult_status event_put_report(struct store_db *db, int64_t device,
                                                    int64_t rollout, int64_t now_ms,
                                                    const struct moult_report *report);

/* "downloading"; "?" for a number that this program does not know. */
const char *report_kind_word(unsigned kind);

/* "R806 TRIAL_SELFTEST: the application's self-test said no" into out; "" for 0. */
void reason_words(uint16_t reason, char *out, size_t size);
/* "R806" / "E1602"; json null for 0. */
json_t *json_reason(uint16_t reason);
json_t *json_detail(uint16_t detail);
/* "TRIAL_SELFTEST", static. */
const char *reason_name(uint16_t reason);

#endif
