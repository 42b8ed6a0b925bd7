/* audit.h - the hash chain over everything operators change.
 *
 * Layer    server/control, private to this folder.
 * Format   docs/spec/audit.md.
 * Threads  append: writer. verify: any store thread.
 */
#ifndef MOULT_SERVER_CONTROL_AUDIT_H
#define MOULT_SERVER_CONTROL_AUDIT_H

#include "server/control/control.h"

#define AUDIT_TEXT_MAX 256u      /* bytes of actor, action, object and peer */
#define AUDIT_DETAIL_MAX 1024u   /* bytes of detail */
#define AUDIT_ROW_SIZE_MAX 2200u /* of the encoded row */

/* What the chain is over. */
struct audit_chain {
    const struct moult_crypto *crypto;
    const uint8_t *fleet_id; /* 16 bytes */
};

struct audit_entry {
    const char *actor, *action, *object;
    const char *detail; /* JSON in ASCII, or NULL */
    const char *peer;   /* address, or NULL */
};

/* Appends a row in the job's transaction. Texts over their limit are cut at it, with "..."
 * at the end; a detail over its limit becomes {"cut":true}. MOULT_OK; MOULT_E_INTERNAL: the
 * hash failed; or the store's status. */
MOULT_MUST_CHECK enum moult_status audit_append(struct store_db *db,
                                                const struct audit_chain *chain,
                                                int64_t now_ms,
                                                const struct audit_entry *entry);

/* Replays the chain. *rows: how many there are; *bad: index of the first row that does not
 * continue it, 0 none. MOULT_OK; MOULT_E_DIGEST: *bad is set; or the store's status. */
MOULT_MUST_CHECK enum moult_status audit_verify(struct store_db *db,
                                                const struct audit_chain *chain,
                                                uint64_t *rows, uint64_t *bad);

/* The entry of one call of the operator API: actor, peer, request id and dry run are taken
 * from the call. detail: an object whose reference is moved, or NULL. Refused calls are
 * audited too: add "refused": code to detail. */
MOULT_MUST_CHECK enum moult_status control_audit(const struct control_call *call,
                                                 const char *action, const char *object,
                                                 json_t *detail);

#endif
