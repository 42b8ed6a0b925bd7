/* version.h - order of version strings as SemVer 2.0 defines it.
 *
 * Layer    formats: pure functions.
 * Format   MAJOR.MINOR.PATCH[-pre.release][+build]; numbers of any length, no leading
 *          zeros.
 *
 * Versions are for people and selectors; what may be installed is decided by sequence
 * alone.
 */
#ifndef MOULT_FORMATS_VERSION_H
#define MOULT_FORMATS_VERSION_H

#include <stdbool.h>
#include "formats/bytes.h"

/* Whether `text` is a version of the form above, nothing before or behind it. */
bool moult_version_is_valid(struct moult_bytes text);

/* Precedence: -1, 0 or 1 for a before, equal to, after b. Build metadata does not count.
 * Both must be valid. */
int moult_version_compare(struct moult_bytes a, struct moult_bytes b);

#endif
