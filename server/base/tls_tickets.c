/* tls_tickets.c - the keys that session tickets are sealed with; see tls.h.
 *
 * Tickets are encrypted (AES-256-CBC) and authenticated (HMAC-SHA-256) by OpenSSL with a
 * key that the callback below supplies. The box holds the last TLS_TICKET_KEYS keys, newest
 * first: the first issues, all open. Keys live in memory only: a restart costs one full
 * handshake each.
 */
#include "server/base/tls_tickets.h"
#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include "server/base/mem.h"

enum { NAME_SIZE = 16, CIPHER_SIZE = 32, MAC_SIZE = 32 };

struct ticket_key {
    uint8_t name[NAME_SIZE];
    uint8_t cipher[CIPHER_SIZE];
    uint8_t mac[MAC_SIZE];
};

struct tls_tickets {
    pthread_mutex_t lock;
    struct ticket_key key[TLS_TICKET_KEYS];
    size_t key_count;
    uint64_t next_rotation_ms; /* monotonic */
    const struct random *random;
    const struct clock *clock;
};

/* With the lock held. */
static bool rotate(struct tls_tickets *tickets)
{
    struct ticket_key fresh;
    if (!random_fill(tickets->random, &fresh, sizeof fresh)) { return false; }
    memmove(&tickets->key[1], &tickets->key[0],
            sizeof tickets->key - sizeof tickets->key[0]);
    tickets->key[0] = fresh;
    OPENSSL_cleanse(&fresh, sizeof fresh);
    if (tickets->key_count < TLS_TICKET_KEYS) { tickets->key_count++; }
    tickets->next_rotation_ms = clock_monotonic_ms(tickets->clock) + TLS_TICKET_ROTATE_MS;
    return true;
}

enum moult_status tls_tickets_create(const struct random *random, const struct clock *clock,
                                     struct tls_tickets **out)
{
    struct tls_tickets *tickets = mem_alloc(sizeof *tickets);
    if (!tickets) { return MOULT_E_NOMEM; }
    tickets->random = random;
    tickets->clock = clock;
    if (!rotate(tickets)) {
        mem_free(tickets);
        return MOULT_E_INTERNAL;
    }
    if (pthread_mutex_init(&tickets->lock, NULL) != 0) {
        mem_free(tickets);
        return MOULT_E_NOMEM;
    }
    *out = tickets;
    return MOULT_OK;
}

bool tls_tickets_rotate(struct tls_tickets *tickets)
{
    pthread_mutex_lock(&tickets->lock);
    bool ok = rotate(tickets);
    pthread_mutex_unlock(&tickets->lock);
    return ok;
}

void tls_tickets_destroy(struct tls_tickets *tickets)
{
    if (!tickets) { return; }
    pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets->key, sizeof tickets->key);
    mem_free(tickets);
}

/* The key to issue with, and its name. Keys older than two rotations do not open anything,
 * also when nobody came for a day: several rotations may be due at once. */
static void rotate_when_due(struct tls_tickets *tickets)
{
    uint64_t now_ms = clock_monotonic_ms(tickets->clock);
    if (now_ms < tickets->next_rotation_ms) { return; }
    uint64_t due = 1 + (now_ms - tickets->next_rotation_ms) / TLS_TICKET_ROTATE_MS;
    if (due > TLS_TICKET_KEYS) { due = TLS_TICKET_KEYS; }
    for (uint64_t i = 0; i < due; i++) {
        if (!rotate(tickets)) { return; } /* no randomness: the old key goes on */
    }
}

/* *out is the key named `name`. 0: none; 1: the issuing one; 2: an older one, issue anew.
 */
static int find_key(struct tls_tickets *tickets, const uint8_t *name,
                    struct ticket_key *out)
{
    for (size_t i = 0; i < tickets->key_count; i++) {
        if (memcmp(tickets->key[i].name, name, NAME_SIZE) == 0) {
            *out = tickets->key[i];
            return i == 0 ? 1 : 2;
        }
    }
    return 0;
}

static bool set_mac_key(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    static char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, MAC_SIZE),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(struct tls_tickets *tickets, uint8_t *name, uint8_t *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    pthread_mutex_lock(&tickets->lock);
    rotate_when_due(tickets);
    key = tickets->key[0];
    pthread_mutex_unlock(&tickets->lock);
    memcpy(name, key.name, NAME_SIZE);
    bool ok = random_fill(tickets->random, iv, 16) &&
              EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1 &&
              set_mac_key(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return ok ? 1 : -1;
}

static int unseal(struct tls_tickets *tickets, const uint8_t *name, const uint8_t *iv,
                  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    pthread_mutex_lock(&tickets->lock);
    rotate_when_due(tickets);
    int found = find_key(tickets, name, &key);
    pthread_mutex_unlock(&tickets->lock);
    if (found == 0) { return 0; }
    bool ok = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv) == 1 &&
              set_mac_key(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return ok ? found : -1;
}

static int ticket_key_callback(SSL *ssl, unsigned char *name, unsigned char *iv,
                               EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
    struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    assert(tickets);
    if (is_sealing) { return seal(tickets, name, iv, cipher, mac); }
    int found = unseal(tickets, name, iv, cipher, mac);
    /* A TLS 1.3 client uses a ticket once, so it is always given the next one. */
    return found == 1 && SSL_version(ssl) == TLS1_3_VERSION ? 2 : found;
}

bool tls_tickets_attach(struct tls_tickets *tickets, SSL_CTX *ssl)
{
    return SSL_CTX_set_app_data(ssl, tickets) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, ticket_key_callback) == 1;
}
