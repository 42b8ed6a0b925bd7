/* cose.h - the envelope of every signed statement: COSE_Sign in one fixed shape.
 *
 * Layer    formats: pure functions; hash and signature checks come in as callbacks.
 * Format   docs/spec/envelope.md.
 * Memory   the parsed envelope borrows its input.
 * Use it   moult_cose_parse() (no meaning yet), then the verify function of the statement.
 *          Writing: moult_cose_tbs_digest() per key, sign, moult_cose_compose().
 */
#ifndef MOULT_FORMATS_COSE_H
#define MOULT_FORMATS_COSE_H

#include "formats/bytes.h"
#include "formats/cbor.h"
#include "formats/crypto.h"
#include "formats/reader.h" /* struct moult_finding */
#include "formats/statement.h"

#define MOULT_COSE_SIGNATURES_MAX 6u
#define MOULT_COSE_PROTECTED_SIZE 13u /* a2 01 28 04 48 <kid> */
#define MOULT_COSE_SIGNATURE_SIZE 82u /* bytes of one signature in the envelope */
#define MOULT_COSE_OVERHEAD_MAX 9u    /* tag, shape, payload head of 3, signature count */

struct moult_cose_signature {
    uint8_t kid[MOULT_KID_SIZE];
    uint8_t bytes[MOULT_SIGNATURE_SIZE]; /* r || s */
    int8_t alg;                          /* MOULT_CBOR_ESP256; 0 means the same */
};

struct moult_cose {
    struct moult_bytes payload; /* one CBOR map of the profile */
    const uint8_t *signatures;  /* count * MOULT_COSE_SIGNATURE_SIZE bytes, by kid */
    uint8_t count;              /* 1..MOULT_COSE_SIGNATURES_MAX */
    enum moult_statement kind;  /* what the caller said it is; not yet proven */
};

/* Envelope and profile check. Knows nothing of keys and reads no field.
 *
 * kind     KEYSET, RELEASE, ASSIGNMENT or ENDPOINTS: chooses the limit and the family of
 *          codes.
 * out      untouched on failure. Borrows `envelope`.
 * finding  may be NULL; otherwise always set, detail 0 when OK. _SIZE: expected and found
 *          are bytes. _CBOR and _COSE: `where` is the byte of the envelope.
 *
 * MOULT_OK; MOULT_E_RANGE with _SIZE: over the limit, or bytes follow envelope or payload;
 * MOULT_E_FORMAT with _CBOR: the profile is violated; MOULT_E_FORMAT with _COSE: shape,
 * algorithm or order of the signatures; MOULT_E_ARG: no such kind. */
MOULT_MUST_CHECK enum moult_status moult_cose_parse(enum moult_statement kind,
                                                    struct moult_bytes envelope,
                                                    struct moult_cose *out,
                                                    struct moult_finding *finding);

/* Parts of signature `index` (< count); borrowed from the envelope. */
const uint8_t *moult_cose_kid(const struct moult_cose *cose, unsigned index);
const uint8_t *moult_cose_signature_bytes(const struct moult_cose *cose, unsigned index);
int moult_cose_alg(const struct moult_cose *cose, unsigned index); /* -9 or -7 */

/* SHA-256 of the bytes to be signed by `kid`: Sig_structure of RFC 9052 with an empty body
 * header and no external data. alg is MOULT_CBOR_ESP256 for everything written today.
 *
 * MOULT_OK; MOULT_E_INTERNAL: the hash failed, out zeroed. */
MOULT_MUST_CHECK enum moult_status
moult_cose_tbs_digest(const struct moult_crypto *crypto, const uint8_t kid[MOULT_KID_SIZE],
                      int alg, struct moult_bytes payload, uint8_t out[MOULT_SHA256_SIZE]);

/* The same for any protected header of a signature, at most MOULT_COSE_PROTECTED_SIZE
 * bytes, as it stands in the envelope. */
MOULT_MUST_CHECK enum moult_status
moult_cose_sig_structure_digest(const struct moult_crypto *crypto,
                                struct moult_bytes protected, struct moult_bytes payload,
                                uint8_t out[MOULT_SHA256_SIZE]);

/* Whether signature `index` of the envelope is by `public_key`. The kid is not looked at,
 * except that it is part of what was signed. */
bool moult_cose_signed_by(const struct moult_crypto *crypto, const struct moult_cose *cose,
                          unsigned index, const uint8_t public_key[MOULT_PUBKEY_SIZE]);

/* Composes an envelope from a payload and signatures in any order.
 *
 * signatures  sorted in place by kid.
 * out         an initialised writer; the envelope is appended.
 *
 * MOULT_OK; MOULT_E_ARG: none or more than six signatures; MOULT_E_EXISTS: two with one
 * kid; MOULT_E_RANGE: over the limit of this kind; MOULT_E_SPACE: over capacity. */
MOULT_MUST_CHECK enum moult_status
moult_cose_compose(enum moult_statement kind, struct moult_bytes payload,
                   struct moult_cose_signature *signatures, unsigned count,
                   struct moult_cbor_writer *out);

/* The signatures of an envelope, copied, to add others and compose again. Returns the
 * count. */
unsigned moult_cose_signatures(const struct moult_cose *cose,
                               struct moult_cose_signature out[MOULT_COSE_SIGNATURES_MAX]);

#endif
