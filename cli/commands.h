/* commands.h - the subcommands, in the order of `moult help`.
 *
 * A row NAME means: `extern const struct cli_command cli_NAME`, defined in a file of cli/,
 * with the page docs/cli/<noun>-<verb>.md (or <noun>.md where there is no verb).
 */
#ifndef MOULT_CLI_COMMANDS_H
#define MOULT_CLI_COMMANDS_H

#include "cli/cli.h"

/* clang-format off */
#define CLI_COMMANDS(X)  \
    X(keyset_create) \
    X(keyset_show) \
    X(release_create) \
    X(release_inspect) \
    X(release_upload) \
    X(release_list) \
    X(endpoints_create) \
    X(endpoints_show) \
    X(device_list) \
    X(device_show) \
    X(device_history) \
    X(device_accept) \
    X(device_reject) \
    X(device_quarantine) \
    X(device_release) \
    X(device_retire) \
    X(device_import) \
    X(rollout_create) \
    X(rollout_list) \
    X(rollout_show) \
    X(rollout_watch) \
    X(rollout_start) \
    X(rollout_pause) \
    X(rollout_resume) \
    X(rollout_abort) \
    X(rollout_advance) \
    X(rollout_retry) \
    X(image_make) \
    X(image_inspect) \
    X(patch_create) \
    X(patch_apply) \
    X(patch_info) \
    X(partitions_show) \
    X(partitions_check) \
    X(partitions_plan) \
    X(otadata_show) \
    X(flash_show) \
    X(why) \
    X(wait) \
    X(explain) \
    X(server_status) \
    X(login) \
    X(completion) \
    X(dev_init) \
    X(dev_device) \
    X(version)
/* clang-format on */

/* The table made of the rows; *count is set. */
const struct cli_command *const *cli_commands(size_t *count);

/* The command of noun and verb, or NULL. A command without verb matches any verb, which
 * then is its first argument. */
const struct cli_command *cli_command_find(const char *noun, const char *verb);

/* Whether any command has this noun. */
bool cli_noun_exists(const char *noun);

/* "release create", or "why": in a static-size buffer of the caller. */
void cli_command_name(const struct cli_command *command, char *out, size_t size);

/* The name in the table nearest to text by edits, or NULL when none is near. kind 0: nouns;
 * with a noun: its verbs. */
const char *cli_nearest_name(const char *noun, const char *text);

/* Edits (insert, delete, replace, swap) from a to b; texts over 31 characters count as far.
 */
unsigned cli_edit_distance(const char *a, const char *b);

#endif
