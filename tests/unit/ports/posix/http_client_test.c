/* http_client_test.c - the device's HTTPS client against servers that behave and misbehave.
 */
#include "ports/posix/http_client.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ports/posix/clock.h"
#include "tests/support/check.h"
#include "tests/support/cut_proxy.h"
#include "tests/support/faulty_origin.h"

enum { FILE_SIZE = 50000, BODY_SIZE = FILE_SIZE + 4096, TIMEOUT_MS = 400 };
static const char PATH[] = "/device/v1/artifact/abc";

static uint8_t file[FILE_SIZE];
static struct faulty_origin *origin;
static struct moult_tls *tls;
static struct moult_http_client client;

/* How a request ended. */
struct result {
    bool is_end, had_headers;
    struct moult_http_reply reply;
    struct moult_http_failure failure;
    uint8_t body[BODY_SIZE];
    size_t body_size;
};
static struct result result;

static void make_file(void)
{
    for (size_t i = 0; i < FILE_SIZE; i++) {
        file[i] = (uint8_t)(i * 7 + i / 251);
    }
}

static struct moult_tls *make_tls(const struct moult_tls_options *options)
{
    struct moult_tls *made;
    int32_t native;
    if (moult_tls_new(options, &made, &native) != MOULT_OK) { abort(); }
    return made;
}

static struct moult_bytes pem(const char *text)
{
    return (struct moult_bytes){(const uint8_t *)text, strlen(text) + 1};
}

static void start_with(const struct faulty_origin_config *config)
{
    struct faulty_origin_config full = *config;
    make_file();
    full.path = PATH;
    full.file = file;
    full.file_size = sizeof file;
    origin = faulty_origin_start(&full);
    struct moult_tls_options options = {.ca = {pem(faulty_origin_ca(origin)), {0}}};
    tls = make_tls(&options);
    moult_http_client_init(&client, tls);
}

static void start(enum origin_fault fault)
{
    struct faulty_origin_config config = {.fault = fault};
    start_with(&config);
}

static void stop(void)
{
    moult_http_client_end(&client);
    moult_tls_free(tls);
    faulty_origin_stop(origin);
}

static void wait_for_client(void)
{
    struct pollfd wait;
    if (!moult_http_client_wants(&client, &wait)) { abort(); }
    poll(&wait, 1, 20);
}

/* Poll until the request ends, in pieces of `capacity`. */
static void drive(size_t capacity)
{
    static uint8_t piece[4096];
    for (;;) {
        size_t size = 0;
        switch (moult_http_client_poll(&client, piece, capacity, &size, &result.reply,
                                       &result.failure)) {
        case MOULT_HTTP_NOT_YET:
            wait_for_client();
            break;
        case MOULT_HTTP_HEADERS:
            result.had_headers = true;
            break;
        case MOULT_HTTP_BODY:
            if (size == 0 || size > capacity || result.body_size + size > BODY_SIZE) {
                abort();
            }
            memcpy(result.body + result.body_size, piece, size);
            result.body_size += size;
            break;
        case MOULT_HTTP_END:
            result.is_end = true;
            return;
        case MOULT_HTTP_FAILED:
            return;
        }
    }
}

static struct moult_http_request range_request(uint32_t from, uint32_t to)
{
    return (struct moult_http_request){.base = faulty_origin_url(origin),
                                       .path = PATH,
                                       .has_range = true,
                                       .range_from = from,
                                       .range_to = to,
                                       .timeout_ms = TIMEOUT_MS};
}

static int32_t get(const struct moult_http_request *request)
{
    memset(&result, 0, sizeof result);
    int32_t rc = moult_http_client_start(&client, request);
    if (rc == 0) { drive(1000); }
    return rc;
}

static void test_a_range_arrives_whole(void)
{
    start(ORIGIN_GOOD);
    struct moult_http_request request = range_request(4096, 20479);
    check_equal(get(&request), 0);
    check(result.is_end && result.had_headers);
    check_equal(result.reply.status, 206);
    check(result.reply.has_length && result.reply.has_range);
    check_equal(result.reply.length, 16384);
    check_equal(result.reply.range_from, 4096);
    check_equal(result.reply.range_to, 20479);
    check_equal(result.reply.range_total, FILE_SIZE);
    check_equal(strlen(result.reply.etag), 66);
    check_equal(result.body_size, 16384);
    check_bytes(result.body, file + 4096, 16384);
    stop();
}

static void test_one_byte_at_a_time_gives_the_same_body(void)
{
    start(ORIGIN_GOOD);
    struct moult_http_request request = range_request(0, 2999);
    memset(&result, 0, sizeof result);
    check_equal(moult_http_client_start(&client, &request), 0);
    drive(1);
    check(result.is_end);
    check_equal(result.body_size, 3000);
    check_bytes(result.body, file, 3000);
    stop();
}

static void test_a_connection_is_used_again_and_a_new_one_resumes_the_session(void)
{
    struct origin_counts counts;
    start(ORIGIN_GOOD);
    for (uint32_t i = 0; i < 5; i++) {
        struct moult_http_request request = range_request(i * 4096, i * 4096 + 4095);
        check_equal(get(&request), 0);
        check(result.is_end);
    }
    check_equal(client.connection_count, 1);
    moult_http_client_end(&client);
    moult_http_client_init(&client, tls);
    struct moult_http_request request = range_request(0, 0);
    check_equal(get(&request), 0);
    check(result.is_end);
    faulty_origin_counts(origin, &counts);
    check_equal(counts.connections, 2);
    check_equal(counts.resumed, 1);
    stop();
}

static void test_a_connection_closed_meanwhile_is_replaced_unseen(void)
{
    struct origin_counts counts;
    start(ORIGIN_CLOSES_IDLE);
    for (int i = 0; i < 4; i++) {
        struct moult_http_request request = range_request(0, 99);
        check_equal(get(&request), 0);
        check(result.is_end);
        check_equal(result.body_size, 100);
        if (i % 2) { usleep(30000); } /* once noticed before, once only after the request */
    }
    faulty_origin_counts(origin, &counts);
    check_equal(counts.file_requests, 4);
    stop();
}

static void test_a_kept_connection_that_dies_under_a_request_is_replaced_once(void)
{
    start(ORIGIN_DROPS_KEPT);
    for (uint32_t i = 1; i <= 3; i++) {
        struct moult_http_request request = range_request(0, 99);
        check_equal(get(&request), 0);
        check(result.is_end);
        check_equal(client.connection_count, i);
    }
    stop();
}

static void test_an_idle_connection_that_closes_is_given_up(void)
{
    struct pollfd wait;
    start(ORIGIN_CLOSES_IDLE);
    struct moult_http_request request = range_request(0, 99);
    check_equal(get(&request), 0);
    check(moult_http_client_wants(&client, &wait));
    check_equal(poll(&wait, 1, 2000), 1);
    moult_http_client_tend(&client);
    check(!moult_http_client_wants(&client, &wait));
    stop();
}

static void test_what_each_fault_looks_like_to_the_engine(void)
{
    static const struct {
        enum origin_fault fault;
        bool is_end;
        uint16_t status;
        enum moult_net_failure kind; /* when it does not end */
    } rows[] = {
        {ORIGIN_IGNORES_RANGE, true, 200, 0},
        {ORIGIN_WRONG_RANGE, true, 206, 0},
        {ORIGIN_SHORT_RANGE, true, 206, 0},
        {ORIGIN_NO_RANGE_HEADER, true, 206, 0},
        {ORIGIN_TRUNCATES, false, 206, MOULT_NET_RESET},
        {ORIGIN_RESETS, false, 206, MOULT_NET_RESET},
        {ORIGIN_STALLS, false, 206, MOULT_NET_STALL},
        {ORIGIN_STATUS_404, true, 404, 0},
        {ORIGIN_STATUS_416, true, 416, 0},
        {ORIGIN_STATUS_429, true, 429, 0},
        {ORIGIN_STATUS_503, true, 503, 0},
        {ORIGIN_REDIRECTS, true, 302, 0},
        {ORIGIN_CHUNKED, true, 206, 0},
        {ORIGIN_BAD_CHUNKS, false, 206, MOULT_NET_PROTOCOL},
        {ORIGIN_GARBAGE, false, 0, MOULT_NET_PROTOCOL},
        {ORIGIN_TWO_LENGTHS, false, 0, MOULT_NET_PROTOCOL},
        {ORIGIN_NO_TLS, false, 0, MOULT_NET_TLS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(origin_fault_word(rows[i].fault));
        start(rows[i].fault);
        struct moult_http_request request = range_request(8192, 16383);
        check_equal(get(&request), 0);
        check_equal(result.is_end, rows[i].is_end);
        check_equal(result.reply.status, rows[i].status);
        if (!rows[i].is_end) { check_equal(result.failure.kind, rows[i].kind); }
        stop();
    }
    check_row(NULL);
}

static void test_the_engine_can_see_every_lie_in_the_head(void)
{
    start(ORIGIN_WRONG_RANGE);
    struct moult_http_request request = range_request(8192, 16383);
    check_equal(get(&request), 0);
    check_equal(result.reply.range_from, 12288);
    stop();
    start(ORIGIN_NO_RANGE_HEADER);
    request = range_request(8192, 16383);
    check_equal(get(&request), 0);
    check(!result.reply.has_range);
    stop();
    start(ORIGIN_STATUS_429);
    request = range_request(8192, 16383);
    check_equal(get(&request), 0);
    check_equal(result.reply.retry_after_s, 1);
    stop();
    start(ORIGIN_WEAK_ETAG);
    request = range_request(8192, 16383);
    check_equal(get(&request), 0);
    check_equal(result.reply.etag[0], 0);
    stop();
}

static void test_if_range_of_another_file_brings_the_whole_new_one(void)
{
    start(ORIGIN_GOOD);
    struct moult_http_request request = range_request(8192, 16383);
    request.if_range = "\"something else\"";
    check_equal(get(&request), 0);
    check_equal(result.reply.status, 200);
    check_equal(result.body_size, FILE_SIZE);
    stop();
}

static void note_post(void *context, const char *method, const char *path,
                      const uint8_t *body, size_t body_size, struct origin_answer *out)
{
    char *seen = context;
    snprintf(seen, 600, "%s %s %zu %02x", method, path, body_size, body_size ? body[0] : 0);
    memcpy(out->body, "done", 4);
    out->body_size = 4;
}

static void test_a_post_carries_its_body_and_prefixes_are_joined(void)
{
    static char seen[600];
    struct faulty_origin_config config = {.answer = note_post, .context = seen};
    start_with(&config);
    static const uint8_t body[4096] = {0xa1};
    char base[128];
    snprintf(base, sizeof base, "%s/front/", faulty_origin_url(origin));
    struct moult_http_request request = {.method = MOULT_HTTP_POST,
                                         .base = base,
                                         .path = "/device/v1/checkin",
                                         .content_type = "application/cbor",
                                         .body = {body, sizeof body},
                                         .timeout_ms = TIMEOUT_MS};
    check_equal(get(&request), 0);
    check(result.is_end);
    check_bytes(result.body, "done", 4);
    check(strcmp(seen, "POST /front/device/v1/checkin 4096 a1") == 0);
    struct origin_counts counts;
    faulty_origin_counts(origin, &counts);
    check(strstr(counts.last_request, "\r\nContent-Type: application/cbor\r\n"));
    check(strstr(counts.last_request, "\r\nHost: 127.0.0.1:"));
    stop();
}

static void test_an_absolute_url_is_taken_whole(void)
{
    char url[256];
    start(ORIGIN_GOOD);
    snprintf(url, sizeof url, "%s%s", faulty_origin_url(origin), PATH);
    struct moult_http_request request = {.path = url, .timeout_ms = TIMEOUT_MS};
    check_equal(get(&request), 0);
    check(result.is_end);
    check_equal(result.reply.status, 200);
    check_equal(result.body_size, FILE_SIZE);
    check_bytes(result.body, file, FILE_SIZE);
    stop();
}

static void test_requests_that_cannot_be_made_are_refused_at_once(void)
{
    static const struct {
        const char *base, *path, *if_range;
        int32_t result;
    } rows[] = {
        {"http://127.0.0.1", "/x", NULL, MOULT_HTTP_E_URL},
        {"https://", "/x", NULL, MOULT_HTTP_E_URL},
        {"https://127.0.0.1:0", "/x", NULL, MOULT_HTTP_E_URL},
        {"https://127.0.0.1:99999", "/x", NULL, MOULT_HTTP_E_URL},
        {"https://user@127.0.0.1", "/x", NULL, MOULT_HTTP_E_URL},
        {NULL, "/x", NULL, MOULT_HTTP_E_URL},
        {"https://127.0.0.1", "x", NULL, MOULT_HTTP_E_REQUEST},
        {"https://127.0.0.1", "/x\r\nHost: y", NULL, MOULT_HTTP_E_REQUEST},
        {"https://127.0.0.1", "/x", "\"a\"\r\nX: y", MOULT_HTTP_E_REQUEST},
    };
    start(ORIGIN_GOOD);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_http_request request = {.base = rows[i].base,
                                             .path = rows[i].path,
                                             .if_range = rows[i].if_range,
                                             .timeout_ms = TIMEOUT_MS};
        check_row(rows[i].base);
        check_equal(moult_http_client_start(&client, &request), rows[i].result);
    }
    check_row(NULL);
    static char long_path[2000];
    memset(long_path, '/', sizeof long_path - 1);
    struct moult_http_request request = {.base = "https://127.0.0.1", .path = long_path};
    check_equal(moult_http_client_start(&client, &request), MOULT_HTTP_E_REQUEST);
    request = range_request(0, 9);
    check_equal(moult_http_client_start(&client, &request), 0);
    check_equal(moult_http_client_start(&client, &request), MOULT_HTTP_E_BUSY);
    moult_http_client_cancel(&client);
    moult_http_client_cancel(&client);
    check_equal(get(&request), 0);
    check(result.is_end);
    stop();
}

static void test_a_server_that_does_not_answer_or_exist(void)
{
    start(ORIGIN_GOOD);
    struct moult_http_request request = range_request(0, 9);
    request.base = "https://127.0.0.1:1"; /* nobody listens on tcpmux */
    check_equal(get(&request), 0);
    check_equal(result.failure.kind, MOULT_NET_CONNECT);
    check(result.failure.native > 0);
    request.base = "https://no-such-host.invalid";
    request.timeout_ms = 1500;
    check_equal(get(&request), 0);
    check_equal(result.failure.kind, MOULT_NET_DNS);
    stop();
}

static void test_a_name_is_resolved_and_checked(void)
{
    char base[64];
    start(ORIGIN_GOOD);
    snprintf(base, sizeof base, "https://localhost:%u",
             (unsigned)faulty_origin_port(origin));
    struct moult_http_request request = range_request(0, 9);
    request.base = base;
    request.timeout_ms = 5000;
    check_equal(get(&request), 0);
    check(result.is_end);
    stop();
}

static void test_certificates_that_do_not_fit_are_refused(void)
{
    char base[64];
    struct faulty_origin_config other = {.name = "elsewhere"};
    start_with(&other);
    snprintf(base, sizeof base, "https://localhost:%u",
             (unsigned)faulty_origin_port(origin));
    struct moult_http_request request = range_request(0, 9);
    request.base = base; /* the certificate names elsewhere and 127.0.0.1 */
    request.timeout_ms = 5000;
    check_equal(get(&request), 0);
    check_equal(result.failure.kind, MOULT_NET_CERT);
    stop();
    struct faulty_origin_config elsewhere = {.address = "127.0.0.2"};
    start_with(&elsewhere); /* the certificate names 127.0.0.1 */
    request = range_request(0, 9);
    check_equal(get(&request), 0);
    check_equal(result.failure.kind, MOULT_NET_CERT);
    stop();
    start(ORIGIN_GOOD);

    struct test_cert stranger;
    test_cert_make(&stranger, "another CA", NULL);
    static char text[4096];
    test_cert_save(&stranger, "http_client_test.ca", NULL);
    FILE *f = fopen("http_client_test.ca", "r");
    check(f != NULL);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    unlink("http_client_test.ca");
    test_cert_free(&stranger);
    struct moult_tls_options options = {.ca = {pem(text), {0}}};
    struct moult_tls *strict = make_tls(&options);
    struct moult_http_client strict_client;
    moult_http_client_init(&strict_client, strict);
    struct moult_http_client saved = client;
    client = strict_client;
    request = range_request(0, 9);
    check_equal(get(&request), 0);
    check_equal(result.failure.kind, MOULT_NET_CERT);
    check(result.failure.native != 0);
    moult_http_client_end(&client);
    moult_tls_free(strict);

    options.ca[1] = pem(faulty_origin_ca(origin)); /* but the backup CA vouches for it */
    strict = make_tls(&options);
    moult_http_client_init(&client, strict);
    check_equal(get(&request), 0);
    check(result.is_end);
    moult_http_client_end(&client);
    moult_tls_free(strict);
    client = saved;
    stop();
}

static void test_the_device_shows_its_certificate(void)
{
    struct test_cert ca, device;
    struct origin_counts counts;
    static char cert[4096], key[4096];
    test_cert_make(&ca, "fleet CA", NULL);
    test_cert_make(&device, "00112233", &ca);
    test_cert_save(&device, "http_client_test.pem", "http_client_test.key");
    FILE *f = fopen("http_client_test.pem", "r");
    check(f != NULL);
    cert[fread(cert, 1, sizeof cert - 1, f)] = 0;
    fclose(f);
    f = fopen("http_client_test.key", "r");
    check(f != NULL);
    key[fread(key, 1, sizeof key - 1, f)] = 0;
    fclose(f);
    unlink("http_client_test.pem");
    unlink("http_client_test.key");

    struct faulty_origin_config config = {.ca = &ca, .wants_client = true};
    start_with(&config);
    struct moult_http_request request = range_request(0, 9);
    check_equal(get(&request), 0); /* without: refused by the server */
    check_equal(result.failure.kind, MOULT_NET_TLS);
    moult_http_client_end(&client);
    moult_tls_free(tls);

    struct moult_tls_options options = {.ca = {pem(faulty_origin_ca(origin)), {0}},
                                        .certificate = pem(cert),
                                        .key = pem(key)};
    tls = make_tls(&options);
    moult_http_client_init(&client, tls);
    check_equal(get(&request), 0);
    check(result.is_end);
    faulty_origin_counts(origin, &counts);
    check(strcmp(counts.client_name, "00112233") == 0);
    stop();
    test_cert_free(&device);
    test_cert_free(&ca);
}

static void test_keys_and_certificates_that_cannot_be_read_are_named(void)
{
    struct moult_tls *made;
    int32_t native = 0;
    struct moult_tls_options options = {.ca = {pem("not a certificate"), {0}}};
    check_equal(moult_tls_new(&options, &made, &native), MOULT_E_FORMAT);
    check(native != 0 && made == NULL);
}

/* Every connection is cut somewhere; resuming by ranges must still bring the file,
 * unspoiled. */
static void test_a_file_arrives_through_a_network_that_cuts(void)
{
    start(ORIGIN_GOOD);
    struct cut_proxy_config config = {.target_port = faulty_origin_port(origin),
                                      .bytes_min = 200,
                                      .bytes_max = 30000,
                                      .seed = 42};
    struct cut_proxy *proxy = cut_proxy_start(&config);
    char base[64];
    snprintf(base, sizeof base, "https://127.0.0.1:%u", (unsigned)cut_proxy_port(proxy));
    static uint8_t got[FILE_SIZE];
    uint32_t have = 0, tries = 0;
    for (; have < FILE_SIZE && tries < 400; tries++) {
        struct moult_http_request request = range_request(have, FILE_SIZE - 1);
        request.base = base;
        check_equal(get(&request), 0);
        if (!result.had_headers) { continue; }
        check_equal(result.reply.range_from, have);
        memcpy(got + have, result.body, result.body_size);
        have += (uint32_t)result.body_size;
    }
    check_equal(have, FILE_SIZE);
    check_bytes(got, file, FILE_SIZE);
    check(cut_proxy_cuts(proxy) > 3);
    printf("%u tries, %u cuts\n", (unsigned)tries, (unsigned)cut_proxy_cuts(proxy));
    moult_http_client_end(&client);
    cut_proxy_stop(proxy);
    stop();
}

static void test_a_drip_does_not_stall_but_silence_does_after_the_time_given(void)
{
    start(ORIGIN_DRIPS);
    struct moult_http_request request = range_request(0, 19);
    check_equal(get(&request), 0);
    check(result.is_end);
    stop();
    start(ORIGIN_STALLS);
    request = range_request(0, 19);
    uint64_t before = moult_clock_ms();
    check_equal(get(&request), 0);
    uint64_t took = moult_clock_ms() - before;
    check_equal(result.failure.kind, MOULT_NET_STALL);
    check_equal(result.body_size, 10);
    check(took >= TIMEOUT_MS && took < TIMEOUT_MS + 1000);
    stop();
}

int main(void)
{
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 1); /* where there is no name server */
    check_run(test_a_range_arrives_whole);
    check_run(test_one_byte_at_a_time_gives_the_same_body);
    check_run(test_a_connection_is_used_again_and_a_new_one_resumes_the_session);
    check_run(test_a_connection_closed_meanwhile_is_replaced_unseen);
    check_run(test_a_kept_connection_that_dies_under_a_request_is_replaced_once);
    check_run(test_an_idle_connection_that_closes_is_given_up);
    check_run(test_what_each_fault_looks_like_to_the_engine);
    check_run(test_the_engine_can_see_every_lie_in_the_head);
    check_run(test_if_range_of_another_file_brings_the_whole_new_one);
    check_run(test_a_post_carries_its_body_and_prefixes_are_joined);
    check_run(test_an_absolute_url_is_taken_whole);
    check_run(test_requests_that_cannot_be_made_are_refused_at_once);
    check_run(test_a_server_that_does_not_answer_or_exist);
    check_run(test_a_name_is_resolved_and_checked);
    check_run(test_certificates_that_do_not_fit_are_refused);
    check_run(test_the_device_shows_its_certificate);
    check_run(test_keys_and_certificates_that_cannot_be_read_are_named);
    check_run(test_a_file_arrives_through_a_network_that_cuts);
    check_run(test_a_drip_does_not_stall_but_silence_does_after_the_time_given);
    return check_report();
}
