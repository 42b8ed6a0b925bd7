/* release_check.h - everything a release must prove before it is stored; private to this
 * folder.
 *
 * Layer    server/control.
 * Threads  any: touches artifacts and memory, not the database.
 */
#ifndef MOULT_SERVER_CONTROL_RELEASE_CHECK_H
#define MOULT_SERVER_CONTROL_RELEASE_CHECK_H

#include "formats/release.h"
#include "server/control/internal.h"

/* Verifies the envelope against the newest keyset with the device's own code, then every
 * component's artifact: there, of the signed size and digest, and for applications a whole
 * image that says of itself what the statement says. *out borrows the envelope.
 * On failure problem says which part. */
MOULT_MUST_CHECK enum moult_status release_check(struct control *control,
                                                 struct moult_bytes envelope,
                                                 struct moult_release *out,
                                                 struct control_problem *problem);

/* The words of a finding of formats/ as a problem. status is returned. */
enum moult_status problem_finding(struct control_problem *problem, enum moult_status status,
                                  const struct moult_finding *finding);

/* The release that a path names: its id, or the newest of that version. Otherwise
 * problem. */
MOULT_MUST_CHECK enum moult_status
release_named(const struct control_call *call, const char *text, struct store_release *out);

#endif
