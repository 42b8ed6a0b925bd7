/* versions.c - all versions of the example; the chip build links only its own. */
#include <stddef.h>
#include <string.h>
#include "examples/energy-meter/core/meter.h"

const struct meter_traits *meter_traits_of(const char *version)
{
    static const struct meter_traits *const all[] = {
        &meter_version_1_0_0, &meter_version_1_1_0, &meter_version_1_2_0};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i]->version, version) == 0) { return all[i]; }
    }
    return NULL;
}
