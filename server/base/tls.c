/* tls.c - see tls.h. Connections and contexts; ticket keys are in tls_tickets.c. */
#include "server/base/tls.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include "server/base/mem.h"
#include "server/base/tls_tickets.h"

enum {
    CLIENT_CHAIN_SIZE_MAX =
        8192, /* bytes of certificates a client may send; ours have < 1 KB */
    SPKI_DER_SIZE_MAX = 1200, /* RSA 8192 needs 1,062 */
    RSA_BITS_MIN = 2048,      /* ESP32's digital signature peripheral is RSA */
    SESSION_SECONDS = 86400,  /* a ticket is good for a day: a day's poll still resumes */
};

/* AES-128-GCM first: hardware on every ESP32; ChaCha20 wins when the client prefers it. */
static const char suites_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char suites_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256";

struct tls_context {
    SSL_CTX *ssl;
};

struct tls_conn {
    SSL *ssl;
};

const char *tls_failure(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    return reason ? reason : "connection broken";
}

/* --- contexts --- */

/* A listener is started by a daemon: nobody is there to type a passphrase. */
static int no_passphrase(char *out, int size, int is_write, void *context)
{
    (void)out, (void)size, (void)is_write, (void)context; /* OpenSSL's signature */
    return 0;
}

/* Instead of a chain: is this a key we can name by its fingerprint? The handshake has
 * shown, or will show, that the peer holds it; whether it is welcome is the handlers' list.
 */
static int accept_any_sound_key(X509_STORE_CTX *store, void *context)
{
    (void)context; /* nothing to look up */
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
    bool is_sound = false;
    if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        is_sound = EVP_PKEY_get_bits(key) >= 256;
    } else if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        is_sound = EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    }
    X509_STORE_CTX_set_error(store, is_sound ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
    return is_sound ? 1 : 0;
}

/* Clients that speak ALPN must offer http/1.1, so that our bytes never mean another
 * protocol. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *offered, unsigned offered_size,
                           void *context)
{
    (void)ssl, (void)context; /* one protocol for all */
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    int rc = SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, offered,
                                   offered_size);
    if (rc != OPENSSL_NPN_NEGOTIATED) { return SSL_TLSEXT_ERR_ALERT_FATAL; }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_protocol(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ssl, 1); /* one read(2) per record instead of two */
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, suites_13) == 1 &&
           SSL_CTX_set_cipher_list(ssl, suites_12) == 1 &&
           SSL_CTX_set1_groups_list(ssl, groups) == 1;
}

static bool set_sessions(SSL_CTX *ssl, const struct tls_options *options)
{
    /* A ticket of one kind of listener must not open another kind. */
    unsigned char id[] = {'m', 'o', 'u', 'l', 't', (unsigned char)options->client_auth};
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets hold the state */
    SSL_CTX_set_timeout(ssl, SESSION_SECONDS);
    if (!options->tickets) {
        SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(ssl, 0) == 1;
    }
    return SSL_CTX_set_num_tickets(ssl, 1) == 1 &&
           SSL_CTX_set_session_id_context(ssl, id, sizeof id) == 1 &&
           tls_tickets_attach(options->tickets, ssl);
}

static void set_client_auth(SSL_CTX *ssl, enum tls_client_auth auth)
{
    if (auth == TLS_CLIENT_NONE) { return; }
    int mode = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;
    if (auth == TLS_CLIENT_REQUIRE) { mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT; }
    SSL_CTX_set_verify(ssl, mode, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, accept_any_sound_key, NULL);
    SSL_CTX_set_max_cert_list(ssl, CLIENT_CHAIN_SIZE_MAX);
}

static enum moult_status fail(struct tls_error *error, enum moult_status st,
                              const char *what, const char *path)
{
    snprintf(error->text, sizeof error->text, "%s %.150s: %.60s", what, path,
             st == MOULT_E_NOENT ? strerror(errno) : tls_failure());
    return st;
}

static enum moult_status load_identity(SSL_CTX *ssl, const struct tls_options *options,
                                       struct tls_error *error)
{
    if (access(options->cert_path, R_OK) != 0) {
        return fail(error, MOULT_E_NOENT, "certificate", options->cert_path);
    }
    if (access(options->key_path, R_OK) != 0) {
        return fail(error, MOULT_E_NOENT, "key", options->key_path);
    }
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ssl, options->cert_path) != 1) {
        return fail(error, MOULT_E_FORMAT, "certificate", options->cert_path);
    }
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    if (SSL_CTX_use_PrivateKey_file(ssl, options->key_path, SSL_FILETYPE_PEM) != 1) {
        bool is_other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
        return fail(error, is_other ? MOULT_E_INCOMPATIBLE : MOULT_E_FORMAT, "key",
                    options->key_path);
    }
    if (SSL_CTX_check_private_key(ssl) != 1) {
        return fail(error, MOULT_E_INCOMPATIBLE, "key", options->key_path);
    }
    return MOULT_OK;
}

enum moult_status tls_context_create(const struct tls_options *options,
                                     struct tls_context **out, struct tls_error *error)
{
    error->text[0] = '\0';
    enum moult_status st = MOULT_E_NOMEM;
    struct tls_context *context = mem_alloc(sizeof *context);
    if (!context) { goto out; }
    context->ssl = SSL_CTX_new(TLS_server_method());
    if (!context->ssl) { goto out_free; }
    if (!set_protocol(context->ssl) || !set_sessions(context->ssl, options)) {
        st = fail(error, MOULT_E_INTERNAL, "TLS settings", "");
        goto out_ssl;
    }
    set_client_auth(context->ssl, options->client_auth);
    st = load_identity(context->ssl, options, error);
    if (st != MOULT_OK) { goto out_ssl; }
    *out = context;
    return MOULT_OK;
out_ssl:
    SSL_CTX_free(context->ssl);
out_free:
    mem_free(context);
out:
    if (error->text[0] == '\0') { snprintf(error->text, sizeof error->text, "no memory"); }
    return st;
}

void tls_context_destroy(struct tls_context *context)
{
    if (!context) { return; }
    SSL_CTX_free(context->ssl);
    mem_free(context);
}

/* --- connections --- */

struct tls_conn *tls_accept_on(struct tls_context *context, int fd)
{
    struct tls_conn *conn = mem_alloc(sizeof *conn);
    if (!conn) { return NULL; }
    ERR_clear_error();
    conn->ssl = SSL_new(context->ssl);
    if (!conn->ssl || SSL_set_fd(conn->ssl, fd) != 1) {
        tls_free(conn);
        return NULL;
    }
    SSL_set_accept_state(conn->ssl);
    return conn;
}

static enum tls_io result(struct tls_conn *conn, int rc)
{
    if (rc == 1) { return TLS_IO_OK; }
    switch (SSL_get_error(conn->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return TLS_IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_IO_CLOSED;
    default:
        return TLS_IO_FAILED;
    }
}

enum tls_io tls_handshake(struct tls_conn *conn)
{
    ERR_clear_error();
    return result(conn, SSL_do_handshake(conn->ssl));
}

enum tls_io tls_read(struct tls_conn *conn, void *data, size_t size, size_t *done)
{
    ERR_clear_error();
    return result(conn, SSL_read_ex(conn->ssl, data, size, done));
}

enum tls_io tls_write(struct tls_conn *conn, const void *data, size_t size, size_t *done)
{
    assert(size > 0);
    ERR_clear_error();
    return result(conn, SSL_write_ex(conn->ssl, data, size, done));
}

bool tls_has_pending(const struct tls_conn *conn)
{
    return SSL_has_pending(conn->ssl) == 1;
}

void tls_close(struct tls_conn *conn)
{
    if (!SSL_is_init_finished(conn->ssl)) { return; }
    ERR_clear_error();
    (void)SSL_shutdown(conn->ssl); /* best effort: the socket is closed next */
}

void tls_free(struct tls_conn *conn)
{
    if (!conn) { return; }
    SSL_free(conn->ssl);
    mem_free(conn);
}

bool tls_peer_spki(const struct tls_conn *conn, uint8_t out[TLS_SPKI_SIZE])
{
    X509 *cert = SSL_get0_peer_certificate(conn->ssl);
    if (!cert) { return false; }
    X509_PUBKEY *spki = X509_get_X509_PUBKEY(cert);
    int size = i2d_X509_PUBKEY(spki, NULL);
    uint8_t der[SPKI_DER_SIZE_MAX];
    if (size <= 0 || size > SPKI_DER_SIZE_MAX) { return false; }
    uint8_t *end = der;
    if (i2d_X509_PUBKEY(spki, &end) != size) { return false; }
    unsigned digest_size;
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(der, (size_t)size, digest, &digest_size, EVP_sha256(), NULL) != 1) {
        return false;
    }
    memcpy(out, digest, TLS_SPKI_SIZE);
    return true;
}

bool tls_is_resumed(const struct tls_conn *conn)
{
    return SSL_session_reused(conn->ssl) == 1;
}

const char *tls_version(const struct tls_conn *conn)
{
    return SSL_get_version(conn->ssl);
}
