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
/* What devices of the class have reported of their slots, beside the application's size. */
struct control_release_fit {
    uint32_t size;            /* bytes */
    uint32_t told, too_small; /* devices */
    int64_t smallest;         /* bytes */
};
/* The checks of control_release_create() that read artifacts, and the fit; on a reader. A
 * worker that runs them first leaves the files hashed (artifact_is_checked()) and
 * in the page cache, so that the writer is not held up for long. */
MOULT_MUST_CHECK enum moult_status control_release_check(const struct control_call *call,
                                                         struct moult_bytes envelope,
                                                         struct control_release_fit *fit);
/* "warnings" of the reply to POST /releases: a list, empty when all is well. Devices whose
 * slot is too small refuse the release by themselves, before a byte is erased, so it is
 * stored all the same: a class may have more than one partition table. */
MOULT_MUST_CHECK enum moult_status
control_release_warn(const struct control_release_fit *fit, json_t *reply);
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
