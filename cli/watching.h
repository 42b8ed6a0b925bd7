/* watching.h - asking a server again and again.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_WATCHING_H
#define MOULT_CLI_WATCHING_H

#include "cli/cli.h"
#include "client/client.h"

#define CLI_WATCH_LOST_MAX_S 300u /* so long a watch goes on without an answer */

struct cli_watching {
    int64_t lost_since_ms; /* monotonic; 0: the last call was answered */
};

/* Monotonic milliseconds. */
int64_t cli_now_ms(void);

void cli_pause_ms(uint64_t ms); /* at most an hour */

/* GET; a server that does not answer is waited for, up to CLI_WATCH_LOST_MAX_S. *json is
 * NULL then. Returns CLI_OK (with or without *json), or has failed. */
MOULT_MUST_CHECK int cli_watching_get(struct cli *cli, struct cli_watching *watching,
                                      const char *path, const struct client_pair *query,
                                      json_t **json);

#endif
