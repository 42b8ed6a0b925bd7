/* remote.h - commands that talk to a server.
 *
 * Layer    cli.
 * Memory   the client and everything returned here last until the command ends.
 */
#ifndef MOULT_CLI_REMOTE_H
#define MOULT_CLI_REMOTE_H

#include "cli/cli.h"
#include "client/client.h"

/* Whether the user has chosen a server, without a word about it. */
bool cli_has_server(struct cli *cli);

/* The client of the profile the user chose; the same one each time. Returns CLI_OK, or has
 * failed. */
MOULT_MUST_CHECK int cli_connect(struct cli *cli, struct client **client);

/* Print why a call failed; returns its exit code. */
int cli_fail_remote(struct cli *cli, const struct client_error *error);

/* GET or POST; *json is the caller's (json_decref). Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int cli_get(struct cli *cli, const char *path,
                             const struct client_pair *query, json_t **json);
MOULT_MUST_CHECK int cli_post(struct cli *cli, const char *path,
                              const struct client_pair *query, const json_t *body,
                              json_t **json);

/* GET without a word about failure: for commands that go on without the server for a while.
 * A bad profile is said at once. MOULT_OK, or error is filled (exit_code, too). */
MOULT_MUST_CHECK enum moult_status cli_try_get(struct cli *cli, const char *path,
                                               const struct client_pair *query,
                                               json_t **json, struct client_error *error);

/* All items of a list, at most limit (0: all), as a JSON array of the caller. */
MOULT_MUST_CHECK int cli_get_list(struct cli *cli, const char *path,
                                  const struct client_pair *query, size_t limit,
                                  json_t **array);

/* text percent-encoded, for a path. */
const char *cli_escape(struct cli *cli, const char *text);

/* The text, number or "" of a member; never NULL. Nested: "running.version". */
const char *cli_member(struct cli *cli, const json_t *object, const char *path);
int64_t cli_member_number(const json_t *object,
                          const char *path); /* 0 where it is missing */
const json_t *cli_member_json(const json_t *object,
                              const char *path); /* NULL where missing */

/* "2026-01-02T03:04:05.678Z" as "12 s ago"; "-" for null. */
const char *cli_ago(struct cli *cli, const char *time);

#endif
