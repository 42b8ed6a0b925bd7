/* faulty_origin.h - an HTTPS server that misbehaves on request, in threads of its own.
 *
 * Use it   struct faulty_origin_config config = {.file = ..., .fault = ORIGIN_TRUNCATES};
 *          struct faulty_origin *origin = faulty_origin_start(&config);
 *          ... faulty_origin_url(origin) ...; faulty_origin_stop(origin);
 *          GET of faulty_origin_config.path answers with the file, with ranges, If-Range
 *          and a strong ETag (its SHA-256) as moultd does, spoiled by the fault; everything
 *          else goes to `answer`. Every function asserts. TLS 1.2 and 1.3.
 *
 * tests/support/faulty_origin/main.c is the same as a program, for scripts.
 */
#ifndef MOULT_TESTS_SUPPORT_FAULTY_ORIGIN_H
#define MOULT_TESTS_SUPPORT_FAULTY_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/bytes.h"
#include "formats/compiler.h"
#include "tests/support/test_certs.h"

#define ORIGIN_FAULTS(X)                                                                   \
    X(GOOD, "good", "no fault at all")                                                     \
    X(IGNORES_RANGE, "ignores-range", "200 and the whole file where a range was asked")    \
    X(WRONG_RANGE, "wrong-range", "206 of the 4,096 bytes behind those asked for")         \
    X(SHORT_RANGE, "short-range", "206 of half of what was asked, correctly labelled")     \
    X(WRONG_TOTAL, "wrong-total", "206 that gives the file one byte more")                 \
    X(NO_RANGE_HEADER, "no-range-header", "206 without Content-Range")                     \
    X(TRUNCATES, "truncates", "closes in an orderly way in the middle of the body")        \
    X(RESETS, "resets", "resets the connection in the middle of the body")                 \
    X(STALLS, "stalls", "falls silent in the middle of the body")                          \
    X(DRIPS, "drips", "one byte of body every 50 ms")                                      \
    X(CHANGES_FILE, "changes-file", "another file of that size, under another ETag")       \
    X(WRONG_ETAG, "wrong-etag", "another ETag with every answer")                          \
    X(WEAK_ETAG, "weak-etag", "a weak ETag")                                               \
    X(CORRUPTS, "corrupts", "one bit of the body flipped")                                 \
    X(LONGER, "longer", "a file with more bytes than it should have")                      \
    X(STATUS_404, "404", "not found")                                                      \
    X(STATUS_416, "416", "range not satisfiable")                                          \
    X(STATUS_429, "429", "too many requests, Retry-After 1")                               \
    X(STATUS_503, "503", "unavailable, Retry-After 1")                                     \
    X(REDIRECTS, "redirects", "302 to itself, for ever")                                   \
    X(REDIRECTS_HTTP, "redirects-http", "302 to a plain http URL")                         \
    X(CHUNKED, "chunked", "the right bytes, as chunks and without a length")               \
    X(BAD_CHUNKS, "bad-chunks", "a chunk size that is no number")                          \
    X(GARBAGE, "garbage", "bytes that are not HTTP")                                       \
    X(TWO_LENGTHS, "two-lengths", "Content-Length twice")                                  \
    X(NO_TLS, "no-tls", "plain text where TLS is expected")                                \
    X(CLOSES_IDLE, "closes-idle", "good, but closes each connection after its answer")     \
    X(DROPS_KEPT, "drops-kept", "closes a connection when a second request comes over it")

enum origin_fault {
#define X(name, word, what) ORIGIN_##name,
    ORIGIN_FAULTS(X)
#undef X
        ORIGIN_FAULT_COUNT
};

/* "wrong-range" and the like; ORIGIN_FAULT_COUNT: none of that name. */
enum origin_fault origin_fault_named(const char *word);
const char *origin_fault_word(enum origin_fault fault);
const char *origin_fault_what(enum origin_fault fault);

/* An answer to anything that is not the file. */
struct origin_answer {
    int status;               /* e.g. 200 */
    const char *content_type; /* static */
    uint8_t body[8192];
    size_t body_size;
    bool is_raw; /* body is the whole reply, head and all; the connection ends with it */
};

struct faulty_origin_config {
    const struct test_cert *ca; /* issues the server's certificate; NULL: own, see _ca() */
    const char *name;           /* DNS name in it besides 127.0.0.1; NULL: "localhost" */
    bool wants_client;          /* ask for a client certificate of that CA */
    const char *address;        /* to listen on; NULL: 127.0.0.1 */
    uint16_t port;              /* 0: any free one */

    const char *path; /* of the file, e.g. "/device/v1/artifact/x" */
    const uint8_t *file;
    size_t file_size;
    enum origin_fault fault;
    uint32_t good_first;  /* requests of the file served well before the fault */
    uint32_t fault_count; /* then so many spoiled, then good again; 0: for ever */

    /* Called under a lock for other paths; NULL: 404. body is the request's. */
    void (*answer)(void *context, const char *method, const char *path, const uint8_t *body,
                   size_t body_size, struct origin_answer *out);
    void *context;
};

struct faulty_origin;

struct faulty_origin *faulty_origin_start(const struct faulty_origin_config *config);
void faulty_origin_stop(struct faulty_origin *origin);

/* "https://address:port", and the CA that vouches for it as PEM. */
const char *faulty_origin_url(const struct faulty_origin *origin);
const char *faulty_origin_ca(const struct faulty_origin *origin);
uint16_t faulty_origin_port(const struct faulty_origin *origin);

/* What happened so far. */
struct origin_counts {
    uint32_t connections,
        resumed; /* handshakes that ended well; with a ticket among them */
    uint32_t requests, file_requests;
    uint64_t file_bytes;     /* of the file, sent */
    char last_request[2048]; /* head of the newest */
    char client_name[64];    /* CN of the newest client certificate */
};
void faulty_origin_counts(struct faulty_origin *origin, struct origin_counts *out);

#endif
