/* oracle.h - what the fuzz targets of statements and messages share.
 *
 * Signatures always verify, so that the fuzzer gets behind them; hashes are real. Keys are
 * made up (key i is 64 times the byte i + 1), which keeps the corpora free of anything that
 * ever signed.
 */
#ifndef MOULT_TESTS_FUZZ_ORACLE_H
#define MOULT_TESTS_FUZZ_ORACLE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/keyset.h"
#include "keys/openssl_crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts, naming the promise, when it is broken. */
static inline void promise(int kept, const char *what)
{
    if (kept) { return; }
    fprintf(stderr, "promise broken: %s\n", what);
    abort();
}

/* Writing what was read must give the same bytes. */
static inline void promise_same(const struct moult_cbor_writer *writer,
                                struct moult_bytes input)
{
    promise(writer->status == MOULT_OK && writer->size == input.size &&
                memcmp(writer->data, input.data, input.size) == 0,
            "what was accepted is reproduced byte for byte");
}

/* Status and detail of one judgement belong together. */
static inline void promise_finding(enum moult_status st,
                                   const struct moult_finding *finding)
{
    const struct moult_code_info *info = moult_detail_info(finding->detail);
    if (st == MOULT_OK) {
        promise(finding->detail == 0 || finding->detail == MOULT_D_SERVER_BEHIND,
                "nothing is found when all is well");
    } else {
        promise(info && info->status == st, "every refusal has the detail of its status");
    }
}

static inline bool oracle_verify(void *context, const uint8_t key[64],
                                 const uint8_t digest[32], const uint8_t signature[64])
{
    (void)context;
    (void)key;
    (void)digest;
    (void)signature;
    return true;
}

static inline struct moult_crypto oracle_crypto(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    crypto.verify_p256 = oracle_verify;
    return crypto;
}

/* Keys 0..2 root, 3..4 release, 5..6 assign, all of threshold 1; fleet id 16 times f1. */
static inline const struct moult_keyset *oracle_keyset(void)
{
    static uint8_t keys[7][64], fleet[16];
    static struct moult_keyset keyset;
    if (keyset.version == 1) { return &keyset; }
    struct moult_crypto crypto = oracle_crypto();
    memset(fleet, 0xf1, sizeof fleet);
    keyset = (struct moult_keyset){.fleet_id = fleet, .version = 1, .key_count = 7};
    for (uint8_t i = 0; i < 7; i++) {
        struct moult_keyset_role *role = &keyset.roles.of[i < 3 ? 0 : i < 5 ? 1 : 2];
        memset(keys[i], i + 1, sizeof keys[i]);
        keyset.keys[i] = keys[i];
        promise(moult_kid(&crypto, keys[i], keyset.kids[i]) == MOULT_OK, "a kid");
        role->threshold = 1;
        role->index[role->count++] = i;
    }
    return &keyset;
}

#endif
