/* cose.c - see cose.h. */
#include "formats/cose.h"
#include <assert.h>
#include <string.h>

/* tag 98, array(4), empty body header (bytes), empty unprotected header */
static const uint8_t shape[] = {0xd8, 0x62, 0x84, 0x40, 0xa0};

enum {
    SIGNATURE_PROTECTED = 2, /* offsets in the 82 bytes of a signature */
    SIGNATURE_ALG = 4,
    SIGNATURE_KID = 7,
    SIGNATURE_BYTES = 18,
    ALG_ESP256 = 0x28, /* -9 */
    ALG_ES256 = 0x26,  /* -7 */
};
_Static_assert(SIGNATURE_BYTES + MOULT_SIGNATURE_SIZE == MOULT_COSE_SIGNATURE_SIZE,
               "layout");
_Static_assert(SIGNATURE_KID + MOULT_KID_SIZE ==
                   SIGNATURE_PROTECTED + MOULT_COSE_PROTECTED_SIZE,
               "layout");

/* --- reading --- */

/* 83 4d a2 01 alg 04 48 <kid> a0 58 40 <r || s> */
static bool is_signature(const uint8_t *at)
{
    static const uint8_t head[] = {0x83, 0x4d, 0xa2, 0x01};
    static const uint8_t kid_head[] = {0x04, 0x48};
    static const uint8_t tail[] = {0xa0, 0x58, 0x40};
    uint8_t alg = at[SIGNATURE_ALG];
    return memcmp(at, head, sizeof head) == 0 && (alg == ALG_ESP256 || alg == ALG_ES256) &&
           memcmp(at + SIGNATURE_ALG + 1, kid_head, sizeof kid_head) == 0 &&
           memcmp(at + SIGNATURE_KID + MOULT_KID_SIZE, tail, sizeof tail) == 0;
}

/* Takes the signatures; NULL when all is well, else where it is not. */
static const uint8_t *read_signatures(struct moult_cbor_reader *reader,
                                      struct moult_cose *out)
{
    const uint8_t *start = reader->at;
    uint32_t count = moult_cbor_read_array(reader, 1, MOULT_COSE_SIGNATURES_MAX);
    if (reader->status != MOULT_OK) { return start; }
    out->count = (uint8_t)count;
    out->signatures = reader->at;
    const uint8_t *at = reader->at;
    for (uint32_t i = 0; i < count; i++) {
        if ((size_t)(reader->end - at) < MOULT_COSE_SIGNATURE_SIZE) { return at; }
        if (!is_signature(at)) { return at; }
        const uint8_t *kid = at + SIGNATURE_KID;
        bool ascends =
            i == 0 || memcmp(kid - MOULT_COSE_SIGNATURE_SIZE, kid, MOULT_KID_SIZE) < 0;
        if (!ascends) { return kid; }
        at += MOULT_COSE_SIGNATURE_SIZE;
    }
    return at == reader->end ? NULL : at;
}

static enum moult_status misshapen(struct moult_finding *finding, uint16_t detail,
                                   size_t where)
{
    (void)moult_refuse(finding, MOULT_E_FORMAT, detail, 0, 0); /* its status is ours */
    if (finding) { finding->where = (uint32_t)where; }
    return MOULT_E_FORMAT;
}

static enum moult_status oversize(struct moult_finding *finding, uint16_t detail,
                                  size_t want, size_t have)
{
    uint32_t found = have > UINT32_MAX ? UINT32_MAX : (uint32_t)have;
    return moult_refuse(finding, MOULT_E_RANGE, detail, (uint32_t)want, found);
}

/* Profile of `part`, which lies `offset` bytes into the envelope. */
static enum moult_status check_profile(struct moult_bytes part, enum moult_cbor_place place,
                                       size_t offset,
                                       const struct moult_statement_codes *codes,
                                       struct moult_finding *finding)
{
    size_t where;
    enum moult_status st = moult_cbor_check(part, place, &where);
    if (st == MOULT_E_FORMAT) { return misshapen(finding, codes->cbor, offset + where); }
    if (st == MOULT_OK) { return st; }
    return oversize(finding, codes->size, offset + where, offset + part.size);
}

enum moult_status moult_cose_parse(enum moult_statement kind, struct moult_bytes envelope,
                                   struct moult_cose *out, struct moult_finding *finding)
{
    const struct moult_statement_codes *codes = moult_statement_codes(kind);
    if (!codes) { return moult_refuse(finding, MOULT_E_ARG, MOULT_D_NONE, 0, 0); }
    size_t limit = moult_statement_size_max(kind);
    if (envelope.size > limit) {
        return oversize(finding, codes->size, limit, envelope.size);
    }
    enum moult_status st = check_profile(envelope, MOULT_CBOR_ENVELOPE, 0, codes, finding);
    if (st != MOULT_OK) { return st; }

    struct moult_cose cose = {.kind = kind};
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, envelope);
    if (envelope.size < sizeof shape || memcmp(envelope.data, shape, sizeof shape) != 0) {
        return misshapen(finding, codes->cose, 0);
    }
    reader.at += sizeof shape;
    cose.payload = moult_cbor_read_bytes(&reader, 0, limit);
    if (reader.status != MOULT_OK) { return misshapen(finding, codes->cose, sizeof shape); }
    st = check_profile(cose.payload,
                       kind == MOULT_STATEMENT_KEYSET ? MOULT_CBOR_KEYSET_PAYLOAD
                                                      : MOULT_CBOR_PAYLOAD,
                       (size_t)(cose.payload.data - envelope.data), codes, finding);
    if (st != MOULT_OK) { return st; }
    const uint8_t *bad = read_signatures(&reader, &cose);
    if (bad) { return misshapen(finding, codes->cose, (size_t)(bad - envelope.data)); }
    *out = cose;
    return moult_accept(finding);
}

static const uint8_t *signature_at(const struct moult_cose *cose, unsigned index)
{
    assert(index < cose->count);
    return cose->signatures + (size_t)index * MOULT_COSE_SIGNATURE_SIZE;
}

const uint8_t *moult_cose_kid(const struct moult_cose *cose, unsigned index)
{
    return signature_at(cose, index) + SIGNATURE_KID;
}

const uint8_t *moult_cose_signature_bytes(const struct moult_cose *cose, unsigned index)
{
    return signature_at(cose, index) + SIGNATURE_BYTES;
}

int moult_cose_alg(const struct moult_cose *cose, unsigned index)
{
    bool new_number = signature_at(cose, index)[SIGNATURE_ALG] == ALG_ESP256;
    return new_number ? MOULT_CBOR_ESP256 : MOULT_CBOR_ES256;
}

/* --- to be signed --- */

/* 13 bytes: a2 01 alg 04 48 <kid> */
static void write_protected(struct moult_cbor_writer *writer, const uint8_t *kid, int alg)
{
    moult_cbor_write_map(writer, 2);
    moult_cbor_write_u64(writer, 1);
    moult_cbor_write_alg(writer, alg);
    moult_cbor_write_u64(writer, 4);
    moult_cbor_write_bytes(writer, kid, MOULT_KID_SIZE);
}

enum { TBS_PREFIX_MAX = 36 }; /* everything before the bytes of the payload */

static struct moult_bytes tbs_prefix(uint8_t buffer[TBS_PREFIX_MAX],
                                     struct moult_bytes protected, size_t payload_size)
{
    static const struct moult_bytes context = {(const uint8_t *)"Signature", 9};
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, buffer, TBS_PREFIX_MAX);
    moult_cbor_write_array(&writer, 5);
    moult_cbor_write_text(&writer, context);
    moult_cbor_write_bytes(&writer, NULL, 0); /* body header */
    moult_cbor_write_bytes(&writer, protected.data, protected.size);
    moult_cbor_write_bytes(&writer, NULL, 0); /* external data */
    moult_cbor_write_bytes_head(&writer, payload_size);
    assert(writer.status == MOULT_OK);
    return moult_cbor_written(&writer);
}

enum moult_status moult_cose_sig_structure_digest(const struct moult_crypto *crypto,
                                                  struct moult_bytes protected,
                                                  struct moult_bytes payload,
                                                  uint8_t out[MOULT_SHA256_SIZE])
{
    uint8_t buffer[TBS_PREFIX_MAX];
    assert(protected.size <= MOULT_COSE_PROTECTED_SIZE);
    struct moult_bytes prefix = tbs_prefix(buffer, protected, payload.size);
    struct moult_sha256 hash = {0};
    if (crypto->sha256_init(crypto->context, &hash) &&
        crypto->sha256_update(crypto->context, &hash, prefix.data, prefix.size) &&
        crypto->sha256_update(crypto->context, &hash, payload.data, payload.size) &&
        crypto->sha256_final(crypto->context, &hash, out)) {
        return MOULT_OK;
    }
    crypto->sha256_abort(crypto->context, &hash);
    memset(out, 0, MOULT_SHA256_SIZE);
    return MOULT_E_INTERNAL;
}

enum moult_status moult_cose_tbs_digest(const struct moult_crypto *crypto,
                                        const uint8_t kid[MOULT_KID_SIZE], int alg,
                                        struct moult_bytes payload,
                                        uint8_t out[MOULT_SHA256_SIZE])
{
    uint8_t header[MOULT_COSE_PROTECTED_SIZE];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, header, sizeof header);
    write_protected(&writer, kid, alg);
    return moult_cose_sig_structure_digest(crypto, moult_cbor_written(&writer), payload,
                                           out);
}

bool moult_cose_signed_by(const struct moult_crypto *crypto, const struct moult_cose *cose,
                          unsigned index, const uint8_t public_key[MOULT_PUBKEY_SIZE])
{
    uint8_t digest[MOULT_SHA256_SIZE];
    struct moult_bytes protected = {signature_at(cose, index) + SIGNATURE_PROTECTED,
                                    MOULT_COSE_PROTECTED_SIZE};
    enum moult_status st =
        moult_cose_sig_structure_digest(crypto, protected, cose->payload, digest);
    return st == MOULT_OK && crypto->verify_p256(crypto->context, public_key, digest,
                                                 moult_cose_signature_bytes(cose, index));
}

/* --- writing --- */

/* Insertion sort; six at most. False when two kids are equal. */
static bool sort_by_kid(struct moult_cose_signature *signatures, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct moult_cose_signature moved = signatures[i];
        unsigned to = i;
        while (to > 0 && memcmp(signatures[to - 1].kid, moved.kid, MOULT_KID_SIZE) > 0) {
            signatures[to] = signatures[to - 1];
            to--;
        }
        signatures[to] = moved;
    }
    for (unsigned i = 1; i < count; i++) {
        if (memcmp(signatures[i - 1].kid, signatures[i].kid, MOULT_KID_SIZE) == 0) {
            return false;
        }
    }
    return true;
}

static void write_signature(struct moult_cbor_writer *writer,
                            const struct moult_cose_signature *signature)
{
    moult_cbor_write_array(writer, 3);
    moult_cbor_write_bytes_head(writer, MOULT_COSE_PROTECTED_SIZE);
    write_protected(writer, signature->kid,
                    signature->alg ? signature->alg : MOULT_CBOR_ESP256);
    moult_cbor_write_map(writer, 0);
    moult_cbor_write_bytes(writer, signature->bytes, MOULT_SIGNATURE_SIZE);
}

enum moult_status moult_cose_compose(enum moult_statement kind, struct moult_bytes payload,
                                     struct moult_cose_signature *signatures,
                                     unsigned count, struct moult_cbor_writer *out)
{
    if (count < 1 || count > MOULT_COSE_SIGNATURES_MAX) { return MOULT_E_ARG; }
    if (!sort_by_kid(signatures, count)) { return MOULT_E_EXISTS; }
    size_t before = out->size;
    moult_cbor_write_raw(out, (struct moult_bytes){shape, sizeof shape});
    moult_cbor_write_bytes(out, payload.data, payload.size);
    moult_cbor_write_array(out, count);
    for (unsigned i = 0; i < count; i++) {
        write_signature(out, &signatures[i]);
    }
    if (out->status != MOULT_OK) { return out->status; }
    if (out->size - before <= moult_statement_size_max(kind)) { return MOULT_OK; }
    out->size = before;
    return MOULT_E_RANGE;
}

unsigned moult_cose_signatures(const struct moult_cose *cose,
                               struct moult_cose_signature out[MOULT_COSE_SIGNATURES_MAX])
{
    for (unsigned i = 0; i < cose->count; i++) {
        memcpy(out[i].kid, moult_cose_kid(cose, i), MOULT_KID_SIZE);
        memcpy(out[i].bytes, moult_cose_signature_bytes(cose, i), MOULT_SIGNATURE_SIZE);
        out[i].alg = (int8_t)moult_cose_alg(cose, i);
    }
    return cose->count;
}
