/* orders.h - what moult-signer is willing to sign, and the signing.
 *
 * Layer    server/signer. Rules: docs/spec/signer.md.
 * Memory   owns its keyset's bytes, counters and release list; the key is moved in.
 * Threads  one. Time comes in as an argument.
 * Use it   orders_open(), then the operations; orders_close().
 */
#ifndef MOULT_SERVER_SIGNER_ORDERS_H
#define MOULT_SERVER_SIGNER_ORDERS_H

#include "formats/keyset.h"
#include "formats/reader.h"
#include "keys/signer.h"
#include "server/signer/counters.h"
#include "server/signer/release_list.h"

#define ORDERS_TTL_NONCE_MAX_S 3600u      /* answer to a check-in */
#define ORDERS_TTL_OFFLINE_MAX_S 2592000u /* 30 days, for files carried by hand */
#define ORDERS_CLOCK_SKEW_MAX_S 60u
#define ORDERS_PATH_MAX 512u

struct orders {
    struct moult_crypto crypto;
    struct keys_signer key; /* the assign key */
    uint8_t keyset_bytes[MOULT_KEYSET_SIZE_MAX];
    size_t keyset_size;
    struct moult_keyset keyset; /* borrows keyset_bytes */
    char keyset_path[ORDERS_PATH_MAX];
    struct counters counters;
    struct release_list releases;
    uint64_t signed_count, refused_count;
};

struct orders_options {
    const char *key_path;    /* PEM of the assign key */
    const char *keyset_path; /* first keyset; a newer adopted one is kept in data_folder */
    const char *data_folder; /* must exist */
    struct counters_rate rate;
};

/* Why something was refused. */
struct orders_refusal {
    uint16_t detail; /* MOULT_D_* */
    char text[200];  /* printable ASCII */
};

/* MOULT_OK; anything else with refusal->text set for the operator: key or keyset unusable,
 * the key not an assign key or in another role too, a damaged file. Nothing stays open. */
MOULT_MUST_CHECK enum moult_status orders_open(struct orders *orders,
                                               const struct orders_options *options,
                                               struct orders_refusal *refusal);
void orders_close(struct orders *orders);

/* Signs an assignment payload if every rule holds.
 *
 * out  an initialised writer of at least MOULT_STATEMENT_SIZE_MAX; the envelope.
 *
 * MOULT_OK; otherwise *refusal says which rule. */
MOULT_MUST_CHECK enum moult_status orders_sign(struct orders *orders,
                                               struct moult_bytes payload, uint64_t now_ms,
                                               struct moult_cbor_writer *out,
                                               struct orders_refusal *refusal);

/* Verifies a release envelope and puts it on the list. digest: SHA-256 of its payload. */
MOULT_MUST_CHECK enum moult_status orders_add_release(struct orders *orders,
                                                      struct moult_bytes envelope,
                                                      uint8_t digest[32],
                                                      struct orders_refusal *refusal);

/* Adopts the successor of the keyset, or accepts the same one again. *version: in force. */
MOULT_MUST_CHECK enum moult_status orders_adopt_keyset(struct orders *orders,
                                                       struct moult_bytes envelope,
                                                       uint32_t *version,
                                                       struct orders_refusal *refusal);

#endif
