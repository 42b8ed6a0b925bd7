/* https_server.c - see https_server.h. */
#include "tests/support/https_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "tests/support/test_certs.h"

#define REQUESTS_MAX 64u
#define REQUEST_SIZE_MAX (1u << 20)

struct https_server {
    const struct https_reply *script;
    size_t script_count;
    SSL_CTX *tls;
    int listener, stop_pipe[2];
    char url[64], folder[64], ca[96];
    pthread_t thread;
    pthread_mutex_t lock;
    size_t count;
    char *requests[REQUESTS_MAX];
};

/* Body bytes that the head of a request announces. */
static size_t announced(const char *head)
{
    const char *line = strstr(head, "Content-Length: ");
    return line ? (size_t)strtoul(line + strlen("Content-Length: "), NULL, 10) : 0;
}

/* One whole request into a new text; NULL when the client has closed. */
static char *read_request(SSL *ssl)
{
    char *text = calloc(1, REQUEST_SIZE_MAX + 1);
    assert(text);
    size_t size = 0;
    for (;;) {
        const char *end = strstr(text, "\r\n\r\n");
        if (end && size >= (size_t)(end + 4 - text) + announced(text)) { return text; }
        int got = SSL_read(ssl, text + size, (int)(REQUEST_SIZE_MAX - size));
        if (got <= 0) { break; }
        size += (size_t)got;
    }
    free(text);
    return NULL;
}

static const struct https_reply *keep_request(struct https_server *server, char *text)
{
    pthread_mutex_lock(&server->lock);
    assert(server->count < REQUESTS_MAX);
    size_t index = server->count++;
    server->requests[index] = text;
    pthread_mutex_unlock(&server->lock);
    if (index >= server->script_count) { index = server->script_count - 1; }
    return &server->script[index];
}

static void serve(struct https_server *server, int fd)
{
    SSL *ssl = SSL_new(server->tls);
    assert(ssl && SSL_set_fd(ssl, fd) == 1);
    bool open = SSL_accept(ssl) == 1;
    while (open) {
        char *text = read_request(ssl);
        if (!text) { break; }
        const struct https_reply *reply = keep_request(server, text);
        open = reply->bytes && !reply->is_last;
        if (reply->bytes) {
            open = SSL_write(ssl, reply->bytes, (int)strlen(reply->bytes)) > 0 && open;
        }
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static void *run(void *context)
{
    struct https_server *server = context;
    for (;;) {
        struct pollfd waits[2] = {{server->listener, POLLIN, 0},
                                  {server->stop_pipe[0], POLLIN, 0}};
        if (poll(waits, 2, -1) < 0) { continue; }
        if (waits[1].revents) { return NULL; }
        int fd = accept(server->listener, NULL, NULL);
        if (fd >= 0) { serve(server, fd); }
    }
}

static void make_certificates(struct https_server *server)
{
    struct test_cert ca, cert;
    char cert_path[96], key_path[96];
    snprintf(server->folder, sizeof server->folder, "/tmp/moult-https-XXXXXX");
    assert(mkdtemp(server->folder));
    snprintf(server->ca, sizeof server->ca, "%s/ca.pem", server->folder);
    snprintf(cert_path, sizeof cert_path, "%s/cert.pem", server->folder);
    snprintf(key_path, sizeof key_path, "%s/key.pem", server->folder);
    test_cert_make(&ca, "test CA", NULL);
    test_cert_make(&cert, "localhost", &ca);
    test_cert_save(&ca, server->ca, NULL);
    test_cert_save(&cert, cert_path, key_path);
    server->tls = SSL_CTX_new(TLS_server_method());
    assert(server->tls);
    int ok = SSL_CTX_use_certificate_file(server->tls, cert_path, SSL_FILETYPE_PEM);
    assert(ok == 1);
    ok = SSL_CTX_use_PrivateKey_file(server->tls, key_path, SSL_FILETYPE_PEM);
    assert(ok == 1);
    unlink(cert_path);
    unlink(key_path);
    test_cert_free(&cert);
    test_cert_free(&ca);
}

struct https_server *https_server_start(const struct https_reply *script, size_t count)
{
    struct https_server *server = calloc(1, sizeof *server);
    assert(server && count > 0);
    server->script = script;
    server->script_count = count;
    make_certificates(server);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bad = bind(server->listener, (struct sockaddr *)&address, size);
    assert(!bad);
    bad = listen(server->listener, 8);
    assert(!bad);
    bad = getsockname(server->listener, (struct sockaddr *)&address, &size);
    assert(!bad);
    snprintf(server->url, sizeof server->url, "https://127.0.0.1:%u",
             (unsigned)ntohs(address.sin_port));
    bad = pipe(server->stop_pipe) || pthread_mutex_init(&server->lock, NULL) ||
          pthread_create(&server->thread, NULL, run, server);
    assert(!bad);
    return server;
}

const char *https_server_url(const struct https_server *server)
{
    return server->url;
}

const char *https_server_ca(const struct https_server *server)
{
    return server->ca;
}

size_t https_server_count(struct https_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

const char *https_server_request(struct https_server *server, size_t index)
{
    assert(index < https_server_count(server));
    return server->requests[index];
}

void https_server_stop(struct https_server *server)
{
    ssize_t sent = write(server->stop_pipe[1], "x", 1);
    assert(sent == 1);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->count; i++) {
        free(server->requests[i]);
    }
    close(server->listener);
    close(server->stop_pipe[0]);
    close(server->stop_pipe[1]);
    SSL_CTX_free(server->tls);
    unlink(server->ca);
    rmdir(server->folder);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *https_text(int status, const char *type, const char *head, const char *body)
{
    static char text[16][8192];
    static unsigned turn;
    char *out = text[turn++ % 16];
    const char *media = strcmp(type, "json") == 0      ? "application/json"
                        : strcmp(type, "problem") == 0 ? "application/problem+json"
                                                       : type;
    snprintf(out, 8192,
             "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
             media, strlen(body), head, body);
    return out;
}
