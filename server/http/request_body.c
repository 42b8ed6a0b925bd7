/* request_body.c - see request_body.h. */
#include "server/http/request_body.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_SIZE = 16384 };

enum moult_status request_body_each(const struct http_request *request,
                                    enum moult_status (*take)(void *context,
                                                              const uint8_t *data,
                                                              size_t size),
                                    void *context)
{
    if (request->body_fd < 0) {
        return take(context, request->body.data, request->body.size);
    }
    uint8_t piece[PIECE_SIZE];
    uint64_t at = 0;
    while (at < request->body_size) {
        ssize_t n = pread(request->body_fd, piece, sizeof piece, (off_t)at);
        if (n < 0 && errno == EINTR) { continue; }
        if (n <= 0) { return MOULT_E_IO; }
        enum moult_status st = take(context, piece, (size_t)n);
        if (st != MOULT_OK) { return st; }
        at += (uint64_t)n;
    }
    return MOULT_OK;
}

struct digesting {
    const struct moult_crypto *crypto;
    struct moult_sha256 hash;
};

static enum moult_status add(void *context, const uint8_t *data, size_t size)
{
    struct digesting *d = context;
    bool ok = d->crypto->sha256_update(d->crypto->context, &d->hash, data, size);
    return ok ? MOULT_OK : MOULT_E_INTERNAL;
}

enum moult_status request_body_sha256(const struct http_request *request,
                                      const struct moult_crypto *crypto, const char *prefix,
                                      uint8_t out[32])
{
    struct digesting d = {.crypto = crypto};
    if (!crypto->sha256_init(crypto->context, &d.hash)) { return MOULT_E_INTERNAL; }
    enum moult_status st = add(&d, (const uint8_t *)prefix, strlen(prefix));
    if (st == MOULT_OK) { st = request_body_each(request, add, &d); }
    if (st == MOULT_OK && !crypto->sha256_final(crypto->context, &d.hash, out)) {
        st = MOULT_E_INTERNAL;
    }
    if (st != MOULT_OK) { crypto->sha256_abort(crypto->context, &d.hash); }
    return st;
}
