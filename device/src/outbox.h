/* outbox.h - reports that wait for the server, and survive resets while they do.
 *
 * Layer    device, private. Design: docs/design/outbox.md.
 * Power    a report is stored before the journal leaves the stage it tells of; a recovery
 *          that comes through the same stage again finds it there. It goes only after a
 *          2xx.
 */
#ifndef MOULT_DEVICE_OUTBOX_H
#define MOULT_DEVICE_OUTBOX_H

#include "moult/session.h"

/* What to tell; the engine adds ids, uptime, heap, signal, battery. */
struct moult_news {
    enum moult_report_kind kind;
    const uint8_t *deployment;           /* 16 bytes; NULL: none */
    const struct moult_trouble *trouble; /* NULL: nothing went wrong */
    uint32_t offset;                     /* bytes of the image reached; 0: left out */
    bool with_reset;                     /* tell the reset reason of this boot */
    const char *text;                    /* printable ASCII, <= 120; NULL: none */
};

/* Which entries are taken, in what order. Damaged entries are erased. */
void moult_outbox_load(struct moult_session *s);

/* Add a report. One of the same kind and deployment that is still waiting stands for it
 * (kinds 2 and up except 8, 9 and 11), or is replaced by it (kind 1). In a full outbox the
 * oldest that is no final result gives way; if all are final, the oldest.
 * False: the store refused it; the report is lost and logged. */
bool moult_outbox_add(struct moult_session *s, const struct moult_news *news);

uint8_t moult_outbox_count(const struct moult_session *s);

/* As many reports as fit, oldest first, encoded one behind the other at the end of
 * `writer`; the set is remembered as sent. Returns the count. Uses the record buffer. */
uint8_t moult_outbox_write(struct moult_session *s, struct moult_cbor_writer *writer);

/* The server stored what was sent: drop it. */
void moult_outbox_delivered(struct moult_session *s);

#endif
