/* statement_read.c - see statement_read.h. */
#include "formats/statement_read.h"

enum { KEY_TYPE = 1, KEY_FORMAT = 2 };

/* Reads one entry of an opened map. False, with the finding set, unless it is {key: want}.
 * */
static bool entry_is(struct moult_cbor_reader *reader, uint64_t key, uint32_t want,
                     struct moult_finding *finding)
{
    *finding = (struct moult_finding){
        .where = (uint32_t)(reader->at - reader->start),
        .expected = want,
    };
    (void)moult_cbor_read_u64(reader, key, key); /* a mistake stays in the status */
    uint64_t found = moult_cbor_read_u64(reader, 0, UINT64_MAX);
    finding->found = found > UINT32_MAX ? UINT32_MAX : (uint32_t)found;
    return reader->status == MOULT_OK && found == want;
}

/* The first two entries. */
static enum moult_status check_kind(enum moult_statement kind, struct moult_bytes payload,
                                    struct moult_finding *finding)
{
    const struct moult_statement_codes *codes = moult_statement_codes(kind);
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, payload);
    (void)moult_cbor_read_map(&reader, 1, MOULT_CBOR_ENTRIES_MAX); /* its failure stays */
    if (!entry_is(&reader, KEY_TYPE, kind, finding)) {
        finding->detail = codes->type;
        return MOULT_E_FORMAT;
    }
    if (!entry_is(&reader, KEY_FORMAT, MOULT_STATEMENT_FORMAT, finding)) {
        finding->detail = codes->format;
        return MOULT_E_UNSUPPORTED;
    }
    return moult_accept(finding);
}

static enum moult_status read_fields(enum moult_statement kind, struct moult_bytes payload,
                                     const struct moult_map *map, void *record,
                                     struct moult_finding *finding)
{
    const struct moult_statement_codes *codes = moult_statement_codes(kind);
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, payload);
    moult_record_read(&reader, map, record);
    if (reader.status == MOULT_OK) { return MOULT_OK; }
    bool is_unknown = reader.status == MOULT_E_UNSUPPORTED;
    finding->detail = is_unknown ? codes->unknown : codes->field;
    finding->where = (uint32_t)moult_cbor_fault(&reader);
    return is_unknown ? MOULT_E_UNSUPPORTED : MOULT_E_FORMAT;
}

enum moult_status moult_statement_read(enum moult_statement kind,
                                       struct moult_bytes payload,
                                       const struct moult_map *map, void *record,
                                       struct moult_finding *finding)
{
    struct moult_finding unwanted;
    if (!finding) { finding = &unwanted; }
    enum moult_status st = check_kind(kind, payload, finding);
    return st == MOULT_OK ? read_fields(kind, payload, map, record, finding) : st;
}
