/* status.h - what kind of thing went wrong, for code to act on.
 *
 * Layer    formats: pure.
 * Format   numbers are stable for ever: they appear in api/codes.tsv.
 *
 * A status tells code the kind; a reason (R107) tells policy; a detail (E0902) tells people
 * exactly what happened. Reasons and details are in formats/codes.h, made from
 * api/codes.tsv.
 */
#ifndef MOULT_FORMATS_STATUS_H
#define MOULT_FORMATS_STATUS_H

#include "formats/compiler.h"

enum moult_status {
    MOULT_OK = 0,
    MOULT_E_ARG = -1,          /* the caller's value is outside what the header allows */
    MOULT_E_RANGE = -2,        /* a number or size over its named limit */
    MOULT_E_FORMAT = -3,       /* bytes are not of the format; nothing was believed */
    MOULT_E_TRUNCATED = -4,    /* the input ends before the structure does */
    MOULT_E_NOENT = -5,        /* what was asked for is not there */
    MOULT_E_EXISTS = -6,       /* it is there already and differs */
    MOULT_E_SIGNATURE = -7,    /* a signature or threshold is not met */
    MOULT_E_DIGEST = -8,       /* a digest or checksum differs */
    MOULT_E_INCOMPATIBLE = -9, /* well formed, but not for this device, class or version */
    MOULT_E_REPLAY = -10,      /* older than something already accepted */
    MOULT_E_REFUSED = -11,     /* policy says no */
    MOULT_E_STATE = -12,       /* not in a state in which this is allowed */
    MOULT_E_SPACE = -13,       /* does not fit the buffer, slot or disk */
    MOULT_E_NOMEM = -14,       /* allocation failed */
    MOULT_E_IO = -15,          /* flash, file or store failed */
    MOULT_E_NET = -16,         /* no connection, or it broke */
    MOULT_E_TLS = -17,         /* handshake or certificate refused */
    MOULT_E_HTTP = -18,        /* the peer answered, but not what was asked */
    MOULT_E_TIMEOUT = -19,     /* a deadline passed */
    MOULT_E_BUSY = -20,        /* a bounded queue is full, or a lock is held */
    MOULT_E_AUTH = -21,        /* not authenticated, or not allowed */
    MOULT_E_CONFLICT = -22,    /* changed by someone else meanwhile */
    MOULT_E_UNSUPPORTED = -23, /* known, but this build or device cannot do it */
    MOULT_E_INTERNAL = -24,    /* a bug: please report it */
};

/* The constant's name, e.g. "MOULT_E_RANGE"; "MOULT_E_?" for any other number. */
const char *moult_status_name(enum moult_status status);

#endif
