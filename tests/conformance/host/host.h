/* host.h - what the kit has on a host and not on a chip: scripted servers, and crypto tried
 * with OpenSSL's own signatures.
 *
 * Layer    tests/conformance/host: POSIX, OpenSSL, tests/support.
 * Use it   A fixture's origin() is conform_origin_start(); the port under test trusts
 *          conform_origin_ca_cert(), which is also in the file of conform_origin_save_ca().
 *          main.c runs conform_fixture() of the port's folder.
 */
#ifndef MOULT_TESTS_CONFORMANCE_HOST_H
#define MOULT_TESTS_CONFORMANCE_HOST_H

#include "tests/conformance/conform.h"
#include "tests/support/test_certs.h"

/* Every fixture defines it. */
const struct conform_fixture *conform_fixture(void);

/* More promises than a chip can try: tests/support/crypto_promises.h. */
extern const struct conform_promise conform_host_crypto[];

/* As conform_groups, and the host's. */
extern const struct conform_promise *const conform_host_groups[];

/* The CA of this run. Made when it is first asked for. */
const struct test_cert *conform_origin_ca_cert(void);

/* As fixture.origin(): in place of the server before. context is not used. */
const char *conform_origin_start(void *context, const char *fault);
void conform_origin_stop(void);

/* stdout, for fixture.print(). */
void conform_print(void *context, const char *text);

#endif
