/* posix_main.c - conformance-posix judges ports/posix. */
#include <stdlib.h>
#include "tests/conformance/host/host.h"
#include "tests/conformance/ports/posix.h"

const struct conform_fixture *conform_fixture(void)
{
    atexit(conform_posix_end);
    return conform_posix_fixture();
}
