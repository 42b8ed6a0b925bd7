/* support_fixture.h - a real HTTP server in the test's process, with endpoints that
 * misbehave on order.
 *
 * Use it   struct fixture f; fixture_start(&f, &(struct fixture_options){0}); ... f.port
 *          ... fixture_stop(&f);
 */
#ifndef MOULT_TESTS_HTTP_SUPPORT_FIXTURE_H
#define MOULT_TESTS_HTTP_SUPPORT_FIXTURE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "server/base/metrics.h"
#include "server/base/queue.h"
#include "server/base/tls.h"
#include "server/http/http_server.h"
#include "tests/support/test_certs.h"

#define FIXTURE_FILE_SIZE 100000u       /* bytes of /file; byte i is fixture_byte(i) */
#define FIXTURE_LARGE_SIZE (8u << 20)   /* of /large */
#define FIXTURE_ETAG "0123456789abcdef" /* of both, without quotes */
#define FIXTURE_BODY_MAX (2u << 20)     /* of POST /body */

/* Endpoints:
 *   GET  /hello               "hello\n"
 *   GET  /echo/{first}/{second}   both, on a line each
 *   GET  /file, /large        a file
 *   POST /body                "SIZE SUM WHERE\n": FNV-1a of the body; "memory" or "file"
 *   POST /small               the same, at most 10 bytes
 *   GET  /later/{ms}          "later\n", from another thread after that time
 *   GET  /twice/{ms}          the same, then completes it again after 100 ms
 *   GET  /reader, POST /writer    "reader\n", "writer\n", by the executor; the writer can
 *   be full GET  /lost                a job whose commit fails
 *   GET  /spki                fingerprint in hex, or "none\n"
 *   GET  /peer                the client's address
 *   GET  /broken/{how}        "io", "busy": a failing handler; "split": a field with a line
 *   break;
 *                             "silent": no status
 *   GET  /private             401 by admit()
 *   POST /private             the same, with a body of up to 1 MB */
struct fixture_options {
    struct http_server_options server; /* listeners, env and executors are the fixture's */
    bool with_tls;
    bool writer_is_full;
    bool stop_first; /* fixture_stop() stops the server while the worker still works */
    bool keep_later; /* /later answers at fixture_release() or fixture_stop() only */
};

struct fixture {
    struct http_server *server;
    uint16_t port;
    struct metrics *metrics;
    char folder[64], file[96], large[96], cert[96], key[96];
    struct test_cert ca, server_cert;
    struct tls_tickets *tickets;
    struct tls_context *tls;
    struct queue jobs; /* of struct http_job, and of "later" orders */
    pthread_t worker;
    struct fixture_options options;
    _Atomic bool may_finish; /* keep_later: let them go */
};

void fixture_start(struct fixture *fixture, const struct fixture_options *options);
/* Answers everything that keep_later held back. */
void fixture_release(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);

uint8_t fixture_byte(uint64_t index);
uint64_t fixture_sum(const void *data, size_t size);

/* The value of a line of /metrics, e.g. "moult_http_connections{listener=\"test\"}"; -1:
 * not there. */
long long fixture_metric(struct fixture *fixture, const char *series);

#endif
