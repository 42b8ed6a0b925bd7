/* sim.h - the flash under the fixture of ports/sim, for a test that cuts it in its own way.
 *
 * Layer    tests/conformance/ports.
 */
#ifndef MOULT_TESTS_CONFORMANCE_SIM_H
#define MOULT_TESTS_CONFORMANCE_SIM_H

#include "ports/sim/flash.h"

/* Valid from fresh() on, which makes it anew. */
struct moult_sim_flash *conform_sim_flash(void);

#endif
