/* release_keys.h - the release role's keys on the command line: opened, checked, signing.
 *
 * Layer    cli.
 * Use it   release_keys_open(); release_keys_sign(); release_keys_close(), always.
 */
#ifndef MOULT_CLI_RELEASE_KEYS_H
#define MOULT_CLI_RELEASE_KEYS_H

#include "cli/statement.h"
#include "keys/signer.h"

struct release_keys {
    struct keys_signer signers[MOULT_COSE_SIGNATURES_MAX];
    unsigned count;
};

/* The keyset of --keyset FILE, or keyset.cbor of --dir DIR. Returns CLI_OK, or has failed.
 */
MOULT_MUST_CHECK int release_keys_keyset(struct cli *cli, unsigned keyset_option,
                                         unsigned dir_option, struct moult_keyset *out,
                                         struct statement_file *file);

/* --key as given; else release-1.pem and so on of --dir, up to the threshold. Each must
 * the release role. `missing` is the detail of a key that does not. Returns CLI_OK, or has
 * failed; what was opened is in `out` all the same. */
MOULT_MUST_CHECK int release_keys_open(struct cli *cli, const struct moult_keyset *keyset,
                                       const unsigned options[2], enum moult_detail missing,
                                       struct release_keys *out);

/* Signs a payload with all of them; *envelope lasts until the command ends. `payload` may
 * carry the failure of its writer. Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int release_keys_sign(struct cli *cli, const struct release_keys *keys,
                                       enum moult_statement kind,
                                       const struct moult_cbor_writer *payload,
                                       struct moult_bytes *envelope);

void release_keys_close(struct release_keys *keys);

#endif
