/* status.c - see status.h. */
#include "formats/status.h"

static const char *const names[] = {
    "MOULT_OK",          "MOULT_E_ARG",          "MOULT_E_RANGE",    "MOULT_E_FORMAT",
    "MOULT_E_TRUNCATED", "MOULT_E_NOENT",        "MOULT_E_EXISTS",   "MOULT_E_SIGNATURE",
    "MOULT_E_DIGEST",    "MOULT_E_INCOMPATIBLE", "MOULT_E_REPLAY",   "MOULT_E_REFUSED",
    "MOULT_E_STATE",     "MOULT_E_SPACE",        "MOULT_E_NOMEM",    "MOULT_E_IO",
    "MOULT_E_NET",       "MOULT_E_TLS",          "MOULT_E_HTTP",     "MOULT_E_TIMEOUT",
    "MOULT_E_BUSY",      "MOULT_E_AUTH",         "MOULT_E_CONFLICT", "MOULT_E_UNSUPPORTED",
    "MOULT_E_INTERNAL",
};
enum { NAME_COUNT = sizeof names / sizeof names[0] };
_Static_assert(NAME_COUNT == 1 - MOULT_E_INTERNAL, "one name per status");

const char *moult_status_name(enum moult_status status)
{
    int index = -(int)status;
    return index >= 0 && index < NAME_COUNT ? names[index] : "MOULT_E_?";
}
