/* facts.h - what a device says of itself, kept; private to this folder.
 *
 * Layer    server/control.
 * Threads  writer, inside a job.
 */
#ifndef MOULT_SERVER_CONTROL_FACTS_H
#define MOULT_SERVER_CONTROL_FACTS_H

#include "server/control/internal.h"
#include "server/store/store_device.h"

/* As the API shows them; a new reference. */
json_t *facts_json(const struct moult_facts *facts);

/* Stores facts and attributes, and what of them has a column: chip, revision, version, and
 * the serial number if an operator gave none. */
MOULT_MUST_CHECK enum moult_status facts_store(struct store_db *db,
                                               struct store_device *device,
                                               const struct moult_facts *facts,
                                               int64_t now_ms);

/* The class of the configuration that a chip belongs to; the first when none fits. */
uint8_t facts_class_index(const struct control_config *config,
                          const struct moult_facts *facts);

#endif
