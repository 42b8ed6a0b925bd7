/* posix.h - the fixture of ports/posix, for tests that plant bugs into it.
 *
 * Layer    tests/conformance/ports.
 */
#ifndef MOULT_TESTS_CONFORMANCE_POSIX_H
#define MOULT_TESTS_CONFORMANCE_POSIX_H

#include "examples/energy-meter/host/device.h"
#include "tests/conformance/conform.h"

const struct conform_fixture *conform_posix_fixture(void);

/* The virtual meter that carries the port; valid from fresh() on. */
struct device *conform_posix_device(void);

/* Files of the run are gone, the device is off. */
void conform_posix_end(void);

#endif
