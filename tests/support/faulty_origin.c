/* faulty_origin.c - see faulty_origin.h. */
#include "tests/support/faulty_origin.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_SIZE_MAX = 16384, HEAD_SIZE_MAX = 1024, TICK_MS = 20, PIECE = 1024 };

struct faulty_origin {
    struct faulty_origin_config config;
    struct test_cert ca, cert;
    bool owns_ca;
    SSL_CTX *tls;
    int listener;
    uint16_t port;
    char url[64], ca_pem[4096], etag[80];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned open_count;
    atomic_bool is_stopping;
    struct origin_counts counts;
};

/* One connection. */
struct peer {
    struct faulty_origin *origin;
    int fd;
    SSL *ssl;
    char request[REQUEST_SIZE_MAX + 1];
    size_t size;
    unsigned answered;
};

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "faulty_origin: %s failed\n", what);
    abort();
}

static const char *const words[] = {
#define X(name, word, what) [ORIGIN_##name] = word,
    ORIGIN_FAULTS(X)
#undef X
};
static const char *const whats[] = {
#define X(name, word, what) [ORIGIN_##name] = what,
    ORIGIN_FAULTS(X)
#undef X
};

const char *origin_fault_word(enum origin_fault fault)
{
    return words[fault];
}

const char *origin_fault_what(enum origin_fault fault)
{
    return whats[fault];
}

enum origin_fault origin_fault_named(const char *word)
{
    int i = 0;
    while (i < ORIGIN_FAULT_COUNT && strcmp(words[i], word) != 0) {
        i++;
    }
    return (enum origin_fault)i;
}

static void sleep_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* --- Bytes in and out ------------------------------------------------------------------
 */

static bool send_bytes(struct peer *peer, const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        int put = SSL_write(peer->ssl, (const char *)data + at, (int)(size - at));
        if (put <= 0) { return false; }
        at += (size_t)put;
    }
    return true;
}

/* Wait until the client says something. False: it has gone, or we are stopping. */
static bool await_input(struct peer *peer)
{
    while (!peer->origin->is_stopping) {
        struct pollfd wait = {.fd = peer->fd, .events = POLLIN};
        if (SSL_pending(peer->ssl) > 0 || poll(&wait, 1, TICK_MS) > 0) { return true; }
    }
    return false;
}

static size_t announced_size(const char *head)
{
    const char *line = strcasestr(head, "\r\ncontent-length:");
    return line ? (size_t)strtoul(line + 17, NULL, 10) : 0;
}

/* One request with its body. False: no more. */
static bool receive_request(struct peer *peer)
{
    peer->size = 0;
    for (;;) {
        peer->request[peer->size] = 0;
        const char *end = strstr(peer->request, "\r\n\r\n");
        if (end) {
            size_t head = (size_t)(end + 4 - peer->request);
            if (peer->size >= head + announced_size(peer->request)) { return true; }
        }
        if (peer->size == REQUEST_SIZE_MAX || !await_input(peer)) { return false; }
        int got = SSL_read(peer->ssl, peer->request + peer->size,
                           (int)(REQUEST_SIZE_MAX - peer->size));
        if (got <= 0) { return false; }
        peer->size += (size_t)got;
    }
}

/* --- The file ---------------------------------------------------------------------------
 */

/* What is sent of the file, and how it is described. */
struct reply {
    enum origin_fault fault;
    bool is_partial;
    size_t from, to; /* of the file, to excluded */
    size_t total;    /* as claimed */
    const char *etag;
    char etag_space[96];
    char head[HEAD_SIZE_MAX];
};

static bool read_range(const char *request, size_t *from, size_t *to)
{
    const char *line = strcasestr(request, "\r\nrange: bytes=");
    unsigned long first, last;
    if (!line || sscanf(line + 15, "%lu-%lu", &first, &last) != 2 || last < first) {
        return false;
    }
    *from = first;
    *to = last + 1;
    return true;
}

static bool if_range_holds(const char *request, const char *etag)
{
    const char *line = strcasestr(request, "\r\nif-range: ");
    return !line || strncmp(line + 12, etag, strlen(etag)) == 0;
}

/* The fault for the next request of the file. */
static enum origin_fault next_fault(struct faulty_origin *origin)
{
    const struct faulty_origin_config *config = &origin->config;
    pthread_mutex_lock(&origin->lock);
    uint32_t number = origin->counts.file_requests++;
    pthread_mutex_unlock(&origin->lock);
    if (number < config->good_first) { return ORIGIN_GOOD; }
    bool is_over =
        config->fault_count && number - config->good_first >= config->fault_count;
    return is_over ? ORIGIN_GOOD : config->fault;
}

static void choose_etag(struct peer *peer, struct reply *reply)
{
    const char *etag = peer->origin->etag;
    reply->etag = reply->etag_space;
    if (reply->fault == ORIGIN_WEAK_ETAG) {
        snprintf(reply->etag_space, sizeof reply->etag_space, "W/%s", etag);
    } else if (reply->fault == ORIGIN_WRONG_ETAG) {
        snprintf(reply->etag_space, sizeof reply->etag_space, "\"other-%u\"",
                 (unsigned)peer->origin->counts.file_requests);
    } else if (reply->fault == ORIGIN_CHANGES_FILE) {
        snprintf(reply->etag_space, sizeof reply->etag_space, "\"changed\"");
    } else {
        reply->etag = etag;
    }
}

static void plan_file(struct peer *peer, struct reply *reply)
{
    const size_t size = peer->origin->config.file_size;
    reply->from = 0;
    reply->to = size;
    choose_etag(peer, reply);
    reply->is_partial = read_range(peer->request, &reply->from, &reply->to) &&
                        reply->from < size && if_range_holds(peer->request, reply->etag) &&
                        reply->fault != ORIGIN_IGNORES_RANGE;
    if (!reply->is_partial) { reply->from = 0; }
    if (!reply->is_partial || reply->to > size) { reply->to = size; }
    reply->total = size + (reply->fault == ORIGIN_WRONG_TOTAL);
    if (reply->fault == ORIGIN_WRONG_RANGE) {
        reply->from = reply->from + 4096 < size ? reply->from + 4096 : 0;
        reply->to = reply->from + 4096 < size ? reply->from + 4096 : size;
    }
    if (reply->fault == ORIGIN_SHORT_RANGE && reply->to - reply->from > 1) {
        reply->to = reply->from + (reply->to - reply->from) / 2;
    }
}

MOULT_PRINTF(2, 3)
static void add(struct reply *reply, const char *format, ...)
{
    size_t used = strlen(reply->head);
    va_list args;
    va_start(args, format);
    int size = vsnprintf(reply->head + used, sizeof reply->head - used, format, args);
    va_end(args);
    must(size > 0 && (size_t)size < sizeof reply->head - used, "head of a reply");
}

static void write_head(struct reply *reply)
{
    size_t length = reply->to - reply->from + (reply->fault == ORIGIN_LONGER);
    bool is_chunked = reply->fault == ORIGIN_CHUNKED || reply->fault == ORIGIN_BAD_CHUNKS;
    reply->head[0] = 0;
    add(reply, "HTTP/1.1 %s\r\n", reply->is_partial ? "206 Partial Content" : "200 OK");
    add(reply, "Content-Type: application/octet-stream\r\nETag: %s\r\n", reply->etag);
    if (reply->is_partial && reply->fault != ORIGIN_NO_RANGE_HEADER) {
        add(reply, "Content-Range: bytes %zu-%zu/%zu\r\n", reply->from, reply->to - 1,
            reply->total);
    }
    if (is_chunked) {
        add(reply, "Transfer-Encoding: chunked\r\n");
    } else {
        add(reply, "Content-Length: %zu\r\n", length);
    }
    if (reply->fault == ORIGIN_TWO_LENGTHS) {
        add(reply, "Content-Length: %zu\r\n", length);
    }
    add(reply, "\r\n");
}

static void copy_file(struct peer *peer, const struct reply *reply, size_t at, uint8_t *out,
                      size_t size)
{
    memcpy(out, peer->origin->config.file + at, size);
    for (size_t i = 0; i < size && reply->fault == ORIGIN_CHANGES_FILE; i++) {
        out[i] ^= 0x5a;
    }
    size_t middle = reply->from + (reply->to - reply->from) / 2;
    if (reply->fault == ORIGIN_CORRUPTS && middle >= at && middle < at + size) {
        out[middle - at] ^= 0x08;
    }
}

static bool send_chunk(struct peer *peer, const struct reply *reply, const uint8_t *data,
                       size_t size)
{
    char line[32];
    if (reply->fault == ORIGIN_CHUNKED) {
        int length = snprintf(line, sizeof line, "%zx\r\n", size);
        return send_bytes(peer, line, (size_t)length) && send_bytes(peer, data, size) &&
               send_bytes(peer, "\r\n", 2);
    }
    if (reply->fault == ORIGIN_BAD_CHUNKS) { return send_bytes(peer, "0x10\r\n", 6); }
    return send_bytes(peer, data, size);
}

/* Where the body stops short; its end when it does not. */
static size_t stop_of(const struct reply *reply)
{
    bool stops = reply->fault == ORIGIN_TRUNCATES || reply->fault == ORIGIN_RESETS ||
                 reply->fault == ORIGIN_STALLS;
    return stops ? reply->from + (reply->to - reply->from) / 2 : reply->to;
}

static bool send_body(struct peer *peer, const struct reply *reply)
{
    uint8_t piece[PIECE];
    size_t stop = stop_of(reply);
    for (size_t at = reply->from; at < stop && !peer->origin->is_stopping;) {
        size_t size = stop - at < sizeof piece ? stop - at : sizeof piece;
        if (reply->fault == ORIGIN_DRIPS) {
            size = 1;
            sleep_ms(50);
        }
        copy_file(peer, reply, at, piece, size);
        if (!send_chunk(peer, reply, piece, size)) { return false; }
        pthread_mutex_lock(&peer->origin->lock);
        peer->origin->counts.file_bytes += size;
        pthread_mutex_unlock(&peer->origin->lock);
        at += size;
    }
    if (reply->fault == ORIGIN_LONGER) { return send_bytes(peer, "+", 1); }
    return reply->fault != ORIGIN_CHUNKED || send_bytes(peer, "0\r\n\r\n", 5);
}

/* What comes after a body that stopped short. False: the connection ends. */
static bool end_body(struct peer *peer, enum origin_fault fault)
{
    if (fault == ORIGIN_RESETS) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        SSL_set_quiet_shutdown(peer->ssl, 1);
        return false;
    }
    if (fault == ORIGIN_STALLS) { return await_input(peer); } /* until the client goes */
    return fault != ORIGIN_TRUNCATES && fault != ORIGIN_CLOSES_IDLE &&
           fault != ORIGIN_BAD_CHUNKS;
}

static bool send_status(struct peer *peer, const char *status, const char *headers)
{
    char head[HEAD_SIZE_MAX];
    int size = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n",
                        status, headers);
    must(size > 0 && (size_t)size < sizeof head, "head of a status");
    return send_bytes(peer, head, (size_t)size);
}

static bool answer_file(struct peer *peer)
{
    struct faulty_origin *origin = peer->origin;
    struct reply reply = {.fault = next_fault(origin)};
    char header[256];
    if (reply.fault == ORIGIN_DROPS_KEPT && peer->answered++) { return false; }
    switch (reply.fault) {
    case ORIGIN_STATUS_404:
        return send_status(peer, "404 Not Found", "");
    case ORIGIN_STATUS_416:
        snprintf(header, sizeof header, "Content-Range: bytes */%zu\r\n",
                 origin->config.file_size);
        return send_status(peer, "416 Range Not Satisfiable", header);
    case ORIGIN_STATUS_429:
        return send_status(peer, "429 Too Many Requests", "Retry-After: 1\r\n");
    case ORIGIN_STATUS_503:
        return send_status(peer, "503 Service Unavailable", "Retry-After: 1\r\n");
    case ORIGIN_REDIRECTS:
    case ORIGIN_REDIRECTS_HTTP:
        snprintf(header, sizeof header, "Location: http%s%s%s\r\n",
                 reply.fault == ORIGIN_REDIRECTS ? "s" : "", origin->url + 5,
                 origin->config.path);
        return send_status(peer, "302 Found", header);
    case ORIGIN_GARBAGE:
        return send_bytes(peer, "\x15\x03\x01 this is not HTTP\r\n\r\n", 24) && false;
    default:
        break;
    }
    plan_file(peer, &reply);
    write_head(&reply);
    return send_bytes(peer, reply.head, strlen(reply.head)) && send_body(peer, &reply) &&
           end_body(peer, reply.fault);
}

/* --- Connections ------------------------------------------------------------------------
 */

static bool answer_other(struct peer *peer, const char *method, const char *path)
{
    struct faulty_origin *origin = peer->origin;
    if (!origin->config.answer) { return send_status(peer, "404 Not Found", ""); }
    const char *end = strstr(peer->request, "\r\n\r\n") + 4;
    struct origin_answer *answer = calloc(1, sizeof *answer);
    must(answer != NULL, "calloc");
    answer->status = 200;
    pthread_mutex_lock(&origin->lock);
    origin->config.answer(origin->config.context, method, path, (const uint8_t *)end,
                          peer->size - (size_t)(end - peer->request), answer);
    pthread_mutex_unlock(&origin->lock);
    if (answer->is_raw) {
        (void)send_bytes(peer, answer->body, answer->body_size); /* or it has gone */
        free(answer);
        return false;
    }
    char head[HEAD_SIZE_MAX];
    int size = snprintf(
        head, sizeof head,
        "HTTP/1.1 %d x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", answer->status,
        answer->content_type ? answer->content_type : "text/plain", answer->body_size);
    bool is_sent = send_bytes(peer, head, (size_t)size) &&
                   send_bytes(peer, answer->body, answer->body_size);
    free(answer);
    return is_sent;
}

static bool answer_request(struct peer *peer)
{
    struct faulty_origin *origin = peer->origin;
    char method[16], path[512];
    if (sscanf(peer->request, "%15s %511s HTTP/1.1", method, path) != 2) { return false; }
    pthread_mutex_lock(&origin->lock);
    origin->counts.requests++;
    snprintf(origin->counts.last_request, sizeof origin->counts.last_request, "%.*s",
             (int)sizeof origin->counts.last_request - 1, peer->request);
    pthread_mutex_unlock(&origin->lock);
    bool is_file = origin->config.path && strcmp(path, origin->config.path) == 0;
    return is_file ? answer_file(peer) : answer_other(peer, method, path);
}

static void note_connection(struct peer *peer)
{
    struct faulty_origin *origin = peer->origin;
    X509 *client = SSL_get1_peer_certificate(peer->ssl);
    pthread_mutex_lock(&origin->lock);
    origin->counts.connections++;
    origin->counts.resumed += SSL_session_reused(peer->ssl) == 1;
    if (client) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName,
                                  origin->counts.client_name,
                                  (int)sizeof origin->counts.client_name);
    }
    pthread_mutex_unlock(&origin->lock);
    X509_free(client);
}

static void serve(struct peer *peer)
{
    struct faulty_origin *origin = peer->origin;
    if (origin->config.fault == ORIGIN_NO_TLS) {
        (void)!write(peer->fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28); /* or it has gone */
        return;
    }
    peer->ssl = SSL_new(origin->tls);
    must(peer->ssl && SSL_set_fd(peer->ssl, peer->fd) == 1, "SSL_new");
    if (SSL_accept(peer->ssl) == 1) {
        note_connection(peer);
        while (receive_request(peer) && answer_request(peer)) {}
        SSL_shutdown(peer->ssl);
    }
    SSL_free(peer->ssl);
}

static void *run_peer(void *context)
{
    struct peer *peer = context;
    struct faulty_origin *origin = peer->origin;
    serve(peer);
    close(peer->fd);
    free(peer);
    pthread_mutex_lock(&origin->lock);
    if (--origin->open_count == 0) { pthread_cond_signal(&origin->idle); }
    pthread_mutex_unlock(&origin->lock);
    return NULL;
}

static void accept_peer(struct faulty_origin *origin)
{
    pthread_t thread;
    int fd = accept(origin->listener, NULL, NULL);
    if (fd < 0) { return; }
    const int on = 1; /* head and body are written one after the other */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct peer *peer = calloc(1, sizeof *peer);
    must(peer != NULL, "calloc");
    peer->origin = origin;
    peer->fd = fd;
    pthread_mutex_lock(&origin->lock);
    origin->open_count++;
    pthread_mutex_unlock(&origin->lock);
    must(pthread_create(&thread, NULL, run_peer, peer) == 0, "pthread_create");
    pthread_detach(thread);
}

static void *run_origin(void *context)
{
    struct faulty_origin *origin = context;
    while (!origin->is_stopping) {
        struct pollfd wait = {.fd = origin->listener, .events = POLLIN};
        if (poll(&wait, 1, TICK_MS) > 0) { accept_peer(origin); }
    }
    return NULL;
}

/* --- Life -------------------------------------------------------------------------------
 */

static void listen_on(struct faulty_origin *origin)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(origin->config.port)};
    socklen_t size = sizeof at;
    const int on = 1;
    const char *address = origin->config.address ? origin->config.address : "127.0.0.1";
    must(inet_pton(AF_INET, address, &at.sin_addr) == 1, "inet_pton");
    origin->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(origin->listener >= 0, "socket");
    setsockopt(origin->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(origin->listener, (struct sockaddr *)&at, sizeof at) == 0, "bind");
    must(listen(origin->listener, 16) == 0, "listen");
    must(getsockname(origin->listener, (struct sockaddr *)&at, &size) == 0, "getsockname");
    origin->port = ntohs(at.sin_port);
    snprintf(origin->url, sizeof origin->url, "https://%s:%u", address,
             (unsigned)origin->port);
}

static void make_tls(struct faulty_origin *origin)
{
    const char *name = origin->config.name ? origin->config.name : "localhost";
    origin->owns_ca = !origin->config.ca;
    if (origin->owns_ca) {
        test_cert_make(&origin->ca, "origin CA", NULL);
    } else {
        origin->ca = *origin->config.ca;
    }
    test_cert_make(&origin->cert, name, &origin->ca);
    origin->tls = SSL_CTX_new(TLS_server_method());
    must(origin->tls && SSL_CTX_use_certificate(origin->tls, origin->cert.cert) == 1 &&
             SSL_CTX_use_PrivateKey(origin->tls, origin->cert.key) == 1,
         "SSL_CTX");
    SSL_CTX_set_session_id_context(origin->tls, (const unsigned char *)"origin", 6);
    if (origin->config.wants_client) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(origin->tls), origin->ca.cert);
        SSL_CTX_set_verify(origin->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           NULL);
    }
    BIO *bio = BIO_new(BIO_s_mem());
    must(bio && PEM_write_bio_X509(bio, origin->ca.cert) == 1, "PEM");
    int size = BIO_read(bio, origin->ca_pem, (int)sizeof origin->ca_pem - 1);
    must(size > 0, "PEM");
    BIO_free(bio);
}

static void make_etag(struct faulty_origin *origin)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    must(EVP_Digest(origin->config.file, origin->config.file_size, digest, &size,
                    EVP_sha256(), NULL) == 1,
         "EVP_Digest");
    origin->etag[0] = '"';
    moult_hex_encode(digest, size, origin->etag + 1);
    origin->etag[1 + 2 * size] = '"';
    origin->etag[2 + 2 * size] = 0;
}

struct faulty_origin *faulty_origin_start(const struct faulty_origin_config *config)
{
    struct faulty_origin *origin = calloc(1, sizeof *origin);
    must(origin != NULL, "calloc");
    signal(SIGPIPE, SIG_IGN);
    origin->config = *config;
    pthread_mutex_init(&origin->lock, NULL);
    pthread_cond_init(&origin->idle, NULL);
    make_tls(origin);
    if (config->file) { make_etag(origin); }
    listen_on(origin);
    must(pthread_create(&origin->thread, NULL, run_origin, origin) == 0, "pthread_create");
    return origin;
}

void faulty_origin_stop(struct faulty_origin *origin)
{
    origin->is_stopping = true;
    pthread_join(origin->thread, NULL);
    close(origin->listener);
    pthread_mutex_lock(&origin->lock);
    while (origin->open_count) {
        pthread_cond_wait(&origin->idle, &origin->lock);
    }
    pthread_mutex_unlock(&origin->lock);
    SSL_CTX_free(origin->tls);
    test_cert_free(&origin->cert);
    if (origin->owns_ca) { test_cert_free(&origin->ca); }
    pthread_cond_destroy(&origin->idle);
    pthread_mutex_destroy(&origin->lock);
    free(origin);
}

const char *faulty_origin_url(const struct faulty_origin *origin)
{
    return origin->url;
}

const char *faulty_origin_ca(const struct faulty_origin *origin)
{
    return origin->ca_pem;
}

uint16_t faulty_origin_port(const struct faulty_origin *origin)
{
    return origin->port;
}

void faulty_origin_counts(struct faulty_origin *origin, struct origin_counts *out)
{
    pthread_mutex_lock(&origin->lock);
    *out = origin->counts;
    pthread_mutex_unlock(&origin->lock);
}
