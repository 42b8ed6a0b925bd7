/* statement.h - signed statements on the command line: keyset files, findings, words.
 *
 * Layer    cli.
 * Memory   what is returned lasts until the command ends.
 */
#ifndef MOULT_CLI_STATEMENT_H
#define MOULT_CLI_STATEMENT_H

#include "cli/cli.h"
#include "formats/keyset.h"
#include "formats/release.h"

/* A statement file read whole. */
struct statement_file {
    const char *path;
    struct moult_bytes envelope;
};

/* Returns CLI_OK, or has failed (CLI_FILE_READ, or _SIZE of that kind). */
MOULT_MUST_CHECK int statement_read(struct cli *cli, enum moult_statement kind,
                                    const char *path, struct statement_file *out);

/* Reads and verifies a keyset as a first one: its own root threshold signed it. */
MOULT_MUST_CHECK int statement_keyset(struct cli *cli, const char *path,
                                      struct moult_keyset *out,
                                      struct statement_file *file);

/* The command fails with the finding of a statement. Returns the exit code. */
int statement_fail(struct cli *cli, const char *path, enum moult_status status,
                   const struct moult_finding *finding);

/* The command fails with a key file. Returns the exit code. */
struct keys_error;
int statement_fail_key(struct cli *cli, const char *path, enum moult_status status,
                       const struct keys_error *error);

const char *statement_role(enum moult_role role); /* "root", "release", "assign" */

/* The role of a kid in a keyset, or NULL. */
const char *statement_role_of(const struct moult_keyset *keyset, const uint8_t *kid);

/* 2026-01-01T00:00:00Z, or the number where a calendar has no such time. */
const char *statement_time(struct cli *cli, uint64_t unix_s);

/* Numbers up to INT64_MAX as a JSON number, above as text. */
json_t *statement_number(struct cli *cli, uint64_t number);

/* The signatures of an envelope: [{"kid", "algorithm", "role", "is_valid"}]. keyset may be
 * NULL: role and is_valid are then null. */
json_t *statement_signatures(struct cli *cli, const struct moult_cose *cose,
                             const struct moult_keyset *keyset);

#endif
