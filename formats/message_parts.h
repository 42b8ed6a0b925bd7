/* message_parts.h - parts that check-in and report messages share.
 *
 * Layer    formats: constants. Private to formats/.
 */
#ifndef MOULT_FORMATS_MESSAGE_PARTS_H
#define MOULT_FORMATS_MESSAGE_PARTS_H

#include "formats/fields.h"
#include "formats/message_report.h"

/* [ 1*8 report ], each one checked, kept encoded in a struct moult_cbor_list. Reads maps,
 * so it belongs into records only. */
extern const struct moult_field_custom moult_reports_custom;

/* [ 1*8 deployment id ] into struct moult_gone; count_ is the offset of its count. */
extern const struct moult_field moult_gone_row;
#define MOULT_GONE_ARRAY(count_)                                                           \
    {                                                                                      \
        .rows = &moult_gone_row, .row_count = 1, .stride = sizeof(const uint8_t *),        \
        .count = (count_)                                                                  \
    }

#endif
