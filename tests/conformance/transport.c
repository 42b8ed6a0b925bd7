/* transport.c - promises of http_start, http_poll and http_cancel.
 *
 * Against a scripted server (fixture.origin) that serves a known file with one fault at a
 * time, and a mirror whose reply is the request's body, so that every head that is tried is
 * in this file.
 */
#include <stdio.h>
#include "tests/conformance/promise.h"

enum {
    TIMEOUT_MS = 3000,  /* of requests that should succeed: the machine may be busy */
    STALL_MS = 400,     /* of those that run into it */
    PATIENCE_MS = 5000, /* beyond the timeout, until a request is given up */
    FROM = 8192,
    TO = 16383, /* of the file, where a test does not mind */
    RAW_MAX = 1024,
    SLOW_TRIES = 3, /* a busy machine may delay a call, but not three times */
};

/* How a request ended, and what was seen on the way. */
struct outcome {
    int32_t started; /* result of http_start */
    enum moult_http_event last;
    bool had_headers, has_headers_twice, has_early_body, has_bad_size, is_off;
    struct moult_http_reply reply;
    struct moult_http_failure failure;
    size_t size; /* of the body */
    uint64_t took_ms;
};

static struct moult_http_request range(const char *base, uint32_t from, uint32_t to)
{
    return (struct moult_http_request){.base = base,
                                       .path = CONFORM_FILE_PATH,
                                       .has_range = true,
                                       .range_from = from,
                                       .range_to = to,
                                       .timeout_ms = TIMEOUT_MS};
}

static uint64_t now_ms(const struct conform *c)
{
    return c->fixture->now_ms(c->fixture->context);
}

static void note_body(struct conform *c, size_t capacity, size_t size, struct outcome *out)
{
    if (!out->had_headers) { out->has_early_body = true; }
    if (size == 0 || size > capacity) {
        out->has_bad_size = true;
        return;
    }
    for (size_t i = 0; i < size; i++) {
        uint32_t at = (uint32_t)(out->reply.range_from + out->size + i);
        if (c->b[i] != conform_file_byte(at)) { out->is_off = true; }
    }
    if (out->size < RAW_MAX) { /* what a mirror sends is compared as a whole */
        size_t room = RAW_MAX - out->size;
        memcpy(c->a + 2048 + out->size, c->b, size < room ? size : room);
    }
    out->size += size;
}

/* One look. True: the request is over. */
static bool poll_once(struct conform *c, size_t capacity, struct outcome *out)
{
    size_t size = 0;
    out->last = c->port.http_poll(c->port.context, c->b, capacity, &size, &out->reply,
                                  &out->failure);
    switch (out->last) {
    case MOULT_HTTP_HEADERS:
        out->has_headers_twice = out->had_headers;
        out->had_headers = true;
        return false;
    case MOULT_HTTP_BODY:
        note_body(c, capacity, size, out);
        return out->has_bad_size;
    case MOULT_HTTP_NOT_YET:
        if (c->fixture->idle) { c->fixture->idle(c->fixture->context); }
        return false;
    default:
        return true;
    }
}

static void finish(struct conform *c, uint32_t timeout_ms, size_t capacity,
                   struct outcome *out)
{
    uint64_t from = now_ms(c);
    while (!poll_once(c, capacity, out)) {
        if (now_ms(c) - from > timeout_ms + PATIENCE_MS) {
            c->port.http_cancel(c->port.context);
            break;
        }
    }
    out->took_ms = now_ms(c) - from;
}

static void fetch(struct conform *c, const struct moult_http_request *request,
                  struct outcome *out)
{
    memset(out, 0, sizeof *out);
    out->started = c->port.http_start(c->port.context, request);
    if (out->started == 0) { finish(c, request->timeout_ms, 1000, out); }
}

/* Rules that hold for every request. False: noted. */
static bool is_lawful(struct conform *c, const struct outcome *out)
{
    return conform_equal(c, out->started, 0, "the result of http_start") &&
           conform_equal(c, out->has_headers_twice, 0, "HEADERS seen twice") &&
           conform_equal(c, out->has_early_body, 0, "BODY seen before HEADERS") &&
           conform_equal(c, out->has_bad_size, 0, "BODY of no bytes, or over capacity") &&
           (out->last == MOULT_HTTP_END || out->last == MOULT_HTTP_FAILED ||
            conform_equal(c, out->last, MOULT_HTTP_END,
                          "the last event (3 END, 4 FAILED)"));
}

static bool ended(struct conform *c, const struct outcome *out)
{
    return is_lawful(c, out) &&
           conform_equal(c, out->last, MOULT_HTTP_END, "the last event (3 END)") &&
           conform_equal(c, out->had_headers, 1, "HEADERS seen");
}

static bool failed(struct conform *c, const struct outcome *out,
                   enum moult_net_failure kind, const char *what)
{
    return is_lawful(c, out) &&
           conform_equal(c, out->last, MOULT_HTTP_FAILED, "the last event (4 FAILED)") &&
           conform_equal(c, out->failure.kind, kind, what);
}

/* What every promise here needs. NULL: *verdict says why not. */
static const char *origin(struct conform *c, const char *fault,
                          enum conform_verdict *verdict)
{
    const struct conform_fixture *f = c->fixture;
    *verdict = CONFORM_SKIPPED;
    if (!f->origin) {
        (void)conform_skipped(c, "the fixture has no transport, or no server to try it "
                                 "on"); /* in *verdict */
        return NULL;
    }
    if (!c->port.http_start || !c->port.http_poll || !c->port.http_cancel) {
        *verdict =
            conform_broken(c, "expected http_start, http_poll and http_cancel, found NULL");
        return NULL;
    }
    const char *url = f->origin(f->context, fault);
    if (!url) { (void)conform_skipped(c, "the fixture has no server that is %s", fault); }
    return url;
}

#define ORIGIN(fault)                                                                      \
    enum conform_verdict not_served;                                                       \
    struct outcome out;                                                                    \
    const char *base = origin(c, fault, &not_served);                                      \
    if (!base) { return not_served; }

/* --- The good way --------------------------------------------------------------------- */

static enum conform_verdict ranges(struct conform *c)
{
    ORIGIN("good");
    struct moult_http_request request = range(base, FROM, TO);
    fetch(c, &request, &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.status, 206, "the status of a range");
    EXPECT(out.reply.has_length && out.reply.has_range, "length and range in the reply",
           "one missing");
    EXPECT_EQUAL(out.reply.length, TO - FROM + 1, "length");
    EXPECT_EQUAL(out.reply.range_from, FROM, "range_from");
    EXPECT_EQUAL(out.reply.range_to, TO, "range_to, inclusive");
    EXPECT_EQUAL(out.reply.range_total, CONFORM_FILE_SIZE, "range_total");
    EXPECT_EQUAL(out.size, TO - FROM + 1, "the bytes of the body");
    EXPECT(!out.is_off, "the bytes of the file", "others");
    EXPECT_EQUAL(out.reply.etag[0], '"', "the first character of a strong ETag");
    return CONFORM_KEPT;
}

static enum conform_verdict capacity_is_kept(struct conform *c)
{
    static const size_t capacities[] = {1, 2, 31, 4096};
    ORIGIN("good");
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        struct moult_http_request request = range(base, 100, 1099);
        memset(&out, 0, sizeof out);
        out.started = c->port.http_start(c->port.context, &request);
        finish(c, TIMEOUT_MS, capacities[i], &out);
        EXPECT_DONE(ended(c, &out));
        EXPECT_EQUAL(out.size, 1000, "the bytes of the body");
        EXPECT(!out.is_off, "the bytes of the file", "others");
    }
    return CONFORM_KEPT;
}

/* Mirror: the reply is the body of the request. */
static void reflect(struct conform *c, const char *base, const char *raw,
                    struct outcome *out)
{
    struct moult_http_request request = {.method = MOULT_HTTP_POST,
                                         .base = base,
                                         .path = CONFORM_MIRROR_PATH,
                                         .content_type = "application/octet-stream",
                                         .body = {(const uint8_t *)raw, strlen(raw)},
                                         .timeout_ms = TIMEOUT_MS};
    fetch(c, &request, out);
}

static enum conform_verdict posts(struct conform *c)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n";
    ORIGIN("good");
    size_t size = sizeof head - 1 + 4000; /* the largest body is 4,096 */
    memcpy(c->a, head, sizeof head - 1);
    conform_fill(c->a + sizeof head - 1, 1000, 5);
    memset(c->a + sizeof head - 1 + 1000, 'x', 3000);
    struct moult_http_request request = {.method = MOULT_HTTP_POST,
                                         .base = base,
                                         .path = CONFORM_MIRROR_PATH,
                                         .content_type = "application/cbor",
                                         .body = {c->a, size},
                                         .timeout_ms = TIMEOUT_MS};
    memset(&out, 0, sizeof out);
    out.started = c->port.http_start(c->port.context, &request);
    while (out.started == 0 && !out.had_headers && !poll_once(c, 1000, &out)) {}
    finish(c, TIMEOUT_MS, 1000, &out); /* from HEADERS on the body may be overwritten */
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.size, 4000, "the bytes that came back");
    conform_fill(c->b, 1000, 5);
    EXPECT_BYTES(c->a + 2048, c->b, 1000, "the body that was posted");
    return CONFORM_KEPT;
}

static enum conform_verdict joins(struct conform *c)
{
    char url[128], whole[192];
    ORIGIN("good");
    (void)snprintf(url, sizeof url, "%s/", base); /* fits: https://address:port */
    struct moult_http_request request = range(url, 0, 99);
    fetch(c, &request, &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.status, 206, "the status, where the base ends with a slash");
    (void)snprintf(whole, sizeof whole, "%s%s", base, CONFORM_FILE_PATH); /* fits */
    request = range(NULL, 0, 99);
    request.path = whole;
    fetch(c, &request, &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.status, 206, "the status of an absolute URL without base");
    (void)snprintf(url, sizeof url, "%s/no/such/prefix", base); /* fits */
    request = range(url, 0, 99);
    fetch(c, &request, &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.status, 404, "the status, where the base has a prefix");
    return CONFORM_KEPT;
}

static enum conform_verdict if_range(struct conform *c)
{
    ORIGIN("good");
    struct moult_http_request request = range(base, FROM, TO);
    request.if_range = "\"another file\"";
    fetch(c, &request, &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.status, 200, "the status, where If-Range names another file");
    EXPECT(!out.reply.has_range, "no range in a reply of the whole", "one");
    EXPECT_EQUAL(out.size, CONFORM_FILE_SIZE, "the bytes of the body");
    return CONFORM_KEPT;
}

/* --- Heads ---------------------------------------------------------------------------- */

static enum conform_verdict statuses(struct conform *c)
{
    static const uint16_t rows[] = {200, 204, 400, 401, 404, 416, 429, 500, 503};
    ORIGIN("good");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char raw[96];
        (void)snprintf(raw, sizeof raw, "HTTP/1.1 %u x\r\n%s\r\n", rows[i],
                       rows[i] == 204 ? "" : "Content-Length: 0\r\n"); /* fits */
        reflect(c, base, raw, &out);
        EXPECT_DONE(ended(c, &out));
        EXPECT_EQUAL(out.reply.status, rows[i], "the status, handed on as it came");
        EXPECT_EQUAL(out.size, 0, "the bytes of an empty body");
    }
    return CONFORM_KEPT;
}

static enum conform_verdict redirects(struct conform *c)
{
    static const char *const faults[] = {"redirects", "redirects-http"};
    for (size_t i = 0; i < 2; i++) {
        ORIGIN(faults[i]);
        struct moult_http_request request = range(base, FROM, TO);
        fetch(c, &request, &out);
        EXPECT_DONE(ended(c, &out));
        EXPECT_EQUAL(out.reply.status, 302, "the status of a redirect, not followed");
    }
    return CONFORM_KEPT;
}

/* One header line in a reply of ten bytes. */
static void reply_with(struct conform *c, const char *base, unsigned status,
                       const char *header, struct outcome *out)
{
    char raw[512];
    (void)snprintf(raw, sizeof raw,
                   "HTTP/1.1 %u x\r\n%s\r\nContent-Length: 10\r\n\r\n0123456789", status,
                   header); /* fits */
    reflect(c, base, raw, out);
}

static enum conform_verdict content_range(struct conform *c)
{
    static const char *const bad[] = {
        "bytes 0-9",
        "bytes 9-0/100",
        "bytes 0-100/100",
        "bytes=0-9/100",
        "0-9/100",
        "bytes 0-9/",
        "bytes -9/100",
        "bytes 0-/100",
        "bytes 0-9/100 x",
        "bytes 0x0-9/100",
        "bytes +0-9/100",
        "bytes 0-9/-1",
        "bytes 0 - 9 / 100x",
        "bytes 0-9/100,200",
        "lines 0-9/100",
        "bytes a-b/c",
        "bytes 0-4294967296/4294967297",
    };
    ORIGIN("good");
    reply_with(c, base, 206, "Content-Range: bytes 20-29/100", &out);
    EXPECT_DONE(ended(c, &out)); /* else a refusal says nothing */
    EXPECT(out.reply.has_range && out.reply.range_from == 20 && out.reply.range_to == 29 &&
               out.reply.range_total == 100,
           "the range bytes 20-29/100", "another");
    reply_with(c, base, 206, "Content-Range: bytes 20-29/*", &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT(out.reply.has_range && out.reply.range_to == 29 && out.reply.range_total == 0,
           "range_total 0 of bytes 20-29/*", "another");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char header[96];
        (void)snprintf(header, sizeof header, "Content-Range: %s", bad[i]); /* fits */
        reply_with(c, base, 206, header, &out);
        EXPECT_DONE(is_lawful(c, &out));
        if (out.had_headers && out.reply.has_range) {
            return conform_broken(c, "expected no range from \"%s\", found %u-%u/%u",
                                  bad[i], (unsigned)out.reply.range_from,
                                  (unsigned)out.reply.range_to,
                                  (unsigned)out.reply.range_total);
        }
    }
    return CONFORM_KEPT;
}

static enum conform_verdict etags(struct conform *c)
{
    static const struct {
        const char *header, *etag;
    } rows[] = {
        {"ETag: \"abc-123\"", "\"abc-123\""},
        {"etag: \"lower\"", "\"lower\""},
        {"ETag: W/\"weak\"", ""},
        {"ETag: unquoted", ""},
        {"ETag: \"0123456789012345678901234567890123456789012345678901234567890123456789"
         "01234567890123456789\"",
         ""},
        {"X-Other: \"none\"", ""},
    };
    ORIGIN("good");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reply_with(c, base, 200, rows[i].header, &out);
        EXPECT_DONE(ended(c, &out));
        out.reply.etag[MOULT_ETAG_MAX - 1] = 0;
        if (strcmp(out.reply.etag, rows[i].etag) != 0) {
            return conform_broken(c, "expected the ETag <%s> from <%s>, found <%s>",
                                  rows[i].etag, rows[i].header, out.reply.etag);
        }
    }
    return CONFORM_KEPT;
}

static enum conform_verdict retry_after(struct conform *c)
{
    ORIGIN("good");
    reply_with(c, base, 503, "Retry-After: 120", &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.retry_after_s, 120, "retry_after_s");
    reply_with(c, base, 503, "Retry-After: Fri, 31 Dec 2027 23:59:59 GMT", &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.retry_after_s, 0, "retry_after_s of a date");
    reply_with(c, base, 503, "X-Other: 1", &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.retry_after_s, 0, "retry_after_s, absent, after one of 120");
    return CONFORM_KEPT;
}

static enum conform_verdict lengths(struct conform *c)
{
    ORIGIN("good");
    reflect(c, base, "HTTP/1.1 200 x\r\nContent-Length: 4294967296\r\n\r\n0123", &out);
    EXPECT_DONE(failed(c, &out, MOULT_NET_PROTOCOL,
                       "the failure of a length over 32 bits (6 PROTOCOL)"));
    reflect(c, base, "HTTP/1.1 200 x\r\nContent-Length: -1\r\n\r\n0123", &out);
    EXPECT_DONE(failed(c, &out, MOULT_NET_PROTOCOL,
                       "the failure of a negative length (6 PROTOCOL)"));
    return CONFORM_KEPT;
}

static enum conform_verdict chunks(struct conform *c)
{
    ORIGIN("chunked");
    struct moult_http_request request = range(base, FROM, TO);
    fetch(c, &request, &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT(!out.reply.has_length, "no length in a reply of chunks", "one");
    EXPECT_EQUAL(out.size, TO - FROM + 1, "the bytes of the body");
    EXPECT(!out.is_off, "the bytes of the file", "others");
    return CONFORM_KEPT;
}

/* --- Failures ------------------------------------------------------------------------- */

static enum conform_verdict lost_connection(struct conform *c)
{
    static const char *const faults[] = {"truncates", "resets"};
    for (size_t i = 0; i < 2; i++) {
        ORIGIN(faults[i]);
        struct moult_http_request request = range(base, FROM, TO);
        fetch(c, &request, &out);
        EXPECT_DONE(failed(c, &out, MOULT_NET_RESET,
                           "the failure of a connection lost in the body (5 RESET)"));
    }
    return CONFORM_KEPT;
}

static enum conform_verdict stall(struct conform *c)
{
    ORIGIN("stalls");
    struct moult_http_request request = range(base, FROM, TO);
    request.timeout_ms = STALL_MS;
    fetch(c, &request, &out);
    EXPECT_DONE(failed(c, &out, MOULT_NET_STALL,
                       "the failure when nothing moves for timeout_ms (4 STALL)"));
    EXPECT(out.took_ms >= STALL_MS, "at least timeout_ms of patience", "less");
    EXPECT(out.took_ms < 5 * STALL_MS, "a stall noticed soon after timeout_ms", "later");
    return CONFORM_KEPT;
}

static enum conform_verdict slow_is_no_stall(struct conform *c)
{
    ORIGIN("drips"); /* a byte every 50 ms */
    struct moult_http_request request = range(base, 0, 29);
    request.timeout_ms = 1000;
    fetch(c, &request, &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.size, 30, "the bytes of a body that drips for longer than timeout_ms");
    return CONFORM_KEPT;
}

static enum conform_verdict failure_of(struct conform *c, const char *fault,
                                       enum moult_net_failure kind, const char *what)
{
    ORIGIN(fault);
    struct moult_http_request request = range(base, FROM, TO);
    fetch(c, &request, &out);
    EXPECT_DONE(failed(c, &out, kind, what));
    return CONFORM_KEPT;
}

static enum conform_verdict not_http(struct conform *c)
{
    static const char *const faults[] = {"garbage", "two-lengths", "bad-chunks"};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        enum conform_verdict verdict =
            failure_of(c, faults[i], MOULT_NET_PROTOCOL,
                       "the failure of what is not HTTP (6 PROTOCOL)");
        if (verdict != CONFORM_KEPT) { return verdict; }
    }
    return CONFORM_KEPT;
}

static enum conform_verdict not_tls(struct conform *c)
{
    return failure_of(c, "no-tls", MOULT_NET_TLS, "the failure of plain text (2 TLS)");
}

static enum conform_verdict stranger(struct conform *c)
{
    return failure_of(c, "stranger", MOULT_NET_CERT,
                      "the failure of a certificate of another CA (3 CERT)");
}

static enum conform_verdict refused(struct conform *c)
{
    ORIGIN("good");
    struct moult_http_request request = range("https://127.0.0.1:1", FROM, TO);
    (void)base; /* a server is there, but not on port 1 */
    fetch(c, &request, &out);
    EXPECT_DONE(failed(c, &out, MOULT_NET_CONNECT,
                       "the failure where nothing listens (1 CONNECT)"));
    return CONFORM_KEPT;
}

static enum conform_verdict no_such_name(struct conform *c)
{
    ORIGIN("good");
    struct moult_http_request request = range("https://no-such-host.invalid", FROM, TO);
    request.timeout_ms = 1600;
    (void)base; /* not asked */
    fetch(c, &request, &out);
    EXPECT_DONE(failed(c, &out, MOULT_NET_DNS, "the failure of a name (0 DNS)"));
    return CONFORM_KEPT;
}

/* --- Lifetimes ------------------------------------------------------------------------ */

/* The struct is copied by http_start; strings and body are borrowed until HEADERS. */
static enum conform_verdict borrows(struct conform *c)
{
    char url[96], path[64], etag[16];
    ORIGIN("good");
    (void)snprintf(url, sizeof url, "%s", base);                /* fits */
    (void)snprintf(path, sizeof path, "%s", CONFORM_FILE_PATH); /* fits */
    (void)snprintf(etag, sizeof etag, "\"other\"");             /* fits */
    struct moult_http_request request = range(url, FROM, TO);
    request.path = path;
    memset(&out, 0, sizeof out);
    out.started = c->port.http_start(c->port.context, &request);
    request = range(base, 0, 9); /* copied: this must not matter */
    request.path = "/elsewhere";
    while (out.started == 0 && !out.had_headers && !poll_once(c, 500, &out)) {}
    memset(url, 'x', sizeof url - 1); /* nor this, from HEADERS on */
    memset(path, 'x', sizeof path - 1);
    if (out.last == MOULT_HTTP_HEADERS) { finish(c, TIMEOUT_MS, 500, &out); }
    EXPECT_DONE(ended(c, &out));
    EXPECT_EQUAL(out.reply.status, 206, "the status");
    EXPECT(out.size == TO - FROM + 1 && !out.is_off, "the bytes of the file", "others");
    return CONFORM_KEPT;
}

/* Cancelled before, in and after the body: nothing of it is seen in the next request. */
static enum conform_verdict cancels(struct conform *c)
{
    ORIGIN("good");
    c->port.http_cancel(c->port.context); /* without a request: harmless */
    for (int looks = 0; looks < 60; looks += 4) {
        struct moult_http_request request = range(base, 0, CONFORM_FILE_SIZE - 1);
        memset(&out, 0, sizeof out);
        EXPECT_EQUAL(c->port.http_start(c->port.context, &request), 0,
                     "http_start after http_cancel");
        for (int i = 0; i < looks && !poll_once(c, 100, &out); i++) {}
        c->port.http_cancel(c->port.context);
        c->port.http_cancel(c->port.context);
        request = range(base, 40000, 40099);
        fetch(c, &request, &out);
        EXPECT_DONE(ended(c, &out));
        EXPECT_EQUAL(out.reply.range_from, 40000, "range_from of the next request");
        EXPECT(out.size == 100 && !out.is_off, "the bytes of the next request", "others");
    }
    return CONFORM_KEPT;
}

static enum conform_verdict goes_on_after_failure(struct conform *c)
{
    enum conform_verdict verdict = failure_of(c, "resets", MOULT_NET_RESET,
                                              "the failure of a lost connection (5 RESET)");
    if (verdict != CONFORM_KEPT) { return verdict; }
    ORIGIN("good");
    struct moult_http_request request = range(base, FROM, TO);
    fetch(c, &request, &out);
    EXPECT_DONE(ended(c, &out));
    EXPECT(out.size == TO - FROM + 1 && !out.is_off, "the bytes of the file", "others");
    return CONFORM_KEPT;
}

/* --- Time ----------------------------------------------------------------------------- */

/* Against a server that is silent at the handshake, and one that is in the body. */
static enum conform_verdict never_blocks(struct conform *c)
{
    static const char *const faults[] = {"mute", "stalls", "good"};
    uint32_t most =
        c->fixture->erase_ms_max ? c->fixture->erase_ms_max : CONFORM_ERASE_MS_MAX;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        uint32_t least = UINT32_MAX;
        for (int try = 0; try < SLOW_TRIES && least > most; try++) {
            ORIGIN(faults[i]);
            struct moult_http_request request = range(base, FROM, TO);
            request.timeout_ms = 3 * most;
            c->longest_ms = 0;
            fetch(c, &request, &out);
            EXPECT_DONE(is_lawful(c, &out));
            if (c->longest_ms < least) { least = c->longest_ms; }
        }
        if (least > most) {
            return conform_broken(c,
                                  "expected calls of at most %u ms, found %s to take %u "
                                  "(server: %s)",
                                  (unsigned)most, c->longest, (unsigned)least, faults[i]);
        }
    }
    return CONFORM_KEPT;
}

const struct conform_promise conform_transport[] = {
    {"transport.ranges", ranges},
    {"transport.capacity", capacity_is_kept},
    {"transport.post", posts},
    {"transport.url", joins},
    {"transport.if-range", if_range},
    {"transport.status-as-it-came", statuses},
    {"transport.no-redirect", redirects},
    {"transport.content-range-strict", content_range},
    {"transport.etag-strong-or-empty", etags},
    {"transport.retry-after", retry_after},
    {"transport.length", lengths},
    {"transport.chunks", chunks},
    {"transport.lost-is-failed", lost_connection},
    {"transport.stall", stall},
    {"transport.slow-is-no-stall", slow_is_no_stall},
    {"transport.failed-protocol", not_http},
    {"transport.failed-tls", not_tls},
    {"transport.failed-certificate", stranger},
    {"transport.failed-connect", refused},
    {"transport.failed-dns", no_such_name},
    {"transport.borrows-until-headers", borrows},
    {"transport.cancel", cancels},
    {"transport.goes-on-after-failure", goes_on_after_failure},
    {"transport.never-blocks", never_blocks},
    {NULL, NULL},
};
