/* upkeep.h - what has to be done from time to time; private to this folder.
 *
 * Layer    server/control.
 */
#ifndef MOULT_SERVER_CONTROL_UPKEEP_H
#define MOULT_SERVER_CONTROL_UPKEEP_H

#include "server/control/control.h"

/* False: *error says which setting is out of range. */
bool control_config_check(const struct control_config *config, struct control_error *error);

/* At start: if this server was away for longer than outage_min_ms, notes it and extends
 * every running time limit, so that its own absence is not taken for devices' silence. */
MOULT_MUST_CHECK enum moult_status upkeep_forgive_outage(struct control *control,
                                                         struct store_db *db);

#endif
