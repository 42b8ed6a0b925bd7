/* daemon.h - everything moultd is made of, started in order and stopped in reverse.
 *
 * Layer    server/main.
 * Threads  daemon_run() is the main thread: signals and the one-second timer. The others
 *          belong to the parts (docs/design/moultd.md).
 */
#ifndef MOULT_SERVER_MAIN_DAEMON_H
#define MOULT_SERVER_MAIN_DAEMON_H

#include "server/main/settings.h"

/* Runs until SIGTERM or SIGINT. Returns the exit status: 0, or 1 after saying on stderr
 * which part could not be started and what to do. Signals must be blocked by the caller
 * before (daemon_block_signals()), so that every thread inherits that. */
int daemon_run(const struct settings *settings);

void daemon_block_signals(void);

#endif
