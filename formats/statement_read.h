/* statement_read.h - what reading a payload has in common: type and format first, then
 * rows.
 *
 * Layer    formats: pure functions. Private to formats/.
 */
#ifndef MOULT_FORMATS_STATEMENT_READ_H
#define MOULT_FORMATS_STATEMENT_READ_H

#include "formats/fields.h"
#include "formats/statement.h"

/* Reads a payload that has passed the profile check into a record: type, format, then every
 * entry by its row. `where` of the finding is the byte of the payload.
 * MOULT_OK; MOULT_E_FORMAT (TYPE, FIELD); MOULT_E_UNSUPPORTED (FORMAT, UNKNOWN). */
MOULT_MUST_CHECK enum moult_status moult_statement_read(enum moult_statement kind,
                                                        struct moult_bytes payload,
                                                        const struct moult_map *map,
                                                        void *record,
                                                        struct moult_finding *finding);

#endif
