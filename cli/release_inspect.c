/* release_inspect.c - moult release inspect FILE: what a release says, and who signed it.
 * */
#include "cli/release_report.h"

enum { OPT_KEYSET, OPT_DIR };

static const struct cli_option options[] = {
    [OPT_KEYSET] = {"keyset", 'k', "FILE", "verify against this keyset", CLI_FILE},
    [OPT_DIR] = {"dir", 'd', "DIR", "verify against keyset.cbor of moult dev init",
                 CLI_FILE},
};

static int run(struct cli *cli)
{
    struct moult_keyset *keyset = NULL;
    struct statement_file trusted, file;
    struct moult_finding finding;
    struct release_report *report = cli_alloc(cli, sizeof *report);
    const char *path = cli_value(cli, OPT_KEYSET);
    int code = CLI_OK;
    if (!path && cli_has(cli, OPT_DIR)) {
        path = cli_text(cli, "%s/keyset.cbor", cli_value(cli, OPT_DIR));
    }
    if (path) {
        keyset = cli_alloc(cli, sizeof *keyset);
        code = statement_keyset(cli, path, keyset, &trusted);
    }
    if (code == CLI_OK) {
        code = statement_read(cli, MOULT_STATEMENT_RELEASE, cli_argument(cli, 0), &file);
    }
    if (code != CLI_OK) { return code; }
    enum moult_status st = release_report_read(file.envelope, keyset, report, &finding);
    if (st != MOULT_OK) { return statement_fail(cli, file.path, st, &finding); }
    if (cli->global.json) { return cli_json(cli, release_report_json(cli, report)); }
    release_report_print(cli, report);
    if (!keyset) {
        cli_say(cli, "Signatures were not checked: give --keyset FILE or --dir DIR.\n");
    }
    return CLI_OK;
}

const struct cli_command cli_release_inspect = {
    .noun = "release",
    .verb = "inspect",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
