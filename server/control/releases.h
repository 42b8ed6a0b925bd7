/* releases.h - what may be rolled out: signed statements whose artifacts are all here.
 *
 * Layer    server/control. A release is stored only if it verifies by the device's own
 *          code, its artifacts hash to the signed digests, and its images say the same of
 *          themselves.
 */
#ifndef MOULT_SERVER_CONTROL_RELEASES_H
#define MOULT_SERVER_CONTROL_RELEASES_H

#include "server/control/control.h"

/* The audit entry of PUT /artifacts, writer: the file itself is stored by then, without a
 * job. refused: MOULT_D_*, 0: it was stored, or was there already (!is_new). */
struct control_artifact {
    const char *sha256; /* as asked for */
    uint64_t size;      /* bytes */
    bool is_new;
    uint16_t refused;
};
MOULT_MUST_CHECK enum moult_status
control_artifact_note(const struct control_call *call,
                      const struct control_artifact *artifact);

/* POST /releases, writer. *is_new: 201, else 200 (the same release was there). Reads every
 * artifact: run control_release_check() on a worker first if that must not hold up the
 * writer. */
MOULT_MUST_CHECK enum moult_status control_release_create(const struct control_call *call,
                                                          struct moult_bytes envelope,
                                                          bool *is_new, json_t **out);
/* The checks of control_release_create() that read artifacts, without the database: any
 * thread. A worker that runs them first leaves the files hashed (artifact_is_checked()) and
 * in the page cache, so that the writer is not held up for long. */
MOULT_MUST_CHECK enum moult_status control_release_check(struct control *control,
                                                         struct moult_bytes envelope,
                                                         struct control_problem *problem);
/* GET /releases?class=; class may be NULL. */
MOULT_MUST_CHECK enum moult_status control_release_list(const struct control_call *call,
                                                        const char *class_name,
                                                        const struct control_page *page,
                                                        json_t **out);
/* GET /releases/{id or version}. */
MOULT_MUST_CHECK enum moult_status control_release_show(const struct control_call *call,
                                                        const char *id, json_t **out);
/* GET /releases/{id}/statement. */
MOULT_MUST_CHECK enum moult_status
control_release_statement(const struct control_call *call, const char *id, uint8_t *out,
                          size_t capacity, size_t *size);
#endif
