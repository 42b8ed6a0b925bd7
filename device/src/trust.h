/* trust.h - the keyset in force: baked into the image, or a newer one adopted since.
 *
 * Layer    device, private.
 * Power    a new keyset is stored in two banks and read back before it is used.
 */
#ifndef MOULT_DEVICE_TRUST_H
#define MOULT_DEVICE_TRUST_H

#include "moult/session.h"

/* The keyset baked into the running image becomes the one in force.
 * MOULT_OK; MOULT_E_NOENT: the image carries none; MOULT_E_IO; or why it is refused, with
 * the finding. */
MOULT_MUST_CHECK enum moult_status moult_trust_load_baked(struct moult_session *s,
                                                          struct moult_finding *finding);

/* A stored keyset takes over if its version is higher and it is sound.
 * MOULT_OK, also when there is none or it is not newer; MOULT_E_IO: a bank was damaged;
 * MOULT_E_SIGNATURE, MOULT_E_FORMAT, ...: refused, the finding says why. In all cases what
 * is in force afterwards is good. */
MOULT_MUST_CHECK enum moult_status moult_trust_load_stored(struct moult_session *s,
                                                           struct moult_finding *finding);

/* The envelope in work (work_size bytes behind a record header) is to follow the keyset in
 * force: verify, store, use; then floors and order counters follow.
 *
 * MOULT_OK; otherwise finding->detail says why (KEYSET_WRITE: it was good, but cannot be
 * stored) and nothing has changed. */
MOULT_MUST_CHECK enum moult_status moult_trust_adopt(struct moult_session *s,
                                                     struct moult_finding *finding);

#endif
