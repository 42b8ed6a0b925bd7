/* journal.h - what the device was about to do, written down before it is done.
 *
 * Layer    device, private.
 * Format   docs/design/journal.md. Numbers and layout are on flash: never renumber.
 * Power    a stage is journalled before the act it announces, a mark after the flash it
 *          speaks of.
 */
#ifndef MOULT_DEVICE_JOURNAL_H
#define MOULT_DEVICE_JOURNAL_H

#include "moult/session.h"

/* How far a plan has come. */
enum moult_stage {
    MOULT_STAGE_NONE = 0,     /* no plan */
    MOULT_STAGE_TRANSFER = 1, /* bytes are being fetched; the mark says how many */
    MOULT_STAGE_WRITTEN = 2,  /* all but the first 32 are on flash */
    MOULT_STAGE_VERIFIED = 3, /* and everything about them is proven */
    MOULT_STAGE_ARMED = 4,    /* the boot slot is about to be set */
    MOULT_STAGE_TRIAL = 5,    /* the new image has run */
    MOULT_STAGE_PASSED = 6,   /* it passed its checks; about to be marked valid */
    MOULT_STAGE_FAILED = 7,   /* it did not; about to be marked invalid */
};

/* Store session->plan with this stage. MOULT_OK; MOULT_E_IO: plan.stage keeps its old
 * value. */
MOULT_MUST_CHECK enum moult_status moult_journal_stage(struct moult_session *s,
                                                       enum moult_stage stage);

/* Read the plan; session->plan is all zero (no plan) on failure.
 * MOULT_OK; MOULT_E_NOENT: none was ever stored; MOULT_E_IO; MOULT_E_FORMAT: of another
 * version. */
MOULT_MUST_CHECK enum moult_status moult_journal_load(struct moult_session *s);

/* Store transfer.mark for the plan's transfer. MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_journal_mark(struct moult_session *s);

/* The newest mark of the plan's transfer into transfer.mark, or (older) the one before it.
 * MOULT_OK; MOULT_E_NOENT: none for this transfer, the mark is at 0; MOULT_E_IO likewise.
 * */
MOULT_MUST_CHECK enum moult_status moult_journal_load_mark(struct moult_session *s,
                                                           bool older);

/* Both statements of the plan, for the second check and for activation after a reset. The
 * release envelope stands in work behind a record header, work_size bytes; the assignment
 * in reply.
 * MOULT_OK; MOULT_E_IO. work is used. */
MOULT_MUST_CHECK enum moult_status moult_journal_keep_release(struct moult_session *s);
MOULT_MUST_CHECK enum moult_status moult_journal_keep_assignment(struct moult_session *s);

/* One of them into work; *envelope borrows it. MOULT_OK; MOULT_E_NOENT: none or damaged;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_journal_statement(struct moult_session *s,
                                                           bool is_release,
                                                           struct moult_bytes *envelope);

#endif
