/* fetch.c - see contact.h: one HTTP exchange whose body fits a buffer. */
#include <assert.h>
#include <string.h>
#include "device/src/contact.h"
#include "device/src/flow.h"
#include "device/src/route.h"

void moult_net_trouble(struct moult_session *s, const struct moult_http_failure *failure)
{
    static const struct {
        uint16_t detail, reason;
    } names[] = {
        [MOULT_NET_DNS] = {MOULT_D_NET, MOULT_R_NET_DNS},
        [MOULT_NET_CONNECT] = {MOULT_D_NET, MOULT_R_NET_CONNECT},
        [MOULT_NET_TLS] = {MOULT_D_TLS, MOULT_R_NET_TLS_HANDSHAKE},
        [MOULT_NET_CERT] = {MOULT_D_TLS, MOULT_R_NET_TLS_CERT},
        [MOULT_NET_STALL] = {MOULT_D_NET, MOULT_R_NET_STALL},
        [MOULT_NET_RESET] = {MOULT_D_NET, MOULT_R_NET_RESET},
        [MOULT_NET_PROTOCOL] = {MOULT_D_HTTP, MOULT_R_HTTP_STATUS},
    };
    unsigned kind = failure->kind <= MOULT_NET_PROTOCOL ? failure->kind : MOULT_NET_RESET;
    moult_trouble_as(s, (enum moult_detail)names[kind].detail,
                     (enum moult_reason)names[kind].reason, failure->native);
}

void moult_http_trouble(struct moult_session *s, uint16_t status)
{
    moult_trouble(s, MOULT_D_HTTP, status);
}

const char *moult_base(struct moult_session *s, bool is_artifact)
{
    return s->routes ? s->routes->hooks->base(s, is_artifact) : s->config.base_url;
}

bool moult_fetch_begin(struct moult_session *s, const char *path, struct moult_bytes body)
{
    assert(path[0] == '/' && body.size <= MOULT_REQUEST_SIZE_MAX);
    struct moult_http_request request = {
        .method = body.size > 0 ? MOULT_HTTP_POST : MOULT_HTTP_GET,
        .base = moult_base(s, false),
        .path = path,
        .content_type = body.size > 0 ? "application/cbor" : NULL,
        .body = {body.data, body.size},
        .timeout_ms = s->config.http_timeout_ms,
    };
    memset(&s->http, 0, sizeof s->http);
    int32_t native = s->port->http_start(s->port->context, &request);
    if (native == 0) { return true; }
    moult_trouble(s, MOULT_D_NET, native);
    return false;
}

static enum moult_fetch stop(struct moult_session *s, enum moult_fetch why)
{
    s->port->http_cancel(s->port->context);
    return why;
}

static enum moult_fetch at_headers(struct moult_session *s, uint16_t capacity)
{
    if (s->http.status < 200 || s->http.status > 299) {
        moult_http_trouble(s, s->http.status);
        return stop(s, MOULT_FETCH_FAILED);
    }
    if (s->http.has_length && s->http.length > capacity) {
        return stop(s, MOULT_FETCH_TOO_LARGE);
    }
    return MOULT_FETCH_BUSY;
}

enum moult_fetch moult_fetch_poll(struct moult_session *s, uint8_t *out, uint16_t capacity,
                                  uint16_t *size)
{
    struct moult_http_failure failure = {MOULT_NET_RESET, 0};
    uint8_t spare; /* a full buffer: only the end may come now */
    bool is_full = *size == capacity;
    assert(*size <= capacity);
    size_t got = 0;
    enum moult_http_event event = s->port->http_poll(
        s->port->context, is_full ? &spare : out + *size,
        is_full ? 1 : (size_t)(capacity - *size), &got, &s->http, &failure);
    switch (event) {
    case MOULT_HTTP_NOT_YET:
        moult_wait_for(s, MOULT_POLL_MS);
        return MOULT_FETCH_BUSY;
    case MOULT_HTTP_HEADERS:
        return at_headers(s, capacity);
    case MOULT_HTTP_BODY:
        if (is_full) { return stop(s, MOULT_FETCH_TOO_LARGE); }
        assert(got <= (size_t)(capacity - *size));
        *size = (uint16_t)(*size + got);
        return MOULT_FETCH_BUSY;
    case MOULT_HTTP_END:
        if (!s->http.has_length || *size == s->http.length) { return MOULT_FETCH_DONE; }
        break; /* cut short: to be fetched again, not to be judged */
    case MOULT_HTTP_FAILED:
        break;
    }
    moult_net_trouble(s, &failure);
    return MOULT_FETCH_FAILED;
}

char *moult_decimal(char *to, uint32_t value)
{
    char digits[10];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0) {
        *to++ = digits[--count];
    }
    *to = '\0';
    return to;
}
