/* faulty_net.h - a network that misbehaves at a chosen byte of a download.
 *
 * Use it   struct faulty_net net = {.fault = NET_RESET, .at = 4711}; faulty_net_plug(&w,
 *          &net); boot or go on with the world; look at the counts.
 *          It stands between the world's engine and its server, which stays good: every
 *          fault is one of the way. Deterministic.
 *
 * Faults of the body strike when the file's byte `at` is due. Faults of the head cut the
 * connection there and spoil the answer with which the transfer would go on. `for_ever`
 * strikes at that byte, or with every later answer, again and again.
 */
#ifndef MOULT_TESTS_SUPPORT_FAULTY_NET_H
#define MOULT_TESTS_SUPPORT_FAULTY_NET_H

#include "tests/support/update_world.h"

/*    name, of the head, what happens */
#define NET_FAULTS(X)                                                                      \
    X(NOTHING, false, "nothing")                                                           \
    X(RESET, false, "the connection is reset")                                             \
    X(TLS, false, "the TLS layer gives up")                                                \
    X(BAD_CHUNK, false, "a chunk size that is no number")                                  \
    X(SHORT, false, "an orderly end, as if complete")                                      \
    X(STALL, false, "silence until the time-out")                                          \
    X(DRIP, false, "slow-loris: a byte every ten seconds from there on")                   \
    X(CORRUPT, false, "one bit flipped")                                                   \
    X(LONGER, false, "a byte too many")                                                    \
    X(NO_CONNECTION, true, "no connection")                                                \
    X(WHOLE, true, "200 and the whole file where a range was asked")                       \
    X(WRONG_RANGE, true, "206 of another place")                                           \
    X(NO_RANGE, true, "206 that does not say which range")                                 \
    X(WRONG_TOTAL, true, "206 of a file with another size")                                \
    X(WRONG_LENGTH, true, "a length that is not the range's")                              \
    X(CHUNKED, true, "the right bytes, without a length")                                  \
    X(REDIRECT, true, "302")                                                               \
    X(NOT_FOUND, true, "404")                                                              \
    X(UNSATISFIABLE, true, "416")                                                          \
    X(TOO_MANY, true, "429 and Retry-After")                                               \
    X(UNAVAILABLE, true, "503 and Retry-After")                                            \
    X(REPLACED, true, "another file under another ETag")                                   \
    X(REPLACED_UNSAID, true, "another file under the same ETag")

enum net_fault {
#define X(name, head, what) NET_##name,
    NET_FAULTS(X)
#undef X
        NET_FAULT_COUNT
};
const char *net_fault_what(enum net_fault fault);
bool net_fault_is_head(enum net_fault fault);

struct faulty_net {
    enum net_fault fault;
    const char *path; /* of the answers meant, in part; NULL: the file's */
    uint32_t at;      /* byte of the file, 0..its size; of other answers, of the body */
    bool for_ever;
    bool resets_device; /* the device loses power when the byte is due first */

    unsigned strikes;   /* of the fault, the cut before a head fault among them */
    unsigned requests;  /* of the file */
    uint64_t bytes;     /* of the file's bodies, delivered */
    uint32_t furthest;  /* byte behind the last one delivered, since a restart from 0 */
    uint32_t refetched; /* most bytes that one request asked for a second time */
    bool is_reset_due;  /* the caller boots the device, and clears it */

    uint32_t place; /* in the file, of the response under way */
    bool is_open, is_struck, is_silent;
    enum net_fault spoils; /* this response */
};

/* From now on, and after every boot. `net` is borrowed. */
void faulty_net_plug(struct world *w, struct faulty_net *net);

#endif
