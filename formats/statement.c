/* statement.c - see statement.h. */
#include "formats/statement.h"

size_t moult_statement_size_max(enum moult_statement kind)
{
    return kind == MOULT_STATEMENT_KEYSET ? MOULT_KEYSET_SIZE_MAX
                                          : MOULT_STATEMENT_SIZE_MAX;
}

const struct moult_statement_codes *moult_statement_codes(enum moult_statement kind)
{
    static const struct moult_statement_codes keyset = {
        MOULT_D_KEYSET_SIZE,    MOULT_D_KEYSET_CBOR,  MOULT_D_KEYSET_COSE,
        MOULT_D_KEYSET_SIG_NEW, MOULT_D_KEYSET_TYPE,  MOULT_D_KEYSET_FORMAT,
        MOULT_D_KEYSET_UNKNOWN, MOULT_D_KEYSET_FIELD, MOULT_D_KEYSET_FLEET,
    };
    static const struct moult_statement_codes release = {
        MOULT_D_RELEASE_SIZE,    MOULT_D_RELEASE_CBOR,  MOULT_D_RELEASE_COSE,
        MOULT_D_RELEASE_SIG,     MOULT_D_RELEASE_TYPE,  MOULT_D_RELEASE_FORMAT,
        MOULT_D_RELEASE_UNKNOWN, MOULT_D_RELEASE_FIELD, MOULT_D_RELEASE_FLEET,
    };
    static const struct moult_statement_codes assignment = {
        MOULT_D_ASSIGN_SIZE,    MOULT_D_ASSIGN_CBOR,  MOULT_D_ASSIGN_COSE,
        MOULT_D_ASSIGN_SIG,     MOULT_D_ASSIGN_TYPE,  MOULT_D_ASSIGN_FORMAT,
        MOULT_D_ASSIGN_UNKNOWN, MOULT_D_ASSIGN_FIELD, MOULT_D_ASSIGN_FLEET,
    };
    static const struct moult_statement_codes endpoints = {
        MOULT_D_ENDPOINT_SIZE,    MOULT_D_ENDPOINT_CBOR,  MOULT_D_ENDPOINT_COSE,
        MOULT_D_ENDPOINT_SIG,     MOULT_D_ENDPOINT_TYPE,  MOULT_D_ENDPOINT_FORMAT,
        MOULT_D_ENDPOINT_UNKNOWN, MOULT_D_ENDPOINT_FIELD, MOULT_D_ENDPOINT_FLEET,
    };
    switch (kind) {
    case MOULT_STATEMENT_KEYSET:
        return &keyset;
    case MOULT_STATEMENT_RELEASE:
        return &release;
    case MOULT_STATEMENT_ASSIGNMENT:
        return &assignment;
    case MOULT_STATEMENT_ENDPOINTS:
        return &endpoints;
    default:
        return NULL;
    }
}

enum moult_status moult_refuse(struct moult_finding *finding, enum moult_status status,
                               uint16_t detail, uint32_t expected, uint32_t found)
{
    if (finding) {
        *finding = (struct moult_finding){
            .detail = detail,
            .expected = expected,
            .found = found,
        };
    }
    return status;
}

enum moult_status moult_accept(struct moult_finding *finding)
{
    return moult_refuse(finding, MOULT_OK, MOULT_D_NONE, 0, 0);
}
