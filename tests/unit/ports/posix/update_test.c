/* update_test.c - whole updates over real TLS from an origin that misbehaves.
 *
 * The world of tests/support/update_world.h, but its artifact comes through the HTTPS
 * client of this port from tests/support/faulty_origin.h; all other requests are answered
 * there by the world's own server. Time is the world's and passes while a request waits.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/codes.h"
#include "moult/log.h"
#include "ports/posix/http_client.h"
#include "ports/posix/psa_crypto.h"
#include "tests/support/check.h"
#include "tests/support/cut_proxy.h"
#include "tests/support/faulty_origin.h"
#include "tests/support/update_server.h"
#include "tests/support/update_world.h"

enum { STEPS_MAX = 60000, STALL_MS = 250 };

static struct world fresh, w;
static struct faulty_origin *origin;
static struct cut_proxy *proxy;
static struct moult_tls *tls;
static struct moult_http_client client;
static char base[64];

/* --- The world's server behind the origin ----------------------------------------------
 */

/* The reply that the world's server has ready, into out. */
static void collect(struct origin_answer *out)
{
    static struct moult_http_reply reply;
    struct moult_http_failure failure;
    for (;;) {
        size_t size = 0;
        switch (update_server_poll(w.port.context, out->body + out->body_size,
                                   sizeof out->body - out->body_size, &size, &reply,
                                   &failure)) {
        case MOULT_HTTP_HEADERS:
            out->status = reply.status;
            break;
        case MOULT_HTTP_BODY:
            out->body_size += size;
            break;
        case MOULT_HTTP_END:
            return;
        default:
            abort();
        }
    }
}

static void answer(void *context, const char *method, const char *path, const uint8_t *body,
                   size_t body_size, struct origin_answer *out)
{
    (void)context;
    struct moult_http_request request = {
        .method = strcmp(method, "POST") == 0 ? MOULT_HTTP_POST : MOULT_HTTP_GET,
        .path = path,
        .body = {body, body_size}};
    if (update_server_start(w.port.context, &request) != 0) { abort(); }
    out->content_type = "application/cbor";
    collect(out);
}

/* --- The engine on this port's transport ------------------------------------------------
 */

static int32_t http_start(void *context, const struct moult_http_request *request)
{
    struct moult_http_request there = *request;
    (void)context;
    if (there.base) { there.base = base; }
    return moult_http_client_start(&client, &there);
}

static enum moult_http_event http_poll(void *context, uint8_t *buffer, size_t capacity,
                                       size_t *size, struct moult_http_reply *reply,
                                       struct moult_http_failure *failure)
{
    struct pollfd wait;
    (void)context;
    enum moult_http_event event =
        moult_http_client_poll(&client, buffer, capacity, size, reply, failure);
    if (event == MOULT_HTTP_NOT_YET && moult_http_client_wants(&client, &wait)) {
        poll(&wait, 1, 20); /* the world lets 20 ms pass as well */
    }
    return event;
}

static void http_cancel(void *context)
{
    (void)context;
    moult_http_client_cancel(&client);
}

static void plug_in(void)
{
    w.port.http_start = http_start;
    w.port.http_poll = http_poll;
    w.port.http_cancel = http_cancel;
}

static void start(enum origin_fault fault, uint32_t good_first, uint32_t fault_count)
{
    world_copy(&w, &fresh);
    w.config.http_timeout_ms = STALL_MS;
    w.config.backoff_first_ms = w.config.backoff_max_ms = 100;
    w.config.transfer_tries_max = 3;
    w.config.window = 4096;
    struct faulty_origin_config config = {.path = "/device/v1/artifact/new",
                                          .file = w.new.data,
                                          .file_size = w.new.size,
                                          .fault = fault,
                                          .good_first = good_first,
                                          .fault_count = fault_count,
                                          .answer = answer};
    origin = faulty_origin_start(&config);
    snprintf(base, sizeof base, "%s", faulty_origin_url(origin));
    const char *ca = faulty_origin_ca(origin);
    struct moult_tls_options options = {.ca = {{(const uint8_t *)ca, strlen(ca) + 1}, {0}}};
    int32_t native;
    if (moult_tls_new(&options, &tls, &native) != MOULT_OK) { abort(); }
    moult_http_client_init(&client, tls);
}

static void stop(void)
{
    moult_http_client_end(&client);
    moult_tls_free(tls);
    if (proxy) { cut_proxy_stop(proxy); }
    proxy = NULL;
    faulty_origin_stop(origin);
    world_forget(&w);
}

static struct moult_progress progress(void)
{
    struct moult_progress now;
    moult_progress(&w.session, &now);
    return now;
}

static uint16_t failed_detail(void)
{
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_FAILED);
    return report ? report->detail : 0;
}

/* Confirmed and told, or failed and told. */
static bool is_over(void)
{
    struct moult_progress now = progress();
    bool is_quiet = strcmp(moult_state_name(now.state), "IDLE") == 0 && now.size == 0 &&
                    now.reports == 0 && !now.on_trial;
    return failed_detail() || (w.report_count && is_quiet && w.checkins >= 2);
}

/* False: it never ended, within so many steps. */
static bool run(void)
{
    if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return false; }
    for (int i = 0; i < STEPS_MAX; i++) {
        plug_in();
        if (!world_step(&w)) { return false; }
        if (is_over()) { return true; }
    }
    return false;
}

/* --- Faults ------------------------------------------------------------------------------
 */

static void test_an_update_over_tls_ends_right(void)
{
    start(ORIGIN_GOOD, 0, 0);
    check(run());
    check(world_runs(&w, &w.new));
    check_equal(w.foreign_boots, 0);
    check_equal(client.connection_count, 1);
    stop();
}

/* What an update comes to when the fault strikes once, at the second request of the file,
 * and when it stays. 0: the new image runs. */
static const struct {
    enum origin_fault fault;
    uint16_t once, always;
} rows[] = {
    {ORIGIN_IGNORES_RANGE, 0, 0},
    {ORIGIN_WRONG_RANGE, 0, MOULT_D_HTTP},
    {ORIGIN_SHORT_RANGE, 0, MOULT_D_NET},
    {ORIGIN_WRONG_ETAG, 0, MOULT_D_XFER_DIGEST},
    {ORIGIN_WRONG_TOTAL, MOULT_D_XFER_SIZE, MOULT_D_XFER_SIZE},
    {ORIGIN_NO_RANGE_HEADER, 0, MOULT_D_HTTP},
    {ORIGIN_TRUNCATES, 0, MOULT_D_NET},
    {ORIGIN_RESETS, 0, MOULT_D_NET},
    {ORIGIN_STALLS, 0, MOULT_D_NET},
    {ORIGIN_CHANGES_FILE, 0, MOULT_D_XFER_DIGEST},
    {ORIGIN_WEAK_ETAG, 0, 0},
    {ORIGIN_CORRUPTS, 0, MOULT_D_XFER_DIGEST},
    {ORIGIN_LONGER, MOULT_D_XFER_SIZE, MOULT_D_XFER_SIZE},
    {ORIGIN_STATUS_404, MOULT_D_HTTP, MOULT_D_HTTP},
    {ORIGIN_STATUS_416, MOULT_D_XFER_SIZE, MOULT_D_XFER_SIZE},
    {ORIGIN_STATUS_429, 0, MOULT_D_HTTP},
    {ORIGIN_STATUS_503, 0, MOULT_D_HTTP},
    {ORIGIN_REDIRECTS, MOULT_D_REDIRECT, MOULT_D_REDIRECT},
    {ORIGIN_REDIRECTS_HTTP, MOULT_D_REDIRECT, MOULT_D_REDIRECT},
    {ORIGIN_CHUNKED, 0, 0},
    {ORIGIN_BAD_CHUNKS, 0, MOULT_D_HTTP},
    {ORIGIN_GARBAGE, 0, MOULT_D_HTTP},
    {ORIGIN_TWO_LENGTHS, 0, MOULT_D_HTTP},
    {ORIGIN_CLOSES_IDLE, 0, 0},
    {ORIGIN_DROPS_KEPT, 0, 0},
};

static void check_outcome(uint16_t expected)
{
    check(run());
    check_equal(failed_detail(), expected);
    check(world_runs(&w, expected ? &w.old : &w.new));
    check_equal(w.foreign_boots, 0);
    check(!expected || !world_slot_boots(&w, 1)); /* nothing unverified is bootable */
    stop();
}

static void test_a_fault_that_passes_is_survived_or_named(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(origin_fault_word(rows[i].fault));
        start(rows[i].fault, 1, 1);
        check_outcome(rows[i].once);
    }
    check_row(NULL);
}

static void test_a_fault_that_stays_is_survived_or_named(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(origin_fault_word(rows[i].fault));
        start(rows[i].fault, 0, 0);
        check_outcome(rows[i].always);
    }
    check_row(NULL);
}

static void test_a_drip_is_too_slow(void)
{
    start(ORIGIN_DRIPS, 0, 0);
    w.config.rate_min_bps = 100000;
    check(run());
    check_equal(failed_detail(), MOULT_D_XFER_SLOW);
    check(world_runs(&w, &w.old));
    stop();
}

/* --- Networks ------------------------------------------------------------------------- */

/* Steps until the engine has this trouble. */
static bool meets(uint16_t detail)
{
    if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return false; }
    for (int i = 0; i < 2000 && progress().detail != detail; i++) {
        plug_in();
        if (!world_step(&w)) { return false; }
    }
    return progress().detail == detail;
}

static void test_a_server_that_cannot_be_talked_to_is_named(void)
{
    start(ORIGIN_NO_TLS, 0, 0);
    check(meets(MOULT_D_TLS));
    stop();
    start(ORIGIN_GOOD, 0, 0);
    snprintf(base, sizeof base, "https://127.0.0.1:1"); /* nobody listens */
    check(meets(MOULT_D_NET));
    check_equal(w.session.trouble.reason, MOULT_R_NET_CONNECT);
    stop();
    start(ORIGIN_GOOD, 0, 0);
    snprintf(base, sizeof base, "https://localhost.invalid:%u",
             (unsigned)faulty_origin_port(origin));
    check(meets(MOULT_D_NET));
    check_equal(w.session.trouble.reason, MOULT_R_NET_DNS);
    stop();
}

static void test_an_update_gets_through_a_network_that_cuts(void)
{
    start(ORIGIN_GOOD, 0, 0);
    w.config.transfer_tries_max = 100;
    struct cut_proxy_config config = {.target_port = faulty_origin_port(origin),
                                      .bytes_min = 1500,
                                      .bytes_max = 9000,
                                      .seed = 7};
    proxy = cut_proxy_start(&config);
    snprintf(base, sizeof base, "https://127.0.0.1:%u", (unsigned)cut_proxy_port(proxy));
    check(run());
    check(world_runs(&w, &w.new));
    check_equal(w.foreign_boots, 0);
    check(cut_proxy_cuts(proxy) > 3);
    printf("%u cuts\n", (unsigned)cut_proxy_cuts(proxy));
    stop();
}

int main(void)
{
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 1); /* where there is no name server */
    if (moult_psa_start() != MOULT_OK) { return 1; }
    world_make(&fresh);
    check_run(test_an_update_over_tls_ends_right);
    check_run(test_a_fault_that_passes_is_survived_or_named);
    check_run(test_a_fault_that_stays_is_survived_or_named);
    check_run(test_a_drip_is_too_slow);
    check_run(test_a_server_that_cannot_be_talked_to_is_named);
    check_run(test_an_update_gets_through_a_network_that_cuts);
    world_free(&fresh);
    return check_report();
}
