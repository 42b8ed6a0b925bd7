/* admin.h - tokens, audit, events, status: what operators need beside devices and rollouts.
 *
 * Layer    server/control.
 */
#ifndef MOULT_SERVER_CONTROL_ADMIN_H
#define MOULT_SERVER_CONTROL_ADMIN_H

#include "server/control/control.h"

/* Bits of a token's roles. Stored: never renumber. */
enum {
    ROLE_VIEWER = 1 << 0,
    ROLE_OPERATOR = 1 << 1,
    ROLE_RELEASER = 1 << 2,
    ROLE_APPROVER = 1 << 3,
    ROLE_AUDITOR = 1 << 4,
    ROLE_ADMIN = 1 << 5,
};
/* Bits of "operator,releaser"; 0: an unknown word. Every role may read what a viewer may.
 */
unsigned role_parse(const char *words);
/* "operator,releaser" into out (64 bytes). */
void role_words(unsigned roles, char out[64]);

#define TOKEN_TEXT_SIZE 64u /* formats/token.h: 55 characters and a NUL, with room */

/* A new token's text from 32 random bytes: "moult_" + base62 + checksum. False: no
 * randomness. */
MOULT_MUST_CHECK bool token_generate(const struct random *random,
                                     char out[TOKEN_TEXT_SIZE]);
/* Whether the text has the form and checksum of a token; catches typing errors without the
 * store. */
bool token_is_well_formed(const char *text);

struct control_token {
    char name[CONTROL_NAME_SIZE];
    unsigned roles;
};

/* Which token this is, from memory: any thread, no SQL, time independent of the secret.
 * MOULT_OK; MOULT_E_AUTH: none, expired or revoked. */
MOULT_MUST_CHECK enum moult_status control_token_find(struct control *control,
                                                      const char *text, int64_t now_ms,
                                                      struct control_token *out);
/* Writer. Adds a token, or gives one of that name other roles and digest; text is not kept.
 * expires_ms 0: never. It opens doors from COMMIT on. MOULT_OK; MOULT_E_ARG with problem;
 * other statuses, with problem: the job must fail. */
MOULT_MUST_CHECK enum moult_status control_token_set(const struct control_call *call,
                                                     const char *name, const char *text,
                                                     unsigned roles, int64_t expires_ms);

/* GET /audit, /events?rollout=&device=&after=: lists. Any argument may be NULL. */
MOULT_MUST_CHECK enum moult_status control_audit_list(const struct control_call *call,
                                                      const struct control_page *page,
                                                      json_t **out);
struct control_event_filter {
    const char *rollout, *device, *after;
};
MOULT_MUST_CHECK enum moult_status
control_event_list(const struct control_call *call,
                   const struct control_event_filter *filter,
                   const struct control_page *page, json_t **out);
/* Replays the whole chain. MOULT_OK; MOULT_E_DIGEST with problem naming the row. Reader. */
MOULT_MUST_CHECK enum moult_status control_audit_verify(const struct control_call *call);

/* The members of GET /status and GET /products that control knows: devices by state, keyset
 * version, store queue, outages. The handler adds version, uptime, broker and signer. */
MOULT_MUST_CHECK enum moult_status control_status(const struct control_call *call,
                                                  json_t **out);
MOULT_MUST_CHECK enum moult_status control_products(const struct control_call *call,
                                                    json_t **out);

/* Answers kept for repeated requests, of all tokens together: a pipeline asks for a few an
 * hour, and 10,000 answers are some 50 MB at most. Beyond it new keys are refused until old
 * ones are a day old: forgetting one early could do a thing twice. */
#define IDEMPOTENCY_KEYS_MAX 10000u

/* Idempotency-Key of a POST, inside the job that does it.
 * MOULT_E_NOENT: not used yet: go on, then store. MOULT_OK: *status and *reply (moved) of
 * the first time. MOULT_E_CONFLICT with problem: used with another body; MOULT_E_BUSY with
 * problem: IDEMPOTENCY_KEYS_MAX. */
struct control_idempotency {
    const char *token, *key;
    uint8_t body_sha256[32]; /* of method, path and body */
};
MOULT_MUST_CHECK enum moult_status
control_idempotency_find(const struct control_call *call,
                         const struct control_idempotency *use, uint16_t *status,
                         json_t **reply);
MOULT_MUST_CHECK enum moult_status
control_idempotency_store(const struct control_call *call,
                          const struct control_idempotency *use, uint16_t status,
                          struct moult_bytes reply /* JSON, without a NUL */);
#endif
