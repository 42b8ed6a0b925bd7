/* mbedtls_compat.h - what differs between mbedTLS 2.28, 3.x and 4, behind one set of names.
 *
 * Layer    ports/posix: included by tls.c and identity.c, which name mbedTLS, and nowhere
 *          else.
 *
 * 2.28 is what Debian 12 has and what the tests run on. The other two branches follow the
 * headers of those releases.
 */
#ifndef MOULT_PORTS_POSIX_MBEDTLS_COMPAT_H
#define MOULT_PORTS_POSIX_MBEDTLS_COMPAT_H

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <psa/crypto.h>
#include "formats/bytes.h"

/* Parse a private key: PEM with its final NUL counted, or DER. */
static inline int compat_parse_key(mbedtls_pk_context *key, struct moult_bytes raw);
/* A new P-256 key. */
static inline int compat_make_key(mbedtls_pk_context *key);
/* Whether the two are a pair: 0. */
static inline int compat_check_pair(const mbedtls_pk_context *public_key,
                                    const mbedtls_pk_context *key);
static inline int compat_set_serial(mbedtls_x509write_cert *cert, unsigned char *serial,
                                    size_t size);
static inline int compat_write_cert(mbedtls_x509write_cert *cert, char *out, size_t size);
static inline int compat_write_request(mbedtls_x509write_csr *csr, char *out, size_t size);
/* TLS 1.2 or later, with PSA's randomness. */
static inline void compat_configure(mbedtls_ssl_config *config);

#if MBEDTLS_VERSION_MAJOR >= 4 /* randomness comes from PSA by itself */

static inline int compat_parse_key(mbedtls_pk_context *key, struct moult_bytes raw)
{
    return mbedtls_pk_parse_key(key, raw.data, raw.size, NULL, 0);
}

static inline int compat_make_key(mbedtls_pk_context *key)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_key_id_t id;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH | PSA_KEY_USAGE_EXPORT);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_ANY_HASH));
    if (psa_generate_key(&attributes, &id) != PSA_SUCCESS) { return -1; }
    int rc = mbedtls_pk_copy_from_psa(id, key);
    psa_destroy_key(id);
    return rc;
}

static inline int compat_check_pair(const mbedtls_pk_context *public_key,
                                    const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(public_key, key);
}

static inline int compat_set_serial(mbedtls_x509write_cert *cert, unsigned char *serial,
                                    size_t size)
{
    return mbedtls_x509write_crt_set_serial_raw(cert, serial, size);
}

static inline int compat_write_cert(mbedtls_x509write_cert *cert, char *out, size_t size)
{
    return mbedtls_x509write_crt_pem(cert, (unsigned char *)out, size);
}

static inline int compat_write_request(mbedtls_x509write_csr *csr, char *out, size_t size)
{
    return mbedtls_x509write_csr_pem(csr, (unsigned char *)out, size);
}

static inline void compat_configure(mbedtls_ssl_config *config)
{
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
}

#else /* 2.28 and 3.x */

#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/psa_util.h>

static inline int compat_make_key(mbedtls_pk_context *key)
{
    int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (rc != 0) { return rc; }
    return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
                               mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
}

static inline int compat_write_cert(mbedtls_x509write_cert *cert, char *out, size_t size)
{
    return mbedtls_x509write_crt_pem(cert, (unsigned char *)out, size,
                                     mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
}

static inline int compat_write_request(mbedtls_x509write_csr *csr, char *out, size_t size)
{
    return mbedtls_x509write_csr_pem(csr, (unsigned char *)out, size,
                                     mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
}

#if MBEDTLS_VERSION_MAJOR == 3

static inline int compat_parse_key(mbedtls_pk_context *key, struct moult_bytes raw)
{
    return mbedtls_pk_parse_key(key, raw.data, raw.size, NULL, 0, mbedtls_psa_get_random,
                                MBEDTLS_PSA_RANDOM_STATE);
}

static inline int compat_check_pair(const mbedtls_pk_context *public_key,
                                    const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(public_key, key, mbedtls_psa_get_random,
                                 MBEDTLS_PSA_RANDOM_STATE);
}

static inline int compat_set_serial(mbedtls_x509write_cert *cert, unsigned char *serial,
                                    size_t size)
{
    return mbedtls_x509write_crt_set_serial_raw(cert, serial, size);
}

static inline void compat_configure(mbedtls_ssl_config *config)
{
    mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
}

#else /* 2.28 */

static inline int compat_parse_key(mbedtls_pk_context *key, struct moult_bytes raw)
{
    return mbedtls_pk_parse_key(key, raw.data, raw.size, NULL, 0);
}

static inline int compat_check_pair(const mbedtls_pk_context *public_key,
                                    const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(public_key, key);
}

static inline int compat_set_serial(mbedtls_x509write_cert *cert, unsigned char *serial,
                                    size_t size)
{
    mbedtls_mpi number;
    mbedtls_mpi_init(&number);
    int rc = mbedtls_mpi_read_binary(&number, serial, size);
    if (rc == 0) { rc = mbedtls_x509write_crt_set_serial(cert, &number); }
    mbedtls_mpi_free(&number);
    return rc;
}

static inline void compat_configure(mbedtls_ssl_config *config)
{
    mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
}

#endif
#endif
#endif
