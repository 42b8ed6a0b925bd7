/* keyset.h - which keys hold which role: the root of all trust in updates.
 *
 * Layer    formats: pure functions.
 * Format   docs/spec/keyset.md.
 * Memory   a keyset borrows the envelope it was read from; keep those bytes as long as the
 *          struct.
 * Use it   moult_keyset_verify_first() for a baked, stored or pinned one; then
 *          moult_keyset_verify_next() for each successor, persisted before it is used.
 */
#ifndef MOULT_FORMATS_KEYSET_H
#define MOULT_FORMATS_KEYSET_H

#include "formats/cose.h"

#define MOULT_KEYSET_KEYS_MIN 3u
#define MOULT_KEYSET_KEYS_MAX 12u
#define MOULT_KEYSET_THRESHOLD_MAX 6u      /* signatures in one envelope */
#define MOULT_KEYSET_ROOT_THRESHOLD_MAX 3u /* old and new root must fit six signatures */
#define MOULT_KEYSET_ASSIGN_KEYS_MAX 4u    /* a device keeps four counters */
#define MOULT_KEYSET_FLOORS_MAX 16u

enum moult_role {
    MOULT_ROLE_ROOT = 0,
    MOULT_ROLE_RELEASE = 1,
    MOULT_ROLE_ASSIGN = 2,
    MOULT_ROLE_COUNT = 3,
};

struct moult_keyset_role {
    uint8_t threshold;                    /* 1..6, <= count */
    uint8_t count;                        /* 1..12 */
    uint8_t index[MOULT_KEYSET_KEYS_MAX]; /* into keys, strictly ascending */
};

struct moult_keyset_roles {
    uint32_t present;
    struct moult_keyset_role of[MOULT_ROLE_COUNT]; /* by enum moult_role */
    struct moult_cbor_list extensions;
};

struct moult_keyset_floor {
    const uint8_t *class_id; /* 16 bytes */
    uint64_t sequence;       /* lowest release sequence the class may install */
    uint32_t introduced;     /* keyset version that brought this entry */
};

struct moult_keyset {
    uint32_t present;        /* bit k: key k was there; for the optional ones */
    const uint8_t *fleet_id; /* 16 bytes */
    uint32_t version;        /* first is 1 */
    uint8_t key_count;
    const uint8_t *keys[MOULT_KEYSET_KEYS_MAX]; /* X || Y */
    uint8_t kids[MOULT_KEYSET_KEYS_MAX][MOULT_KID_SIZE];
    struct moult_keyset_roles roles;
    uint64_t not_after; /* unix s, advisory; 0 when absent (present bit 7) */
    struct moult_cbor_list
        floors; /* see moult_keyset_floor_next(); decoded it would be 400 B */
    struct moult_cbor_list extensions;
};

/* Reads a payload and checks its rules, signatures aside: TYPE, FORMAT, UNKNOWN, FIELD, and
 * RULES when `crypto` computes the kids. For tools that show unverified input, and for
 * writers to prove their own output.
 *
 * out      undefined on failure.
 * finding  may be NULL; `where` is the byte of the payload.
 *
 * MOULT_OK; MOULT_E_FORMAT, MOULT_E_UNSUPPORTED (FORMAT, UNKNOWN); MOULT_E_INTERNAL when
 * the hash fails. */
MOULT_MUST_CHECK enum moult_status moult_keyset_parse(const struct moult_crypto *crypto,
                                                      struct moult_bytes payload,
                                                      struct moult_keyset *out,
                                                      struct moult_finding *finding);

/* A keyset that is trusted for where it comes from (baked into the image, given to a tool):
 * checks envelope, contents and that its own root threshold signed it.
 *
 * fleet_id  16 bytes, or NULL: any.
 * out       undefined on failure.
 * finding   may be NULL; else its detail is the first failed check: KEYSET_ SIZE, CBOR,
 *           COSE, TYPE, FORMAT, UNKNOWN, FIELD, FLEET, RULES, SIG_NEW; 0 when OK. For
 *           signatures expected and found are counts.
 *
 * The status of the detail in api/codes.tsv, or MOULT_OK; MOULT_E_INTERNAL with RULES when
 * the hash fails. */
MOULT_MUST_CHECK enum moult_status
moult_keyset_verify_first(const struct moult_crypto *crypto, struct moult_bytes envelope,
                          const uint8_t *fleet_id, struct moult_keyset *out,
                          struct moult_finding *finding);

/* The successor of `current`: as above, of the same fleet, version exactly one higher,
 * signed by the root thresholds of both. Nothing may be stored before this says OK.
 *
 * finding  as above; also VERSION, before RULES, and SIG_OLD, before SIG_NEW. */
MOULT_MUST_CHECK enum moult_status
moult_keyset_verify_next(const struct moult_crypto *crypto, struct moult_bytes envelope,
                         const struct moult_keyset *current, struct moult_keyset *out,
                         struct moult_finding *finding);

/* How many distinct keys of the role signed. Signatures by other kids are ignored.
 *
 * first_kid  may be NULL; borrows the lowest kid that counted, untouched when none did. */
unsigned moult_keyset_count_signatures(const struct moult_crypto *crypto,
                                       const struct moult_keyset *keyset,
                                       enum moult_role role, const struct moult_cose *cose,
                                       const uint8_t **first_kid);

/* Whether `counted` reaches the role's threshold.
 * MOULT_OK; MOULT_E_SIGNATURE with `detail`, expected and found being counts. */
MOULT_MUST_CHECK enum moult_status moult_keyset_judge(const struct moult_keyset *keyset,
                                                      enum moult_role role,
                                                      unsigned counted, uint16_t detail,
                                                      struct moult_finding *finding);

/* The public key of `kid` if it holds `role`, else NULL. */
const uint8_t *moult_keyset_key(const struct moult_keyset *keyset, enum moult_role role,
                                const uint8_t kid[MOULT_KID_SIZE]);

/* Whether any signature of the envelope names a key of the role: if none does, a newer
 * keyset may know the signer. */
bool moult_keyset_knows_signer(const struct moult_keyset *keyset, enum moult_role role,
                               const struct moult_cose *cose);

/* Takes the next floor out of a list: start with a copy of keyset->floors. False at the
 * end. */
bool moult_keyset_floor_next(struct moult_cbor_list *rest,
                             struct moult_keyset_floor *floor);
/* The floor of a class. False when there is none. */
bool moult_keyset_floor_of(const struct moult_keyset *keyset, const uint8_t class_id[16],
                           struct moult_keyset_floor *floor);
/* Appends a floor to an encoded list; the caller counts. */
void moult_keyset_floor_write(struct moult_cbor_writer *writer,
                              const struct moult_keyset_floor *floor);

/* Writes the payload. `kids` are not looked at. Contents are the caller's business: read
 * the result back with moult_keyset_parse(). writer->status says whether it fitted. */
void moult_keyset_write(struct moult_cbor_writer *writer,
                        const struct moult_keyset *keyset);

#endif
