/* partition_names.h - the keywords of partition types and subtypes.
 *
 * Layer    formats: pure, constant tables. Private to partition_*.c.
 */
#ifndef MOULT_FORMATS_PARTITION_NAMES_H
#define MOULT_FORMATS_PARTITION_NAMES_H

#include <stdint.h>

struct moult_partition_word {
    const char *word; /* lower case */
    uint8_t type;     /* of a subtype: the type it belongs to */
    uint8_t value;
};

/* Constant tables, ended by a NULL word. */
extern const struct moult_partition_word moult_partition_type_words[];
extern const struct moult_partition_word moult_partition_subtype_words[];

#endif
