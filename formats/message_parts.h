/* message_parts.h - parts that check-in and report messages share.
 *
 * Layer    formats: pure functions. Private to formats/.
 */
#ifndef MOULT_FORMATS_MESSAGE_PARTS_H
#define MOULT_FORMATS_MESSAGE_PARTS_H

#include "formats/message_report.h"

/* [ 1*8 deployment id ] */
void moult_gone_read(struct moult_cbor_reader *reader, struct moult_gone *gone);
void moult_gone_write(struct moult_cbor_writer *writer, const struct moult_gone *gone);

/* [ 1*8 report ], each one checked, kept encoded */
void moult_report_list_read(struct moult_cbor_reader *reader, struct moult_cbor_list *list);
void moult_report_list_write(struct moult_cbor_writer *writer,
                             const struct moult_cbor_list *list);

#endif
