/* host.c - see host.h: groups, stdout, and the crypto promises of every back-end. */
#include "tests/conformance/host/host.h"
#include <stdio.h>
#include "tests/conformance/promise.h"
#include "tests/support/crypto_promises.h"

static enum conform_verdict hash(struct conform *c)
{
    EXPECT(crypto_promises_hash(c->real->crypto), "every promise of a hash",
           "the one printed above broken");
    return CONFORM_KEPT;
}

static enum conform_verdict verify(struct conform *c)
{
    EXPECT(crypto_promises_verify(c->real->crypto), "every promise of a signature check",
           "the one printed above broken");
    return CONFORM_KEPT;
}

const struct conform_promise conform_host_crypto[] = {
    {"crypto.hash", hash}, {"crypto.signature", verify}, {NULL, NULL}};

const struct conform_promise *const conform_host_groups[] = {
    conform_port,      conform_flash, conform_region,      conform_boot, conform_store,
    conform_transport, conform_rest,  conform_host_crypto, NULL};

void conform_print(void *context, const char *text)
{
    (void)context;
    fputs(text, stdout);
    fflush(stdout);
}
