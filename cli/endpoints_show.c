/* endpoints_show.c - moult endpoints show FILE: the addresses of a fleet, and who signed
 * them. */
#include "cli/endpoints_report.h"
#include "cli/release_keys.h"

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
    struct endpoints_report *report = cli_alloc(cli, sizeof *report);
    int code = CLI_OK;
    if (cli_has(cli, OPT_KEYSET) || cli_has(cli, OPT_DIR)) {
        keyset = cli_alloc(cli, sizeof *keyset);
        code = release_keys_keyset(cli, OPT_KEYSET, OPT_DIR, keyset, &trusted);
    }
    if (code == CLI_OK) {
        code = statement_read(cli, MOULT_STATEMENT_ENDPOINTS, cli_argument(cli, 0), &file);
    }
    if (code != CLI_OK) { return code; }
    enum moult_status st = endpoints_report_read(file.envelope, keyset, report, &finding);
    if (st != MOULT_OK) { return statement_fail(cli, file.path, st, &finding); }
    if (cli->global.json) { return cli_json(cli, endpoints_report_json(cli, report)); }
    endpoints_report_print(cli, report);
    if (!keyset) {
        cli_say(cli, "Signatures were not checked: give --keyset FILE or --dir DIR.\n");
    }
    return CLI_OK;
}

const struct cli_command cli_endpoints_show = {
    .noun = "endpoints",
    .verb = "show",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
