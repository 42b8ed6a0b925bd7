/* statements.h - valid keysets, releases and assignments made in memory, for tests.
 *
 * Use it   struct statements_fleet fleet; statements_fleet_make(&fleet, NULL);
 *          struct moult_release release = statements_release(&fleet, 7);
 *          struct statements_bytes signed_one = statements_signed_release(&fleet,
 *          &release); ... change any field before signing to make a bad one ...
 *          statements_fleet_free(&fleet);
 *
 * Keys are fresh in every run, unless asked otherwise. Failures abort with a message: a
 * test without statements is no test.
 */
#ifndef MOULT_TESTS_SUPPORT_STATEMENTS_H
#define MOULT_TESTS_SUPPORT_STATEMENTS_H

#include "formats/assignment.h"
#include "formats/endpoints.h"
#include "formats/keyset.h"
#include "formats/release.h"
#include "keys/signer.h"

enum {
    STATEMENTS_ROOT = 0,    /* keys 0..2, threshold 2 */
    STATEMENTS_RELEASE = 3, /* keys 3..4 */
    STATEMENTS_ASSIGN = 5,  /* keys 5..6, threshold 1 */
    STATEMENTS_KEYS = 7,
};

/* An envelope or payload with room for the largest. */
struct statements_bytes {
    uint8_t data[MOULT_KEYSET_SIZE_MAX];
    size_t size;
};

struct statements_options {
    uint8_t release_threshold; /* 0: 1 */
    uint32_t version;          /* 0: 1 */
    bool is_fixed; /* keys, signatures and crypto of fixed_crypto.h: the same every time */
};

/* 3 root + 2 release + 2 assign keys, like the example of the design, and their keyset. */
struct statements_fleet {
    struct moult_crypto crypto; /* OpenSSL */
    uint8_t fleet_id[16], class_id[16], device_id[16], nonce[16];
    struct keys_signer signers[STATEMENTS_KEYS];
    struct statements_bytes envelope; /* the keyset, signed */
    struct moult_keyset keyset;       /* verified; borrows `envelope` */
    uint8_t digest[32];               /* SHA-256 of result and transfer in the defaults */
};

/* options may be NULL. The struct must not be moved afterwards. */
void statements_fleet_make(struct statements_fleet *fleet,
                           const struct statements_options *options);
void statements_fleet_free(struct statements_fleet *fleet);

/* Good ones, to be altered and signed:
 * - keyset `version` with the fleet's keys and thresholds,
 * - release of one esp-app component (ESP32-C3, chip 5, any revision, 65,536 bytes),
 * - install of it as one full source in answer to fleet->nonce,
 * - "none" in answer to fleet->nonce.
 * They borrow from the fleet, `payload_digest` and string literals. */
struct moult_keyset statements_keyset(const struct statements_fleet *fleet,
                                      uint32_t version);
struct moult_release statements_release(const struct statements_fleet *fleet,
                                        uint64_t sequence);
struct moult_assignment statements_install(const struct statements_fleet *fleet,
                                           const uint8_t payload_digest[32],
                                           uint64_t counter);
struct moult_assignment statements_none(const struct statements_fleet *fleet,
                                        uint64_t counter);
/* A list of two endpoints: https://a.test of weight 20 and https://b.test of weight 10. */
struct moult_endpoints statements_endpoints(const struct statements_fleet *fleet,
                                            uint32_t version);

/* Encoded payloads. */
struct statements_bytes statements_release_payload(const struct moult_release *release);
struct statements_bytes statements_assignment_payload(const struct moult_assignment *order);
struct statements_bytes statements_keyset_payload(const struct moult_keyset *keyset);
struct statements_bytes
statements_endpoints_payload(const struct moult_endpoints *endpoints);

/* Any payload signed by the keys whose bit is set in `keys` (bit STATEMENTS_ROOT + 1: the
 * second root key). Limits are not checked, so that oversize ones can be made. */
struct statements_bytes statements_sign(const struct statements_fleet *fleet,
                                        struct statements_bytes payload, unsigned keys);

/* The usual signers: keyset by two root keys, release by its threshold, order by the first
 * assign key. */
struct statements_bytes statements_signed_release(const struct statements_fleet *fleet,
                                                  const struct moult_release *release);
struct statements_bytes statements_signed_assignment(const struct statements_fleet *fleet,
                                                     const struct moult_assignment *order);

/* SHA-256 of the payload inside an envelope: assignment key 11. */
void statements_payload_digest(const struct statements_fleet *fleet,
                               const struct statements_bytes *envelope, uint8_t out[32]);

struct moult_bytes statements_view(const struct statements_bytes *bytes);

#endif
