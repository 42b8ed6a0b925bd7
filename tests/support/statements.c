/* statements.c - see statements.h. */
#include "tests/support/statements.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "keys/key_file.h"
#include "keys/openssl_crypto.h"
#include "tests/support/fixed_crypto.h"

enum { IMAGE_SIZE = 65536, CHIP_ESP32C3 = 5, CREATED_S = 1767225600 };

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "statements.c: %s failed\n", what);
    abort();
}

static struct moult_bytes text(const char *string)
{
    return (struct moult_bytes){(const uint8_t *)string, strlen(string)};
}

struct moult_bytes statements_view(const struct statements_bytes *bytes)
{
    return (struct moult_bytes){bytes->data, bytes->size};
}

/* --- fleet --- */

static struct moult_keyset_role role(uint8_t threshold, uint8_t first, uint8_t count)
{
    struct moult_keyset_role made = {.threshold = threshold, .count = count};
    for (uint8_t i = 0; i < count; i++) {
        made.index[i] = (uint8_t)(first + i);
    }
    return made;
}

static struct moult_keyset keyset_of(const struct statements_fleet *fleet,
                                     uint8_t release_threshold, uint32_t version)
{
    struct moult_keyset keyset = {
        .fleet_id = fleet->fleet_id,
        .version = version,
        .key_count = STATEMENTS_KEYS,
    };
    for (unsigned i = 0; i < STATEMENTS_KEYS; i++) {
        keyset.keys[i] = fleet->signers[i].public_key;
    }
    keyset.roles.of[MOULT_ROLE_ROOT] = role(2, STATEMENTS_ROOT, 3);
    keyset.roles.of[MOULT_ROLE_RELEASE] = role(release_threshold, STATEMENTS_RELEASE, 2);
    keyset.roles.of[MOULT_ROLE_ASSIGN] = role(1, STATEMENTS_ASSIGN, 2);
    return keyset;
}

void statements_fleet_make(struct statements_fleet *fleet,
                           const struct statements_options *options)
{
    uint8_t threshold =
        options && options->release_threshold ? options->release_threshold : 1;
    uint32_t version = options && options->version ? options->version : 1;
    memset(fleet, 0, sizeof *fleet);
    bool is_fixed = options && options->is_fixed;
    fleet->crypto = is_fixed ? fixed_crypto() : keys_openssl_crypto();
    memcpy(fleet->fleet_id, "moult-fleet-0001", sizeof fleet->fleet_id);
    memcpy(fleet->class_id, "energy-meter-c3!", sizeof fleet->class_id);
    memset(fleet->device_id, 0xd1, sizeof fleet->device_id);
    memset(fleet->nonce, 0xa5, sizeof fleet->nonce);
    memset(fleet->digest, 0x3c, sizeof fleet->digest);
    for (unsigned i = 0; i < STATEMENTS_KEYS; i++) {
        if (is_fixed) {
            fixed_signer(i, &fleet->signers[i]);
        } else {
            must(keys_memory_generate(&fleet->signers[i]) == MOULT_OK, "key generation");
        }
    }
    struct moult_keyset keyset = keyset_of(fleet, threshold, version);
    fleet->envelope =
        statements_sign(fleet, statements_keyset_payload(&keyset), 3u << STATEMENTS_ROOT);
    must(moult_keyset_verify_first(&fleet->crypto, statements_view(&fleet->envelope),
                                   fleet->fleet_id, &fleet->keyset, NULL) == MOULT_OK,
         "own keyset");
}

void statements_fleet_free(struct statements_fleet *fleet)
{
    for (unsigned i = 0; i < STATEMENTS_KEYS; i++) {
        keys_signer_close(&fleet->signers[i]);
    }
}

/* --- good statements --- */

struct moult_keyset statements_keyset(const struct statements_fleet *fleet,
                                      uint32_t version)
{
    return keyset_of(fleet, fleet->keyset.roles.of[MOULT_ROLE_RELEASE].threshold, version);
}

struct moult_release statements_release(const struct statements_fleet *fleet,
                                        uint64_t sequence)
{
    return (struct moult_release){
        .present = 1u << MOULT_RELEASE_CREATED,
        .fleet_id = fleet->fleet_id,
        .class_id = fleet->class_id,
        .sequence = sequence,
        .version = text("1.1.0"),
        .component_count = 1,
        .components[0] =
            {
                .id = MOULT_COMPONENT_APP,
                .size = IMAGE_SIZE,
                .digest = fleet->digest,
                .format = MOULT_FORMAT_ESP_APP,
                .chip_id = CHIP_ESP32C3,
                .revision_max = UINT16_MAX,
            },
        .created = CREATED_S,
        .rollback_floor = sequence,
    };
}

struct moult_assignment statements_none(const struct statements_fleet *fleet,
                                        uint64_t counter)
{
    return (struct moult_assignment){
        .present = 1u << MOULT_ASSIGNMENT_NONCE,
        .fleet_id = fleet->fleet_id,
        .device_id = fleet->device_id,
        .action = MOULT_ACTION_NONE,
        .nonce = fleet->nonce,
        .counter = counter,
        .iat_s = CREATED_S,
        .ttl_s = 3600,
        .keyset_version = fleet->keyset.version,
    };
}

struct moult_assignment statements_install(const struct statements_fleet *fleet,
                                           const uint8_t payload_digest[32],
                                           uint64_t counter)
{
    static const uint8_t deployment[16] = "deployment-00001";
    struct moult_assignment order = statements_none(fleet, counter);
    order.present |= 1u << MOULT_ASSIGNMENT_DEPLOYMENT | 1u << MOULT_ASSIGNMENT_RELEASE |
                     1u << MOULT_ASSIGNMENT_SOURCES;
    order.action = MOULT_ACTION_INSTALL;
    order.deployment_id = deployment;
    order.release_digest = payload_digest;
    order.source_count = 1;
    order.sources[0] = (struct moult_source){
        .component = MOULT_COMPONENT_APP,
        .kind = MOULT_SOURCE_FULL,
        .encoding = MOULT_ENCODING_NONE,
        .size = IMAGE_SIZE,
        .digest = fleet->digest,
        .url = text("/device/v1/artifact/"
                    "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c"),
    };
    return order;
}

struct moult_endpoints statements_endpoints(const struct statements_fleet *fleet,
                                            uint32_t version)
{
    return (struct moult_endpoints){
        .fleet_id = fleet->fleet_id,
        .version = version,
        .count = 2,
        .list = {{.url = text("https://a.test"), .weight = 20},
                 {.url = text("https://b.test"), .weight = 10}},
    };
}

/* --- payloads --- */

#define PAYLOAD_OF(write, statement)                                                       \
    do {                                                                                   \
        struct statements_bytes bytes;                                                     \
        struct moult_cbor_writer writer;                                                   \
        moult_cbor_writer_init(&writer, bytes.data, sizeof bytes.data);                    \
        write(&writer, statement);                                                         \
        must(writer.status == MOULT_OK, #write);                                           \
        bytes.size = writer.size;                                                          \
        return bytes;                                                                      \
    } while (0)

struct statements_bytes statements_release_payload(const struct moult_release *release)
{
    PAYLOAD_OF(moult_release_write, release);
}

struct statements_bytes statements_assignment_payload(const struct moult_assignment *order)
{
    PAYLOAD_OF(moult_assignment_write, order);
}

struct statements_bytes statements_keyset_payload(const struct moult_keyset *keyset)
{
    PAYLOAD_OF(moult_keyset_write, keyset);
}

struct statements_bytes
statements_endpoints_payload(const struct moult_endpoints *endpoints)
{
    PAYLOAD_OF(moult_endpoints_write, endpoints);
}

/* --- signing --- */

struct statements_bytes statements_sign(const struct statements_fleet *fleet,
                                        struct statements_bytes payload, unsigned keys)
{
    const struct keys_signer *signers[STATEMENTS_KEYS];
    unsigned count = 0;
    for (unsigned i = 0; i < STATEMENTS_KEYS; i++) {
        if (keys >> i & 1) { signers[count++] = &fleet->signers[i]; }
    }
    struct statements_bytes out;
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, out.data, sizeof out.data);
    /* a keyset has the largest limit: oversize ones of other kinds can be made too */
    must(keys_sign_statement(&fleet->crypto, MOULT_STATEMENT_KEYSET,
                             statements_view(&payload), signers, count,
                             &writer) == MOULT_OK,
         "signing");
    out.size = writer.size;
    return out;
}

struct statements_bytes statements_signed_release(const struct statements_fleet *fleet,
                                                  const struct moult_release *release)
{
    unsigned threshold = fleet->keyset.roles.of[MOULT_ROLE_RELEASE].threshold;
    unsigned keys = threshold == 1 ? 1u : 3u;
    return statements_sign(fleet, statements_release_payload(release),
                           keys << STATEMENTS_RELEASE);
}

struct statements_bytes statements_signed_assignment(const struct statements_fleet *fleet,
                                                     const struct moult_assignment *order)
{
    return statements_sign(fleet, statements_assignment_payload(order),
                           1u << STATEMENTS_ASSIGN);
}

void statements_payload_digest(const struct statements_fleet *fleet,
                               const struct statements_bytes *envelope, uint8_t out[32])
{
    struct moult_cose cose;
    must(moult_cose_parse(MOULT_STATEMENT_RELEASE, statements_view(envelope), &cose,
                          NULL) == MOULT_OK,
         "envelope");
    must(moult_sha256_once(&fleet->crypto, cose.payload.data, cose.payload.size, out) ==
             MOULT_OK,
         "hash");
}
