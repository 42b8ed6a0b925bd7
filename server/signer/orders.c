/* orders.c - see orders.h. */
#include "server/signer/orders.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "formats/assignment.h"
#include "formats/codes.h"
#include "formats/release.h"
#include "keys/key_file.h"
#include "keys/openssl_crypto.h"
#include "server/signer/durable.h"

MOULT_PRINTF(4, 5)
static enum moult_status refuse(struct orders_refusal *refusal, enum moult_status status,
                                uint16_t detail, const char *format, ...)
{
    va_list arguments;
    refusal->detail = detail;
    va_start(arguments, format);
    vsnprintf(refusal->text, sizeof refusal->text, format, arguments);
    va_end(arguments);
    return status;
}

/* Exactly one role, and that one is assign. */
static enum moult_status check_role(const struct keys_signer *key,
                                    const struct moult_keyset *keyset,
                                    struct orders_refusal *refusal)
{
    char kid[2 * MOULT_KID_SIZE + 1];
    moult_hex_encode(key->kid, MOULT_KID_SIZE, kid);
    const uint8_t *known = moult_keyset_key(keyset, MOULT_ROLE_ASSIGN, key->kid);
    if (!known || memcmp(known, key->public_key, MOULT_PUBKEY_SIZE) != 0) {
        return refuse(refusal, MOULT_E_REFUSED, MOULT_D_KEY_ROLE,
                      "key %s is not an assign key of keyset version %" PRIu32, kid,
                      keyset->version);
    }
    if (moult_keyset_key(keyset, MOULT_ROLE_ROOT, key->kid) ||
        moult_keyset_key(keyset, MOULT_ROLE_RELEASE, key->kid)) {
        return refuse(refusal, MOULT_E_REFUSED, MOULT_D_KEY_ROLE,
                      "key %s is in another role too: one key, one role", kid);
    }
    return MOULT_OK;
}

static enum moult_status load_keyset(struct orders *orders, const char *path,
                                     struct orders_refusal *refusal)
{
    enum moult_status st = durable_read(path, orders->keyset_bytes,
                                        sizeof orders->keyset_bytes, &orders->keyset_size);
    if (st != MOULT_OK) {
        return refuse(refusal, st, MOULT_D_CONF_KEYSET, "keyset %s cannot be read (%s)",
                      path, moult_status_name(st));
    }
    struct moult_bytes envelope = {orders->keyset_bytes, orders->keyset_size};
    struct moult_finding finding = {0};
    st = moult_keyset_verify_first(&orders->crypto, envelope, NULL, &orders->keyset,
                                   &finding);
    if (st != MOULT_OK) {
        return refuse(refusal, st, finding.detail,
                      "keyset %s is not valid: E%04u at byte %" PRIu32, path,
                      (unsigned)finding.detail, finding.where);
    }
    return MOULT_OK;
}

/* The adopted keyset in the data folder goes before the one of the configuration. */
static enum moult_status open_keyset(struct orders *orders,
                                     const struct orders_options *options,
                                     struct orders_refusal *refusal)
{
    int n = snprintf(orders->keyset_path, sizeof orders->keyset_path, "%s/keyset.cbor",
                     options->data_folder);
    if (n < 0 || n >= (int)sizeof orders->keyset_path) {
        return refuse(refusal, MOULT_E_RANGE, MOULT_D_CONF_DATA,
                      "data folder: path too long");
    }
    uint8_t probe[1];
    size_t size = 0;
    bool is_adopted =
        durable_read(orders->keyset_path, probe, sizeof probe, &size) != MOULT_E_NOENT;
    enum moult_status st = load_keyset(
        orders, is_adopted ? orders->keyset_path : options->keyset_path, refusal);
    return st == MOULT_OK ? check_role(&orders->key, &orders->keyset, refusal) : st;
}

static enum moult_status open_files(struct orders *orders,
                                    const struct orders_options *options,
                                    struct orders_refusal *refusal)
{
    char path[ORDERS_PATH_MAX];
    snprintf(path, sizeof path, "%s/counter.bound", options->data_folder);
    enum moult_status st = counters_open(&orders->counters, path, &options->rate);
    if (st != MOULT_OK) {
        return refuse(refusal, st, MOULT_D_CONF_DATA, "%s cannot be used (%s)", path,
                      moult_status_name(st));
    }
    snprintf(path, sizeof path, "%s/releases.list", options->data_folder);
    st = release_list_open(&orders->releases, path);
    if (st != MOULT_OK) {
        counters_close(&orders->counters);
        return refuse(refusal, st, MOULT_D_CONF_DATA, "%s cannot be used (%s)", path,
                      moult_status_name(st));
    }
    return MOULT_OK;
}

enum moult_status orders_open(struct orders *orders, const struct orders_options *options,
                              struct orders_refusal *refusal)
{
    memset(orders, 0, sizeof *orders);
    orders->crypto = keys_openssl_crypto();
    struct keys_error error = {0};
    enum moult_status st = keys_file_open(options->key_path, &orders->key, &error);
    if (st != MOULT_OK) {
        return refuse(refusal, st, error.detail, "key %s: expected %s, found %s",
                      options->key_path, error.expected, error.found);
    }
    st = open_keyset(orders, options, refusal);
    if (st == MOULT_OK) { st = open_files(orders, options, refusal); }
    if (st != MOULT_OK) { keys_signer_close(&orders->key); }
    return st;
}

void orders_close(struct orders *orders)
{
    release_list_close(&orders->releases);
    counters_close(&orders->counters);
    keys_signer_close(&orders->key);
}

/* One meaning, one spelling: what is signed must be what our writer writes. */
static bool is_canonical(const struct moult_assignment *order, struct moult_bytes payload)
{
    uint8_t again[MOULT_STATEMENT_SIZE_MAX];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, again, sizeof again);
    moult_assignment_write(&writer, order);
    return writer.status == MOULT_OK && writer.size == payload.size &&
           memcmp(again, payload.data, payload.size) == 0;
}

static enum moult_status check_content(const struct orders *orders,
                                       struct moult_bytes payload,
                                       struct moult_assignment *order,
                                       struct orders_refusal *refusal)
{
    struct moult_finding finding = {0};
    if (payload.size > MOULT_STATEMENT_SIZE_MAX ||
        moult_cbor_check(payload, MOULT_CBOR_PAYLOAD, NULL) != MOULT_OK ||
        moult_assignment_parse(payload, order, &finding) != MOULT_OK ||
        !is_canonical(order, payload)) {
        return refuse(refusal, MOULT_E_REFUSED, MOULT_D_SIGN_REFUSED_TYPE,
                      "not an order of the profile (E%04u)", (unsigned)finding.detail);
    }
    if (memcmp(order->fleet_id, orders->keyset.fleet_id, 16) != 0) {
        return refuse(refusal, MOULT_E_REFUSED, MOULT_D_SIGN_REFUSED_TYPE,
                      "order of another fleet");
    }
    if (order->action == MOULT_ACTION_INSTALL &&
        !release_list_has(&orders->releases, order->release_digest)) {
        char text[2 * 32 + 1];
        moult_hex_encode(order->release_digest, 32, text);
        return refuse(refusal, MOULT_E_REFUSED, MOULT_D_SIGN_RELEASE,
                      "release %s is not on this signer's list", text);
    }
    if (order->keyset_version > orders->keyset.version) {
        return refuse(refusal, MOULT_E_REFUSED, MOULT_D_SIGN_KEYSET,
                      "expected keyset version up to %" PRIu32 ", found %" PRIu32,
                      orders->keyset.version, order->keyset_version);
    }
    return MOULT_OK;
}

static enum moult_status check_times(const struct moult_assignment *order, uint64_t now_ms,
                                     struct orders_refusal *refusal)
{
    uint32_t ttl_max = order->nonce ? ORDERS_TTL_NONCE_MAX_S : ORDERS_TTL_OFFLINE_MAX_S;
    if (order->ttl_s > ttl_max) {
        return refuse(refusal, MOULT_E_REFUSED, MOULT_D_SIGN_TTL,
                      "expected at most %" PRIu32 " s, found %" PRIu32, ttl_max,
                      order->ttl_s);
    }
    uint64_t now_s = now_ms / 1000u;
    uint64_t apart = order->iat_s > now_s ? order->iat_s - now_s : now_s - order->iat_s;
    if (apart > ORDERS_CLOCK_SKEW_MAX_S) {
        return refuse(refusal, MOULT_E_REFUSED, MOULT_D_SIGN_CLOCK,
                      "signer's clock %" PRIu64 ", order says %" PRIu64, now_s,
                      order->iat_s);
    }
    return MOULT_OK;
}

static enum moult_status take_counter(struct orders *orders,
                                      const struct moult_assignment *order, uint64_t now_ms,
                                      struct orders_refusal *refusal)
{
    uint64_t floor = 0;
    enum moult_status st =
        counters_take(&orders->counters, order->device_id, order->counter, now_ms, &floor);
    if (st == MOULT_OK) { return MOULT_OK; }
    if (st == MOULT_E_REPLAY) {
        return refuse(refusal, st, MOULT_D_SIGN_COUNTER,
                      "expected a counter above %" PRIu64 ", found %" PRIu64, floor,
                      order->counter);
    }
    if (st == MOULT_E_BUSY) {
        return refuse(refusal, st, MOULT_D_SIGN_RATE,
                      "over %" PRIu32 " a second, or %" PRIu32 " a minute for this device",
                      orders->counters.rate.global_per_s,
                      orders->counters.rate.device_per_minute);
    }
    return refuse(refusal, st, MOULT_D_API_INTERNAL, "counters: %s", moult_status_name(st));
}

enum moult_status orders_sign(struct orders *orders, struct moult_bytes payload,
                              uint64_t now_ms, struct moult_cbor_writer *out,
                              struct orders_refusal *refusal)
{
    struct moult_assignment order;
    enum moult_status st = check_content(orders, payload, &order, refusal);
    if (st == MOULT_OK) { st = check_times(&order, now_ms, refusal); }
    if (st == MOULT_OK) { st = take_counter(orders, &order, now_ms, refusal); }
    if (st == MOULT_OK) {
        const struct keys_signer *signers[] = {&orders->key};
        st = keys_sign_statement(&orders->crypto, MOULT_STATEMENT_ASSIGNMENT, payload,
                                 signers, 1, out);
        if (st != MOULT_OK) {
            (void)refuse(refusal, st, MOULT_D_API_INTERNAL, "signing failed: %s",
                         moult_status_name(st)); /* st is returned below */
        }
    }
    orders->signed_count += st == MOULT_OK;
    orders->refused_count += st != MOULT_OK;
    return st;
}

enum moult_status orders_add_release(struct orders *orders, struct moult_bytes envelope,
                                     uint8_t digest[32], struct orders_refusal *refusal)
{
    struct moult_release release;
    struct moult_finding finding = {0};
    struct moult_release_expect expect = {.keyset = &orders->keyset};
    enum moult_status st =
        moult_release_verify(&orders->crypto, envelope, &expect, &release, &finding);
    if (st != MOULT_OK) {
        orders->refused_count++;
        return refuse(refusal, st, finding.detail,
                      "release not accepted: E%04u, expected %" PRIu32 ", found %" PRIu32,
                      (unsigned)finding.detail, finding.expected, finding.found);
    }
    struct moult_cose cose;
    st = moult_cose_parse(MOULT_STATEMENT_RELEASE, envelope, &cose, NULL);
    if (st == MOULT_OK) {
        st = moult_sha256_once(&orders->crypto, cose.payload.data, cose.payload.size,
                               digest);
    }
    if (st == MOULT_OK) { st = release_list_add(&orders->releases, digest); }
    if (st != MOULT_OK) {
        return refuse(refusal, st, MOULT_D_CONF_DATA, "%s: %s", orders->releases.path,
                      moult_status_name(st));
    }
    return MOULT_OK;
}

static bool is_current(const struct orders *orders, struct moult_bytes envelope)
{
    return envelope.size == orders->keyset_size &&
           memcmp(envelope.data, orders->keyset_bytes, envelope.size) == 0;
}

enum moult_status orders_adopt_keyset(struct orders *orders, struct moult_bytes envelope,
                                      uint32_t *version, struct orders_refusal *refusal)
{
    *version = orders->keyset.version;
    if (is_current(orders, envelope)) { return MOULT_OK; }

    struct moult_keyset next;
    struct moult_finding finding = {0};
    enum moult_status st = moult_keyset_verify_next(&orders->crypto, envelope,
                                                    &orders->keyset, &next, &finding);
    if (st != MOULT_OK) {
        orders->refused_count++;
        return refuse(refusal, st, finding.detail,
                      "keyset not accepted: E%04u, expected %" PRIu32 ", found %" PRIu32,
                      (unsigned)finding.detail, finding.expected, finding.found);
    }
    st = check_role(&orders->key, &next, refusal);
    if (st != MOULT_OK) { return st; }
    st = durable_replace(orders->keyset_path, envelope.data, envelope.size);
    if (st != MOULT_OK) {
        return refuse(refusal, st, MOULT_D_CONF_DATA, "%s: %s", orders->keyset_path,
                      moult_status_name(st));
    }
    memcpy(orders->keyset_bytes, envelope.data, envelope.size);
    orders->keyset_size = envelope.size;
    struct moult_bytes kept = {orders->keyset_bytes, orders->keyset_size};
    st = moult_keyset_verify_first(&orders->crypto, kept, NULL, &orders->keyset, &finding);
    if (st != MOULT_OK) {
        return refuse(refusal, st, finding.detail, "keyset: reread failed");
    }
    *version = orders->keyset.version;
    return MOULT_OK;
}
