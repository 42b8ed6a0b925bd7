/* store.h - what the device remembers beyond one update: floor, order counters, failed
 * releases.
 *
 * Layer    device, private.
 * Format   docs/design/journal.md, "floor", "orders", "blocks".
 * Power    each is one two-bank record (record.h).
 */
#ifndef MOULT_DEVICE_STORE_H
#define MOULT_DEVICE_STORE_H

#include "moult/session.h"

/* --- rollback floor ----------------------------------------------------------------------
 * */

/* MOULT_OK, also when nothing was ever stored; MOULT_E_IO: it was, and is lost: the floor
 * falls back to the running image's own, and keyset floors are applied again. */
MOULT_MUST_CHECK enum moult_status moult_floor_load(struct moult_session *s);

/* Lowest sequence that may be installed now: stored, or the running image's own if that is
 * higher and not muted. */
uint64_t moult_floor_effective(const struct moult_session *s);

/* Take the current keyset's floor of the own class if it is newer than what was applied: it
 * sets the floor, up or down. MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_floor_adopt(struct moult_session *s);

/* A release was confirmed: raise to its floor, and let the own floor count again.
 * MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_floor_raise(struct moult_session *s,
                                                     uint64_t sequence);

/* Remember when a newer keyset was looked for. MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_floor_refreshed(struct moult_session *s,
                                                         uint64_t now_s);

/* --- order counters, one record per assign key --- */

/* MOULT_OK, also when there are none; MOULT_E_IO: lost, they start afresh. */
MOULT_MUST_CHECK enum moult_status moult_orders_load(struct moult_session *s);

/* An order was accepted: store its counter and iat under its kid. MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
moult_orders_accept(struct moult_session *s, const struct moult_assignment *order);

/* Forget kids that no longer hold the assign role. MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_orders_prune(struct moult_session *s);

/* Highest stored counter; 0 when there is none. */
uint64_t moult_orders_highest(const struct moult_session *s);

/* --- what the user put off --- */

/* MOULT_OK, also when nothing was; MOULT_E_IO: lost, the user has all of it left. */
MOULT_MUST_CHECK enum moult_status moult_deferral_load(struct moult_session *s);

/* MOULT_OK; MOULT_E_IO: it counts in this boot only. */
MOULT_MUST_CHECK enum moult_status moult_deferral_store(struct moult_session *s);

/* --- releases that failed here --- */

/* MOULT_OK, also when there are none; MOULT_E_IO: lost. */
MOULT_MUST_CHECK enum moult_status moult_blocks_load(struct moult_session *s);

/* The record of a release payload digest, or NULL. */
const struct moult_block *moult_blocks_find(const struct moult_session *s,
                                            const uint8_t release[32]);

/* One more failed trial of the plan's release; counted once per deployment.
 * MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_blocks_count(struct moult_session *s);

/* Forget a release's failures. MOULT_OK, also when there were none; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_blocks_lift(struct moult_session *s,
                                                     const uint8_t release[32]);

#endif
