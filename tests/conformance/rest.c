/* rest.c - promises of crypto, entropy, log and clock; how long flash and store take. */
#include <stdio.h>
#include "tests/conformance/promise.h"

enum {
    DRAW = 2048,
    READS = 10000,
    SLOW_TRIES = 3, /* a busy machine may delay a call, but not three times */
    WAIT_MS_MAX = 2000,
};

/* --- Crypto: fixed vectors, also on a chip. A host tries more: host/host.c. --- */

/* P-256: the base point as public key (private key 1), nonce 2; RFC 6979 gives neither, any
 * library verifies both. Signature over the digest below. */
static const uint8_t key[64] = {
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63,
    0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1,
    0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f,
    0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57,
    0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
};
static const uint8_t signed_digest[32] = {
    0xd7, 0x5c, 0xca, 0x6d, 0xdb, 0xf5, 0xd4, 0x48, 0x7c, 0x32, 0x24,
    0x3c, 0xf2, 0xb5, 0xc3, 0xe5, 0xb3, 0x90, 0xd9, 0xb8, 0x3b, 0xa4,
    0xe9, 0xf0, 0xbd, 0xd8, 0x1e, 0x8a, 0x94, 0xa4, 0x65, 0xdc,
};
static const uint8_t good_signature[64] = {
    0x7c, 0xf2, 0x7b, 0x18, 0x8d, 0x03, 0x4f, 0x7e, 0x8a, 0x52, 0x38, 0x03, 0x04,
    0xb5, 0x1a, 0xc3, 0xc0, 0x89, 0x69, 0xe2, 0x77, 0xf2, 0x1b, 0x35, 0xa6, 0x0b,
    0x48, 0xfc, 0x47, 0x66, 0x99, 0x78, 0xaa, 0x27, 0xa2, 0xc3, 0x34, 0x7c, 0x91,
    0xe3, 0x83, 0x42, 0x2e, 0x1f, 0xfb, 0xb5, 0x6f, 0x54, 0xba, 0x0d, 0x21, 0xcd,
    0x59, 0xcb, 0x82, 0x93, 0x31, 0xf1, 0xb3, 0xc3, 0x6e, 0x05, 0x7f, 0xaa,
};
static const uint8_t order[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
    0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};
static const uint8_t sha256_of_abc[32] = {
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
    0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
    0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};

static enum conform_verdict hash(struct conform *c)
{
    const struct moult_crypto *k = c->real->crypto;
    struct moult_sha256 running, clone;
    uint8_t one[32], two[32];
    EXPECT(k->sha256_init(k->context, &running), "sha256_init", "false");
    EXPECT(k->sha256_update(k->context, &running, (const uint8_t *)"ab", 2),
           "sha256_update", "false");
    EXPECT(k->sha256_clone(k->context, &running, &clone), "sha256_clone", "false");
    EXPECT(k->sha256_update(k->context, &running, (const uint8_t *)"x", 1), "sha256_update",
           "false");
    EXPECT(k->sha256_update(k->context, &clone, (const uint8_t *)"c", 1), "sha256_update",
           "false");
    EXPECT(k->sha256_final(k->context, &running, one), "sha256_final", "false");
    EXPECT(k->sha256_final(k->context, &clone, two), "sha256_final", "false");
    EXPECT_BYTES(two, sha256_of_abc, 32, "SHA-256 of \"abc\", half of it cloned");
    EXPECT(memcmp(one, two, 32) != 0, "another digest of what was cloned", "the same");
    k->sha256_abort(k->context, &running); /* an ended one: harmless */
    memset(&clone, 0, sizeof clone);
    k->sha256_abort(k->context, &clone); /* a zeroed one likewise */
    return CONFORM_KEPT;
}

static bool verifies(struct conform *c, const uint8_t signature[64])
{
    const struct moult_crypto *k = c->real->crypto;
    return k->verify_p256(k->context, key, signed_digest, signature);
}

static enum conform_verdict signature(struct conform *c)
{
    uint8_t bad[64];
    EXPECT(verifies(c, good_signature), "a good signature accepted", "it refused");
    for (size_t i = 0; i < 64; i += 9) {
        memcpy(bad, good_signature, 64);
        bad[i] = (uint8_t)(bad[i] ^ 0x40u);
        EXPECT(!verifies(c, bad), "a signature with a flipped bit refused", "it accepted");
    }
    for (size_t half = 0; half < 64; half += 32) {
        memcpy(bad, good_signature, 64);
        memset(bad + half, 0, 32);
        EXPECT(!verifies(c, bad), "r and s of 0 refused", "one accepted");
        memcpy(bad + half, order, 32);
        EXPECT(!verifies(c, bad), "r and s of n refused", "one accepted");
    }
    return CONFORM_KEPT;
}

/* --- Entropy -------------------------------------------------------------------------- */

static enum conform_verdict random_is_live(struct conform *c)
{
    size_t size = 0;
    NEEDS(c->port.random, "random is NULL: the port is half of one");
    EXPECT(c->port.random(c->port.context, c->a, DRAW), "random bytes", "false");
    EXPECT(c->port.random(c->port.context, c->b, DRAW), "random bytes", "false");
    EXPECT(memcmp(c->a, c->b, 16) != 0, "other bytes in the second draw", "the same");
    uint32_t ones = 0;
    for (size_t i = 0; i < DRAW; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            ones += (uint32_t)c->a[i] >> bit & 1u;
        }
    }
    EXPECT(ones > DRAW * 4u - 640u && ones < DRAW * 4u + 640u, /* ten standard deviations */
           "about as many ones as zeros", "another share");
    if (c->phase == 0) {
        EXPECT_EQUAL(c->port.kv_set(c->port.context, "drawn", c->a, 32), 0, "kv_set");
        return CONFORM_RESTART;
    }
    EXPECT_EQUAL(c->port.kv_get(c->port.context, "drawn", c->b, 32, &size), 0, "kv_get");
    EXPECT(memcmp(c->a, c->b, 32) != 0, "other bytes after a reset", "the same");
    return CONFORM_KEPT;
}

/* --- Log ------------------------------------------------------------------------------ */

static const char marker[] = "conform-secret-4711";

/* Whether `text`, or its hexadecimal form, is in what was logged. */
static bool was_logged(struct conform *c, const char *text)
{
    const struct conform_fixture *f = c->fixture;
    static const char digits[] = "0123456789abcdef";
    char hex[2 * 64 + 1];
    size_t length = strlen(text) < 64 ? strlen(text) : 64, at = 0;
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = digits[(unsigned char)text[i] >> 4];
        hex[2 * i + 1] = digits[(unsigned char)text[i] & 15u];
    }
    hex[2 * length] = 0;
    for (;;) { /* windows overlap, so that nothing hides on a boundary */
        size_t got = f->logged(f->context, at, (char *)c->b, sizeof c->b - 1);
        c->b[got] = 0;
        for (size_t i = 0; i < got; i++) {
            if (c->b[i] == 0) { c->b[i] = ' '; }
        }
        if (strstr((char *)c->b, text) || strstr((char *)c->b, hex)) { return true; }
        if (got < sizeof c->b - 1) { return false; }
        at += got - 256;
    }
}

/* Everything that is secret goes through the port, then every level is logged. */
static void pass_secrets(struct conform *c)
{
    const struct moult_port *port = c->real;
    size_t size = 0;
    (void)port->kv_set(port->context, "secret", (const uint8_t *)marker,
                       sizeof marker); /* the log is what counts */
    (void)port->kv_get(port->context, "secret", c->b, sizeof c->b, &size); /* likewise */
    if (c->fixture->origin && port->http_start) {
        struct moult_http_request request = {
            .method = MOULT_HTTP_POST,
            .base = "https://127.0.0.1:1",
            .path = "/x",
            .content_type = "text/plain",
            .body = {(const uint8_t *)marker, sizeof marker - 1},
            .timeout_ms = 100};
        if (port->http_start(port->context, &request) == 0) {
            port->http_cancel(port->context);
        }
    }
    for (int level = MOULT_LOG_ERROR; level <= MOULT_LOG_DEBUG; level++) {
        for (uint32_t id = 1; id < 65536; id += 4369) { /* known and unknown ones, 0xffff */
            port->log(port->context, (enum moult_log_level)level, (uint16_t)id, id,
                      UINT32_MAX);
        }
    }
}

static enum conform_verdict log_is_silent_about_secrets(struct conform *c)
{
    NEEDS(c->real->log, "log is NULL");
    pass_secrets(c);
    NEEDS(c->fixture->logged, "the fixture cannot read what was logged");
    EXPECT(!was_logged(c, marker), "no blob and no request in the log", "one");
    EXPECT(!c->fixture->secret || !was_logged(c, c->fixture->secret),
           "no key of the device in the log", "one");
    return CONFORM_KEPT;
}

/* --- Time ----------------------------------------------------------------------------- */

static enum conform_verdict clock_goes_forward(struct conform *c)
{
    const struct conform_fixture *f = c->fixture;
    uint64_t begin = f->now_ms(f->context), last = begin;
    for (uint32_t i = 0; i < READS; i++) {
        uint64_t now = f->now_ms(f->context);
        if (now < last) {
            return conform_broken(c,
                                  "expected a clock that never goes back, found it %u ms "
                                  "earlier",
                                  (unsigned)(last - now));
        }
        last = now;
    }
    for (uint32_t i = 0; i < 1000000 && last == begin; i++) {
        if (f->idle) { f->idle(f->context); }
        last = f->now_ms(f->context);
    }
    EXPECT(last > begin, "a clock that advances", "it standing");
    return CONFORM_KEPT;
}

/* What the engine does in one step. */
static bool use_flash_and_store(struct conform *c, uint32_t slot, uint32_t round)
{
    bool is_erased;
    if (!conform_write_sector(c, slot, round % 4 * MOULT_SECTOR_SIZE, round)) {
        return false;
    }
    for (uint32_t i = 0; i < 4; i++) { /* enough for a store to tidy up now and then */
        conform_fill(c->a, MOULT_KV_BLOB_MAX, round + i);
        int32_t result =
            c->port.kv_set(c->port.context, "busy", c->a, MOULT_KV_BLOB_MAX - i);
        if (!conform_equal(c, result, 0, "the result of kv_set")) { return false; }
    }
    int32_t result =
        c->port.flash_is_erased(c->port.context, slot, 0, MOULT_SECTOR_SIZE, &is_erased);
    return conform_equal(c, result, 0, "the result of flash_is_erased");
}

static enum conform_verdict never_blocks(struct conform *c)
{
    uint32_t most =
        c->fixture->erase_ms_max ? c->fixture->erase_ms_max : CONFORM_ERASE_MS_MAX;
    uint32_t slot, running, least = UINT32_MAX;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    for (uint32_t try = 0; try < SLOW_TRIES && least > most; try++) {
        c->longest_ms = 0;
        for (uint32_t round = 0; round < 8; round++) {
            EXPECT_DONE(use_flash_and_store(c, slot, 8 * try + round));
        }
        if (c->longest_ms < least) { least = c->longest_ms; }
    }
    if (least <= most) { return CONFORM_KEPT; }
    return conform_broken(c, "expected calls of at most %u ms, found %s to take %u",
                          (unsigned)most, c->longest, (unsigned)least);
}

const struct conform_promise conform_rest[] = {
    {"crypto.hash-vectors", hash},
    {"crypto.signature-vectors", signature},
    {"random.live", random_is_live},
    {"log.no-secret", log_is_silent_about_secrets},
    {"time.clock-never-goes-back", clock_goes_forward},
    {"time.never-blocks", never_blocks},
    {NULL, NULL},
};
