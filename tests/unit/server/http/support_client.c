/* support_client.c - see support_client.h. */
#include "tests/unit/server/http/support_client.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "support_client: %s (errno %d)\n", what, errno);
        abort();
    }
}

static bool wait_for(int fd, short events, int wait_ms)
{
    struct pollfd wait = {.fd = fd, .events = events};
    int rc;
    do {
        rc = poll(&wait, 1, wait_ms);
    } while (rc < 0 && errno == EINTR);
    return rc == 1;
}

static bool start_tls(struct raw_client *client, const struct raw_tls *tls)
{
    client->context = SSL_CTX_new(TLS_client_method());
    must(client->context != NULL, "SSL_CTX_new");
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client->context), tls->ca->cert);
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
    if (tls->cert) {
        SSL_CTX_use_certificate(client->context, tls->cert->cert);
        SSL_CTX_use_PrivateKey(client->context, tls->cert->key);
    }
    client->ssl = SSL_new(client->context);
    must(client->ssl && SSL_set_fd(client->ssl, client->fd) == 1, "SSL_new");
    if (tls->session) { SSL_set_session(client->ssl, tls->session); }
    return SSL_connect(client->ssl) == 1;
}

bool raw_try_connect(struct raw_client *client, uint16_t port, const struct raw_tls *tls)
{
    *client = (struct raw_client){0};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(client->fd >= 0, "socket");
    struct timeval limit = {.tv_sec = RAW_WAIT_MS / 1000};
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    bool ok = connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (ok && tls) { ok = start_tls(client, tls); }
    if (!ok) { raw_close(client); }
    return ok;
}

void raw_connect(struct raw_client *client, uint16_t port, const struct raw_tls *tls)
{
    must(raw_try_connect(client, port, tls), "no connection");
}

void raw_close(struct raw_client *client)
{
    if (client->ssl) { /* leave without a word, but keep the session good for resuming */
        SSL_set_quiet_shutdown(client->ssl, 1);
        SSL_shutdown(client->ssl);
    }
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
    free(client->data);
    *client = (struct raw_client){.fd = -1};
    ERR_clear_error();
}

bool raw_send(struct raw_client *client, const void *data, size_t size)
{
    const char *p = data;
    for (size_t done = 0; done < size;) {
        ssize_t got = client->ssl ? SSL_write(client->ssl, p + done, (int)(size - done))
                                  : send(client->fd, p + done, size - done, MSG_NOSIGNAL);
        if (got <= 0) {
            ERR_clear_error();
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

void raw_send_text(struct raw_client *client, const char *text)
{
    must(raw_send(client, text, strlen(text)), "the peer closed before all was sent");
}

/* Reads some more. False: the end. */
static bool read_more(struct raw_client *client)
{
    client->data = realloc(client->data, client->size + 65536 + 1);
    must(client->data != NULL, "no memory");
    char *place = client->data + client->size;
    ssize_t got;
    if (client->ssl) {
        got = SSL_read(client->ssl, place, 65536);
        ERR_clear_error();
    } else {
        must(wait_for(client->fd, POLLIN, RAW_WAIT_MS), "no reply in time");
        got = read(client->fd, place, 65536);
    }
    if (got > 0) { client->size += (size_t)got; }
    client->data[client->size] = '\0';
    return got > 0;
}

static void drop(struct raw_client *client, size_t size)
{
    client->size -= size;
    memmove(client->data, client->data + size, client->size + 1);
}

/* Reads until the end of a head is in data; its size, 0 at the end of the stream. */
static size_t read_head(struct raw_client *client)
{
    for (;;) {
        const char *end =
            client->size ? memmem(client->data, client->size, "\r\n\r\n", 4) : NULL;
        if (end) { return (size_t)(end - client->data) + 4; }
        if (!read_more(client)) {
            must(client->size == 0, "the stream ended inside a head");
            return 0;
        }
    }
}

const char *raw_field(const struct raw_reply *reply, const char *name, char out[256])
{
    size_t size = strlen(name);
    out[0] = '\0';
    for (const char *line = strstr(reply->head, "\r\n"); line;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':') { continue; }
        line += size + 1;
        line += strspn(line, " ");
        snprintf(out, 256, "%.*s", (int)strcspn(line, "\r"), line);
        break;
    }
    return out;
}

static bool take_reply(struct raw_client *client, struct raw_reply *reply, bool has_body)
{
    *reply = (struct raw_reply){0};
    size_t size = read_head(client);
    if (size == 0) { return false; }
    must(size < sizeof reply->head, "a head that is too large");
    memcpy(reply->head, client->data, size);
    drop(client, size);
    must(sscanf(reply->head, "HTTP/1.1 %d ", &reply->status) == 1, "not a status line");
    char length[256];
    raw_field(reply, "Content-Length", length);
    if (has_body) { reply->body_size = strtoul(length, NULL, 10); }
    while (client->size < reply->body_size) {
        must(read_more(client), "the stream ended inside a body");
    }
    reply->body = calloc(1, reply->body_size + 1);
    must(reply->body != NULL, "no memory");
    if (reply->body_size > 0) {
        memcpy(reply->body, client->data, reply->body_size);
        drop(client, reply->body_size);
    }
    return true;
}

bool raw_reply(struct raw_client *client, struct raw_reply *reply)
{
    return take_reply(client, reply, true);
}

bool raw_reply_head(struct raw_client *client, struct raw_reply *reply)
{
    return take_reply(client, reply, false);
}

void raw_reply_free(struct raw_reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

bool raw_is_closed(struct raw_client *client, int wait_ms)
{
    if (client->size > 0) { return false; }
    char byte;
    if (!client->ssl || SSL_pending(client->ssl) == 0) {
        if (!wait_for(client->fd, POLLIN, wait_ms)) { return false; }
    }
    ssize_t got =
        client->ssl ? SSL_read(client->ssl, &byte, 1) : read(client->fd, &byte, 1);
    ERR_clear_error();
    return got <= 0;
}

bool raw_is_ended(struct raw_client *client, int wait_ms)
{
    char byte;
    return client->size == 0 && wait_for(client->fd, POLLIN, wait_ms) &&
           read(client->fd, &byte, 1) == 0;
}
