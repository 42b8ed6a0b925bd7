/* tls.c - see tls.h. */
#include "ports/posix/tls.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <mbedtls/error.h>
#include "ports/posix/mbedtls_compat.h"
#include "ports/posix/psa_crypto.h"

/* TLS 1.3 sends tickets behind the handshake: a read then says so instead of giving bytes.
 */
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
static bool is_new_ticket(int rc)
{
    return rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}
#else
static bool is_new_ticket(int rc)
{
    (void)rc;
    return false;
}
#endif

enum { HOST_SIZE = 254 };

/* ECDHE and AEAD, in order of preference. (TLS 1.3 has no others; 2.28 ignores its
 * numbers.) */
static const int suites[] = {
    0x1301,
    0x1302,
    0x1303, /* TLS 1.3: AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305 */
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

struct moult_tls {
    mbedtls_x509_crt ca, certificate;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_session session; /* of session_host */
    char host[HOST_SIZE], session_host[HOST_SIZE];
    uint8_t address[16]; /* of a host that is one */
    size_t address_size; /* 4, 16; 0: a name */
    int fd;
    bool is_open, has_session, checks_dates;
    int last_errno; /* of the socket, 0 none */
    struct moult_http_failure failure;
};

/* --- Checking the server's certificate ------------------------------------------------ */

/* mbedTLS compares DNS names only; an IP address must be among the certificate's own. */
static bool names_address(const struct moult_tls *tls, const mbedtls_x509_crt *certificate)
{
    enum { SAN_IP = 0x87 }; /* context-specific 7: iPAddress */
    for (const mbedtls_x509_sequence *san = &certificate->subject_alt_names; san;
         san = san->next) {
        if (san->buf.tag == SAN_IP && san->buf.len == tls->address_size &&
            memcmp(san->buf.p, tls->address, tls->address_size) == 0) {
            return true;
        }
    }
    return false;
}

static int on_certificate(void *context, mbedtls_x509_crt *certificate, int depth,
                          uint32_t *flags)
{
    const struct moult_tls *tls = context;
    const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
    if (!tls->checks_dates) { *flags &= ~dates; }
    if (depth == 0 && tls->address_size && !names_address(tls, certificate)) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    return 0;
}

/* --- Bytes ---------------------------------------------------------------------------- */

static int after_socket(struct moult_tls *tls, ssize_t moved, int want)
{
    if (moved >= 0) { return (int)moved; }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) { return want; }
    tls->last_errno = errno;
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR; /* told apart by last_errno */
}

static int on_send(void *context, const unsigned char *data, size_t size)
{
    struct moult_tls *tls = context;
    return after_socket(tls, send(tls->fd, data, size, MSG_NOSIGNAL),
                        MBEDTLS_ERR_SSL_WANT_WRITE);
}

static int on_receive(void *context, unsigned char *out, size_t capacity)
{
    struct moult_tls *tls = context;
    return after_socket(tls, recv(tls->fd, out, capacity, 0), MBEDTLS_ERR_SSL_WANT_READ);
}

/* --- Life ------------------------------------------------------------------------------
 */

static int load(struct moult_tls *tls, const struct moult_tls_options *options)
{
    int rc = 0;
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        struct moult_bytes ca = options->ca[i];
        if (ca.size) { rc = mbedtls_x509_crt_parse(&tls->ca, ca.data, ca.size); }
    }
    if (rc == 0 && options->certificate.size) {
        rc = mbedtls_x509_crt_parse(&tls->certificate, options->certificate.data,
                                    options->certificate.size);
        if (rc == 0) { rc = compat_parse_key(&tls->key, options->key); }
        if (rc == 0) {
            rc = mbedtls_ssl_conf_own_cert(&tls->config, &tls->certificate, &tls->key);
        }
    }
    return rc;
}

static int configure(struct moult_tls *tls, const struct moult_tls_options *options)
{
    int rc = mbedtls_ssl_config_defaults(&tls->config, MBEDTLS_SSL_IS_CLIENT,
                                         MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc != 0) { return rc; }
    compat_configure(&tls->config);
    mbedtls_ssl_conf_ciphersuites(&tls->config, suites);
    mbedtls_ssl_conf_authmode(&tls->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_verify(&tls->config, on_certificate, tls);
    /* A record counts only when it has arrived whole: with 16 KB ones a connection that is
     * cut every 16 KB would never bring anything. Chips have no room for them either. */
    rc = mbedtls_ssl_conf_max_frag_len(&tls->config, MBEDTLS_SSL_MAX_FRAG_LEN_4096);
    if (rc != 0) { return rc; }
    rc = load(tls, options);
    mbedtls_ssl_conf_ca_chain(&tls->config, &tls->ca, NULL);
    return rc;
}

enum moult_status moult_tls_new(const struct moult_tls_options *options,
                                struct moult_tls **out, int32_t *native)
{
    *out = NULL;
    *native = 0;
    if (moult_psa_start() != MOULT_OK) { return MOULT_E_INTERNAL; }
    struct moult_tls *tls = calloc(1, sizeof *tls);
    if (!tls) { return MOULT_E_NOMEM; }
    mbedtls_x509_crt_init(&tls->ca);
    mbedtls_x509_crt_init(&tls->certificate);
    mbedtls_pk_init(&tls->key);
    mbedtls_ssl_config_init(&tls->config);
    mbedtls_ssl_init(&tls->ssl);
    mbedtls_ssl_session_init(&tls->session);
    tls->checks_dates = options->checks_dates;
    tls->fd = -1;
    *native = configure(tls, options);
    if (*native != 0) {
        moult_tls_free(tls);
        return MOULT_E_FORMAT;
    }
    *out = tls;
    return MOULT_OK;
}

void moult_tls_free(struct moult_tls *tls)
{
    if (!tls) { return; }
    moult_tls_close(tls);
    mbedtls_ssl_session_free(&tls->session);
    mbedtls_ssl_free(&tls->ssl);
    mbedtls_ssl_config_free(&tls->config);
    mbedtls_pk_free(&tls->key);
    mbedtls_x509_crt_free(&tls->certificate);
    mbedtls_x509_crt_free(&tls->ca);
    free(tls);
}

static void set_host(struct moult_tls *tls, const char *host)
{
    assert(strlen(host) < sizeof tls->host);
    memset(tls->host, 0, sizeof tls->host);
    memcpy(tls->host, host, strlen(host));
    tls->address_size = inet_pton(AF_INET, host, tls->address) == 1    ? 4
                        : inet_pton(AF_INET6, host, tls->address) == 1 ? 16
                                                                       : 0;
}

enum moult_status moult_tls_open(struct moult_tls *tls, int fd, const char *host)
{
    assert(!tls->is_open);
    set_host(tls, host);
    tls->fd = fd;
    tls->last_errno = 0;
    mbedtls_ssl_init(&tls->ssl);
    int rc = mbedtls_ssl_setup(&tls->ssl, &tls->config);
    if (rc == 0 && tls->address_size == 0) {
        rc = mbedtls_ssl_set_hostname(&tls->ssl, host);
    }
    if (rc != 0) {
        mbedtls_ssl_free(&tls->ssl);
        return MOULT_E_NOMEM;
    }
    tls->is_open = true;
    mbedtls_ssl_set_bio(&tls->ssl, tls, on_send, on_receive, NULL);
    if (tls->has_session && strcmp(tls->session_host, tls->host) == 0 &&
        mbedtls_ssl_set_session(&tls->ssl, &tls->session) != 0) {
        tls->has_session = false; /* a full handshake then */
    }
    return MOULT_OK;
}

void moult_tls_close(struct moult_tls *tls)
{
    if (!tls->is_open) { return; }
    (void)mbedtls_ssl_close_notify(&tls->ssl); /* the connection ends in any case */
    mbedtls_ssl_free(&tls->ssl);
    tls->is_open = false;
    tls->fd = -1;
}

/* --- The four moves --------------------------------------------------------------------
 */

/* What a return code of the library means; counts of bytes are the caller's. */
static enum moult_tls_result judge(struct moult_tls *tls, int rc)
{
    switch (rc) {
    case MBEDTLS_ERR_SSL_WANT_READ:
        return MOULT_TLS_WANT_READ;
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return MOULT_TLS_WANT_WRITE;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return MOULT_TLS_CLOSED;
    default:
        break;
    }
    enum moult_net_failure kind = MOULT_NET_TLS;
    int32_t native = rc;
    if (tls->last_errno || rc == 0 || rc == MBEDTLS_ERR_SSL_CONN_EOF) {
        kind = MOULT_NET_RESET; /* the stream ended, without the farewell that TLS wants */
        native = tls->last_errno;
    } else if (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        kind = MOULT_NET_CERT;
        native = (int32_t)mbedtls_ssl_get_verify_result(&tls->ssl);
    }
    tls->failure = (struct moult_http_failure){.kind = kind, .native = native};
    tls->has_session = false; /* whatever it was: begin afresh next time */
    return MOULT_TLS_FAILED;
}

/* Keep the session for the next connection. */
static void keep_session(struct moult_tls *tls)
{
    mbedtls_ssl_session_free(&tls->session);
    mbedtls_ssl_session_init(&tls->session);
    tls->has_session = mbedtls_ssl_get_session(&tls->ssl, &tls->session) == 0;
    memcpy(tls->session_host, tls->host, sizeof tls->session_host);
}

enum moult_tls_result moult_tls_handshake(struct moult_tls *tls)
{
    assert(tls->is_open);
    int rc = mbedtls_ssl_handshake(&tls->ssl);
    if (rc != 0) { return judge(tls, rc); }
    keep_session(tls);
    return MOULT_TLS_DONE;
}

enum moult_tls_result moult_tls_read(struct moult_tls *tls, uint8_t *out, size_t capacity,
                                     size_t *size)
{
    assert(tls->is_open && capacity > 0);
    int rc = mbedtls_ssl_read(&tls->ssl, out, capacity);
    if (is_new_ticket(rc)) {
        keep_session(tls);
        return MOULT_TLS_WANT_READ;
    }
    if (rc <= 0) { return judge(tls, rc); }
    *size = (size_t)rc;
    return MOULT_TLS_DONE;
}

enum moult_tls_result moult_tls_write(struct moult_tls *tls, const uint8_t *data,
                                      size_t size, size_t *written)
{
    assert(tls->is_open && size > 0);
    int rc = mbedtls_ssl_write(&tls->ssl, data, size);
    if (rc <= 0) { return judge(tls, rc); }
    *written = (size_t)rc;
    return MOULT_TLS_DONE;
}

bool moult_tls_has_pending(const struct moult_tls *tls)
{
    return tls->is_open && mbedtls_ssl_check_pending(&tls->ssl) != 0;
}

struct moult_http_failure moult_tls_failure(const struct moult_tls *tls)
{
    return tls->failure;
}
