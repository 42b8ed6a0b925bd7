/* statement_read.c - see statement_read.h. */
#include "formats/statement_read.h"
#include <assert.h>

enum { KEY_TYPE = 1, KEY_FORMAT = 2 };

/* Reads one entry of an opened map. False unless it is {key: want}. */
static bool entry_is(struct moult_cbor_reader *reader, uint64_t key, uint64_t want,
                     struct moult_finding *bad)
{
    bad->where = (uint32_t)(reader->at - reader->start);
    bad->expected = (uint32_t)want;
    uint64_t found_key = moult_cbor_read_u64(reader, key, key);
    uint64_t found = moult_cbor_read_u64(reader, 0, UINT64_MAX);
    bad->found = found > UINT32_MAX ? UINT32_MAX : (uint32_t)found;
    return reader->status == MOULT_OK && found_key == key && found == want;
}

enum moult_status moult_statement_read(enum moult_statement kind,
                                       struct moult_bytes payload,
                                       const struct moult_map *map, void *record,
                                       struct moult_finding *finding)
{
    const struct moult_statement_codes *codes = moult_statement_codes(kind);
    assert(codes);
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, payload);
    (void)moult_cbor_read_map(&reader, 1, MOULT_CBOR_ENTRIES_MAX); /* its failure stays */
    struct moult_finding bad = {0};
    bad.detail = codes->type;
    if (!entry_is(&reader, KEY_TYPE, kind, &bad)) {
        return moult_found(finding, MOULT_E_FORMAT, bad);
    }
    bad.detail = codes->format;
    if (!entry_is(&reader, KEY_FORMAT, MOULT_STATEMENT_FORMAT, &bad)) {
        return moult_found(finding, MOULT_E_UNSUPPORTED, bad);
    }
    moult_cbor_reader_init(&reader, payload);
    moult_record_read(&reader, map, record);
    if (reader.status == MOULT_OK) {
        return moult_found(finding, MOULT_OK, (struct moult_finding){0});
    }
    if (reader.status != MOULT_E_UNSUPPORTED) {
        return moult_statement_bad_field(kind, payload, reader.fault, finding);
    }
    bad = (struct moult_finding){.detail = codes->unknown};
    bad.where = (uint32_t)moult_cbor_fault(&reader);
    bad.found = reader.fault[0]; /* a key below 24; above, its head */
    return moult_found(finding, MOULT_E_UNSUPPORTED, bad);
}

enum moult_status moult_statement_bad_field(enum moult_statement kind,
                                            struct moult_bytes payload, const uint8_t *at,
                                            struct moult_finding *finding)
{
    return moult_found(finding, MOULT_E_FORMAT,
                       (struct moult_finding){
                           .detail = moult_statement_codes(kind)->field,
                           .where = at ? (uint32_t)(at - payload.data) : 0,
                       });
}
