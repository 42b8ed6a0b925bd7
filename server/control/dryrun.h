/* dryrun.h - a change that can be looked at without being made; private to this folder.
 *
 * Layer    server/control.
 * Use it   enum moult_status st = change_begin(call);
 *          if (st == MOULT_OK) { st = ...; }             what the verb does, and *out
 *          return change_end(call, &audit, st, out);
 */
#ifndef MOULT_SERVER_CONTROL_DRYRUN_H
#define MOULT_SERVER_CONTROL_DRYRUN_H

#include "server/control/internal.h"

/* What the audit entry says. */
struct change {
    const char *action; /* "rollout.create" */
    const char *object; /* "rol_..." or a device id, or what was asked for */
    json_t *detail;     /* moved; NULL: none */
};

/* A savepoint around what follows. */
MOULT_MUST_CHECK enum moult_status change_begin(const struct control_call *call);

/* A dry run, or a refused change, is undone, in the database and in memory; the audit entry
 * is written in any case and says which. *out gets "dry_run": true. On failure *out is
 * freed. */
MOULT_MUST_CHECK enum moult_status change_end(const struct control_call *call,
                                              const struct change *change,
                                              enum moult_status status, json_t **out);

#endif
