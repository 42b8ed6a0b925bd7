/* clock.h - milliseconds that only go forward.
 *
 * Layer    ports/posix.
 */
#ifndef MOULT_PORTS_POSIX_CLOCK_H
#define MOULT_PORTS_POSIX_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC; goes on while the process does not run. */
uint64_t moult_clock_ms(void);

#endif
