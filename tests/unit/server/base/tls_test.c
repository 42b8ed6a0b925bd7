/* tls_test.c - handshakes of all kinds over a socket pair, with OpenSSL's client as the
 * peer. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include "server/base/mem.h"
#include "server/base/tls.h"
#include "tests/support/test_certs.h"
#include "tests/support/unit.h"

static struct {
    char folder[64], cert[96], key[96], other_key[96];
    struct test_cert ca, server, device, rsa, weak;
} made;

static struct clock_manual manual = {.real_ms = 1769903999123, .mono_us = 1000000};
static struct clock turned;

/* One connection between our server and an OpenSSL client. */
struct pair {
    struct tls_context *context;
    struct tls_conn *server;
    SSL_CTX *client_context;
    SSL *client;
    int fd[2];
};

/* What a case asks of the client. */
struct client {
    const struct test_cert *cert;
    int version_max;
    const char *groups, *suites_12;
    const char *protocols; /* ALPN, wire form */
    SSL_SESSION *session;
};

static unsigned ticket_count; /* of the pair that was started last */

static int count_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl, (void)session;
    ticket_count++;
    return 0; /* not ours to keep */
}

static void start(struct pair *pair, struct tls_context *context,
                  const struct client *client)
{
    pair->context = context;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fd), 0);
    pair->server = tls_accept_on(context, pair->fd[0]);
    assert_non_null(pair->server);
    pair->client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX *ctx = pair->client_context;
    SSL_CTX_set_security_level(ctx, 0); /* so that weak wishes reach the server */
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), made.ca.cert);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (client->version_max) { SSL_CTX_set_max_proto_version(ctx, client->version_max); }
    if (client->groups) {
        assert_int_equal(SSL_CTX_set1_groups_list(ctx, client->groups), 1);
    }
    if (client->suites_12) {
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, client->suites_12), 1);
    }
    if (client->cert) {
        SSL_CTX_use_certificate(ctx, client->cert->cert);
        SSL_CTX_use_PrivateKey(ctx, client->cert->key);
    }
    pair->client = SSL_new(ctx);
    SSL_set_fd(pair->client, pair->fd[1]);
    SSL_set_tlsext_host_name(pair->client, "localhost");
    SSL_set1_host(pair->client, "localhost");
    if (client->protocols) {
        SSL_set_alpn_protos(pair->client, (const unsigned char *)client->protocols,
                            (unsigned)strlen(client->protocols));
    }
    if (client->session) { SSL_set_session(pair->client, client->session); }
    if (client->version_max ==
        TLS1_3_VERSION) { /* in 1.2 a cache would spoil old sessions */
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL_STORE);
    }
    SSL_CTX_sess_set_new_cb(ctx, count_ticket);
    ticket_count = 0;
    SSL_set_connect_state(pair->client);
}

static void stop(struct pair *pair)
{
    tls_free(pair->server);
    SSL_free(pair->client);
    SSL_CTX_free(pair->client_context);
    close(pair->fd[0]);
    close(pair->fd[1]);
    ERR_clear_error();
}

/* Lets both ends work until they are done or one failed. */
static enum tls_io shake(struct pair *pair)
{
    enum tls_io io = TLS_IO_WANT_READ;
    bool client_done = false;
    for (int i = 0; i < 50; i++) {
        if (!client_done) { client_done = SSL_do_handshake(pair->client) == 1; }
        ERR_clear_error();
        if (io == TLS_IO_WANT_READ || io == TLS_IO_WANT_WRITE) {
            io = tls_handshake(pair->server);
        }
        if (io == TLS_IO_FAILED || (io == TLS_IO_OK && client_done)) { return io; }
    }
    return TLS_IO_WANT_READ;
}

/* A round trip, which also lets the client take its ticket. */
static void talk(struct pair *pair)
{
    char in[16];
    size_t done;
    assert_int_equal(SSL_write(pair->client, "ping", 4), 4);
    assert_int_equal(tls_read(pair->server, in, sizeof in, &done), TLS_IO_OK);
    assert_int_equal(done, 4);
    assert_memory_equal(in, "ping", 4);
    assert_int_equal(tls_write(pair->server, "pong!", 5, &done), TLS_IO_OK);
    assert_int_equal(done, 5);
    assert_int_equal(SSL_read(pair->client, in, sizeof in), 5);
    assert_memory_equal(in, "pong!", 5);
    assert_int_equal(tls_read(pair->server, in, sizeof in, &done), TLS_IO_WANT_READ);
}

static struct tls_context *make_context(enum tls_client_auth auth,
                                        struct tls_tickets *tickets)
{
    struct tls_context *context = NULL;
    struct tls_error error;
    struct tls_options options = {made.cert, made.key, auth, tickets};
    if (tls_context_create(&options, &context, &error) != MOULT_OK) {
        print_error("%s\n", error.text);
    }
    assert_non_null(context);
    return context;
}

static struct tls_tickets *make_tickets(void)
{
    struct tls_tickets *tickets = NULL;
    assert_int_equal(tls_tickets_create(random_system(), &turned, &tickets), MOULT_OK);
    return tickets;
}

static void test_bytes_go_both_ways_in_tls_1_3_and_1_2(void **state)
{
    (void)state; /* cmocka's signature */
    static const struct {
        int version;
        const char *name;
    } rows[] = {{TLS1_3_VERSION, "TLSv1.3"}, {TLS1_2_VERSION, "TLSv1.2"}};
    struct tls_context *context = make_context(TLS_CLIENT_NONE, NULL);
    for (int i = 0; i < 2; i++) {
        struct pair pair;
        start(&pair, context, &(struct client){.version_max = rows[i].version});
        assert_int_equal(shake(&pair), TLS_IO_OK);
        talk(&pair);
        assert_string_equal(tls_version(pair.server), rows[i].name);
        assert_int_equal(SSL_get_verify_result(pair.client), X509_V_OK);
        assert_false(tls_is_resumed(pair.server));
        uint8_t spki[32];
        assert_false(tls_peer_spki(pair.server, spki));
        SSL_shutdown(pair.client);
        char in[4];
        size_t done;
        assert_int_equal(tls_read(pair.server, in, sizeof in, &done), TLS_IO_CLOSED);
        tls_close(pair.server);
        stop(&pair);
    }
    tls_context_destroy(context);
}

static void test_old_versions_weak_suites_and_other_groups_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct client client;
    } rows[] = {
        {"TLS 1.1", {.version_max = TLS1_1_VERSION}},
        {"CBC", {.version_max = TLS1_2_VERSION, .suites_12 = "ECDHE-ECDSA-AES128-SHA256"}},
        {"CCM_8", {.version_max = TLS1_2_VERSION, .suites_12 = "ECDHE-ECDSA-AES128-CCM8"}},
        {"no forward secrecy",
         {.version_max = TLS1_2_VERSION, .suites_12 = "AES128-GCM-SHA256"}},
        {"P-521 only", {.groups = "P-521"}},
        {"no common protocol", {.protocols = "\x02h2"}},
    };
    struct tls_context *context = make_context(TLS_CLIENT_NONE, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair pair;
        start(&pair, context, &rows[i].client);
        enum tls_io io = shake(&pair);
        if (io != TLS_IO_FAILED) { print_error("%s was accepted\n", rows[i].name); }
        assert_int_equal(io, TLS_IO_FAILED);
        assert_string_not_equal(tls_failure(), "");
        stop(&pair);
    }
    tls_context_destroy(context);
}

static void test_x25519_is_preferred_and_http_1_1_is_chosen(void **state)
{
    (void)state;
    struct tls_context *context = make_context(TLS_CLIENT_NONE, NULL);
    struct pair pair;
    start(&pair, context,
          &(struct client){.groups = "P-256:X25519", .protocols = "\x02h2\x08http/1.1"});
    assert_int_equal(shake(&pair), TLS_IO_OK);
    const unsigned char *protocol;
    unsigned size;
    SSL_get0_alpn_selected(pair.client, &protocol, &size);
    assert_int_equal(size, 8);
    assert_memory_equal(protocol, "http/1.1", 8);
    stop(&pair);
    start(&pair, context, &(struct client){.groups = "P-256"});
    assert_int_equal(shake(&pair), TLS_IO_OK);
    stop(&pair);
    start(&pair, context,
          &(struct client){.version_max = TLS1_2_VERSION, .groups = "P-384:P-256:X25519"});
    assert_int_equal(shake(&pair), TLS_IO_OK);
    assert_int_equal(SSL_get_negotiated_group(pair.client), NID_X25519);
    stop(&pair);
    tls_context_destroy(context);
}

static void test_any_sound_client_certificate_is_known_by_its_fingerprint(void **state)
{
    (void)state;
    static const enum tls_client_auth modes[] = {TLS_CLIENT_REQUEST, TLS_CLIENT_REQUIRE};
    struct test_cert issued;
    test_cert_make(&issued, "0123456789abcdef", &made.ca);
    const struct test_cert *certs[] = {&made.device, &issued, &made.rsa};
    for (int mode = 0; mode < 2; mode++) {
        struct tls_context *context = make_context(modes[mode], NULL);
        for (int i = 0; i < 6; i++) {
            struct pair pair;
            start(&pair, context,
                  &(struct client){.cert = certs[i / 2],
                                   .version_max = i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION});
            assert_int_equal(shake(&pair), TLS_IO_OK);
            talk(&pair);
            uint8_t spki[32], expected[32];
            assert_true(tls_peer_spki(pair.server, spki));
            test_cert_spki(certs[i / 2], expected);
            assert_memory_equal(spki, expected, 32);
            stop(&pair);
        }
        tls_context_destroy(context);
    }
    test_cert_free(&issued);
}

static void test_no_or_a_weak_client_certificate(void **state)
{
    (void)state;
    struct tls_context *request = make_context(TLS_CLIENT_REQUEST, NULL);
    struct tls_context *require = make_context(TLS_CLIENT_REQUIRE, NULL);
    struct pair pair;
    uint8_t spki[32];
    start(&pair, request, &(struct client){0});
    assert_int_equal(shake(&pair), TLS_IO_OK);
    assert_false(tls_peer_spki(pair.server, spki));
    stop(&pair);
    start(&pair, require, &(struct client){0});
    assert_int_equal(shake(&pair), TLS_IO_FAILED);
    stop(&pair);
    start(&pair, request, &(struct client){.cert = &made.weak});
    assert_int_equal(shake(&pair), TLS_IO_FAILED);
    stop(&pair);
    tls_context_destroy(request);
    tls_context_destroy(require);
}

/* A full handshake; the session it ended with. */
static SSL_SESSION *first_visit(struct tls_context *context, int version)
{
    struct pair pair;
    start(&pair, context, &(struct client){.cert = &made.device, .version_max = version});
    assert_int_equal(shake(&pair), TLS_IO_OK);
    talk(&pair);
    assert_false(tls_is_resumed(pair.server));
    SSL_SESSION *session = SSL_get1_session(pair.client);
    assert_true(SSL_SESSION_is_resumable(session));
    SSL_shutdown(pair.client);
    stop(&pair);
    return session;
}

/* Comes back with the session; whether it was resumed. The fingerprint must be there either
 * way. */
static bool comes_back(struct tls_context *context, SSL_SESSION *session, int version)
{
    struct pair pair;
    start(
        &pair, context,
        &(struct client){.cert = &made.device, .version_max = version, .session = session});
    assert_int_equal(shake(&pair), TLS_IO_OK);
    talk(&pair);
    uint8_t spki[32], expected[32];
    assert_true(tls_peer_spki(pair.server, spki));
    test_cert_spki(&made.device, expected);
    assert_memory_equal(spki, expected, 32);
    bool is_resumed = tls_is_resumed(pair.server);
    if (is_resumed && version == TLS1_3_VERSION) { /* the old ticket is used up */
        assert_int_equal(ticket_count, 1);
    }
    SSL_shutdown(pair.client);
    stop(&pair);
    return is_resumed;
}

static void test_a_resumed_session_still_knows_its_client(void **state)
{
    (void)state;
    struct tls_tickets *tickets = make_tickets();
    struct tls_context *one = make_context(TLS_CLIENT_REQUEST, tickets);
    struct tls_context *two =
        make_context(TLS_CLIENT_REQUEST, tickets); /* keys are shared */
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    for (int i = 0; i < 2; i++) {
        SSL_SESSION *session = first_visit(one, versions[i]);
        assert_true(comes_back(two, session, versions[i]));
        SSL_SESSION_free(session);
    }
    tls_context_destroy(one);
    tls_context_destroy(two);
    tls_tickets_destroy(tickets);
}

static void test_a_ticket_opens_nothing_elsewhere(void **state)
{
    (void)state;
    struct tls_tickets *tickets = make_tickets(), *others = make_tickets();
    struct tls_context *here = make_context(TLS_CLIENT_REQUEST, tickets);
    struct tls_context *other_keys = make_context(TLS_CLIENT_REQUEST, others);
    struct tls_context *other_kind = make_context(TLS_CLIENT_REQUIRE, tickets);
    struct tls_context *none = make_context(TLS_CLIENT_REQUEST, NULL);
    SSL_SESSION *session = first_visit(here, TLS1_3_VERSION);
    assert_false(comes_back(other_keys, session, TLS1_3_VERSION));
    SSL_SESSION_free(session);
    session = first_visit(here, TLS1_3_VERSION);
    assert_false(comes_back(other_kind, session, TLS1_3_VERSION));
    SSL_SESSION_free(session);
    session = first_visit(here, TLS1_3_VERSION);
    assert_false(comes_back(none, session, TLS1_3_VERSION));
    SSL_SESSION_free(session);
    tls_context_destroy(here);
    tls_context_destroy(other_keys);
    tls_context_destroy(other_kind);
    tls_context_destroy(none);
    tls_tickets_destroy(tickets);
    tls_tickets_destroy(others);
}

static void test_ticket_keys_turn_and_old_ones_are_forgotten(void **state)
{
    (void)state;
    struct tls_tickets *tickets = make_tickets();
    struct tls_context *context = make_context(TLS_CLIENT_REQUEST, tickets);
    SSL_SESSION *session = first_visit(context, TLS1_2_VERSION);
    assert_true(tls_tickets_rotate(tickets));
    assert_true(comes_back(context, session, TLS1_2_VERSION));
    assert_true(tls_tickets_rotate(tickets));
    assert_true(comes_back(context, session, TLS1_2_VERSION));
    assert_true(tls_tickets_rotate(tickets)); /* its key was the third, now it is gone */
    assert_false(comes_back(context, session, TLS1_2_VERSION));
    SSL_SESSION_free(session);

    session = first_visit(context, TLS1_2_VERSION);
    clock_manual_advance(&manual, TLS_TICKET_ROTATE_MS);
    assert_true(comes_back(context, session, TLS1_2_VERSION));
    clock_manual_advance(&manual, 10u * TLS_TICKET_ROTATE_MS); /* nobody came for days */
    assert_false(comes_back(context, session, TLS1_2_VERSION));
    SSL_SESSION_free(session);
    tls_context_destroy(context);
    tls_tickets_destroy(tickets);
}

static void test_a_write_takes_what_the_socket_takes(void **state)
{
    (void)state;
    struct tls_context *context = make_context(TLS_CLIENT_NONE, NULL);
    struct pair pair;
    start(&pair, context, &(struct client){0});
    assert_int_equal(shake(&pair), TLS_IO_OK);
    static uint8_t sent[1u << 20], got[1u << 20];
    for (size_t i = 0; i < sizeof sent; i++) {
        sent[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    size_t out = 0, in = 0, waits = 0;
    while (in < sizeof got) {
        size_t done = 0;
        enum tls_io io = TLS_IO_OK;
        while (out < sizeof sent && io == TLS_IO_OK) {
            io = tls_write(pair.server, sent + out, sizeof sent - out, &done);
            if (io == TLS_IO_OK) { out += done; }
        }
        waits += io == TLS_IO_WANT_WRITE;
        int size = SSL_read(pair.client, got + in, (int)(sizeof got - in));
        if (size > 0) { in += (size_t)size; }
        ERR_clear_error();
    }
    assert_true(waits > 0);
    assert_memory_equal(sent, got, sizeof got);
    stop(&pair);
    tls_context_destroy(context);
}

static void test_garbage_fails_the_handshake(void **state)
{
    (void)state;
    struct tls_context *context = make_context(TLS_CLIENT_NONE, NULL);
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    struct tls_conn *conn = tls_accept_on(context, fd[0]);
    assert_int_equal(tls_handshake(conn), TLS_IO_WANT_READ);
    assert_int_equal(write(fd[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_int_equal(tls_handshake(conn), TLS_IO_FAILED);
    tls_close(conn);
    tls_free(conn);
    close(fd[0]);
    close(fd[1]);
    tls_context_destroy(context);
}

static void test_files_that_do_not_fit_are_named(void **state)
{
    (void)state;
    struct tls_context *context = NULL;
    struct tls_error error;
    struct tls_options options = {"/nonexistent/c.pem", made.key, TLS_CLIENT_NONE, NULL};
    assert_int_equal(tls_context_create(&options, &context, &error), MOULT_E_NOENT);
    assert_string_equal(error.text,
                        "certificate /nonexistent/c.pem: No such file or directory");
    options = (struct tls_options){made.key, made.key, TLS_CLIENT_NONE, NULL};
    assert_int_equal(tls_context_create(&options, &context, &error), MOULT_E_FORMAT);
    options = (struct tls_options){made.cert, made.cert, TLS_CLIENT_NONE, NULL};
    assert_int_equal(tls_context_create(&options, &context, &error), MOULT_E_FORMAT);
    options = (struct tls_options){made.cert, made.other_key, TLS_CLIENT_NONE, NULL};
    assert_int_equal(tls_context_create(&options, &context, &error), MOULT_E_INCOMPATIBLE);
    assert_null(context);
    options = (struct tls_options){made.cert, made.key, TLS_CLIENT_NONE, NULL};
    mem_fail_at(1);
    enum moult_status st = tls_context_create(&options, &context, &error);
    mem_fail_at(0);
    assert_int_equal(st, MOULT_E_NOMEM);
}

static int make_all(void **state)
{
    (void)state;
    turned = clock_manual(&manual);
    snprintf(made.folder, sizeof made.folder, "/tmp/moult-tls-XXXXXX");
    if (!mkdtemp(made.folder)) { return -1; }
    snprintf(made.cert, sizeof made.cert, "%s/cert.pem", made.folder);
    snprintf(made.key, sizeof made.key, "%s/key.pem", made.folder);
    snprintf(made.other_key, sizeof made.other_key, "%s/other.pem", made.folder);
    test_cert_make(&made.ca, "moult test CA", NULL);
    test_cert_make(&made.server, "localhost", &made.ca);
    test_cert_make(&made.device, "device", NULL);
    test_cert_make_rsa(&made.rsa, "device with an RSA key", 2048);
    test_cert_make_rsa(&made.weak, "device with a weak key", 1024);
    test_cert_save(&made.server, made.cert, made.key);
    test_cert_save(&made.device, NULL, made.other_key);
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    unlink(made.cert);
    unlink(made.key);
    unlink(made.other_key);
    rmdir(made.folder);
    test_cert_free(&made.ca);
    test_cert_free(&made.server);
    test_cert_free(&made.device);
    test_cert_free(&made.rsa);
    test_cert_free(&made.weak);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_go_both_ways_in_tls_1_3_and_1_2),
        cmocka_unit_test(test_old_versions_weak_suites_and_other_groups_are_refused),
        cmocka_unit_test(test_x25519_is_preferred_and_http_1_1_is_chosen),
        cmocka_unit_test(test_any_sound_client_certificate_is_known_by_its_fingerprint),
        cmocka_unit_test(test_no_or_a_weak_client_certificate),
        cmocka_unit_test(test_a_resumed_session_still_knows_its_client),
        cmocka_unit_test(test_a_ticket_opens_nothing_elsewhere),
        cmocka_unit_test(test_ticket_keys_turn_and_old_ones_are_forgotten),
        cmocka_unit_test(test_a_write_takes_what_the_socket_takes),
        cmocka_unit_test(test_garbage_fails_the_handshake),
        cmocka_unit_test(test_files_that_do_not_fit_are_named),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
