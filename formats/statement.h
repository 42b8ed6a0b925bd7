/* statement.h - the kinds of signed statements: numbers, limits and families of codes.
 *
 * Layer    formats: constants.
 * Format   docs/spec/envelope.md.
 */
#ifndef MOULT_FORMATS_STATEMENT_H
#define MOULT_FORMATS_STATEMENT_H

#include <stddef.h>
#include <stdint.h>
#include "formats/codes.h"
#include "formats/reader.h" /* struct moult_finding */

/* Limits of a whole envelope, bytes: a device has one buffer of each size. */
#define MOULT_STATEMENT_SIZE_MAX 1024u /* release, assignment, endpoint list */
#define MOULT_KEYSET_SIZE_MAX 2048u

#define MOULT_STATEMENT_FORMAT 1u /* field 2 of every payload */

/* Field 1 of every payload. */
enum moult_statement {
    MOULT_STATEMENT_KEYSET = 0,
    MOULT_STATEMENT_RELEASE = 1,
    MOULT_STATEMENT_ASSIGNMENT = 2,
    MOULT_STATEMENT_CHECKPOINT = 3, /* audit; host only, devices refuse it */
    MOULT_STATEMENT_ENDPOINTS = 4,
};

/* Limit of the whole envelope, bytes. */
size_t moult_statement_size_max(enum moult_statement kind);

/* MOULT_D_* of one kind, by the suffixes of the verification order. */
struct moult_statement_codes {
    uint16_t size, cbor, cose, sig, type, format, unknown, field, fleet;
};

/* NULL for a kind that has none (checkpoint) and for any other number. */
const struct moult_statement_codes *moult_statement_codes(enum moult_statement kind);

/* Set *finding (may be NULL) and hand back the status: `return moult_refuse(...)`. */
enum moult_status moult_refuse(struct moult_finding *finding, enum moult_status status,
                               uint16_t detail, uint32_t expected, uint32_t found);
/* MOULT_OK; nothing found. */
enum moult_status moult_accept(struct moult_finding *finding);

#endif
