/* release_list.c - moult release list. */
#include "cli/remote.h"

enum { OPT_CLASS };

static const struct cli_option options[] = {
    [OPT_CLASS] = {"class", 0, "CLASS", "only releases of this class", CLI_TEXT},
};

static void print(struct cli *cli, const json_t *releases)
{
    struct cli_table *table = cli_table_start(cli, "VERSION", "SEQUENCE", "CLASS", "STATE",
                                              "SIZE", "RUNNING ON", "CREATED", "ID", NULL);
    size_t index = 0;
    const json_t *release = NULL;
    json_array_foreach((json_t *)releases, index, release)
    {
        const json_t *first = json_array_get(cli_member_json(release, "components"), 0);
        cli_table_row(table, cli_member(cli, release, "version"),
                      cli_member(cli, release, "sequence"),
                      cli_member(cli, release, "class"), cli_member(cli, release, "state"),
                      cli_member(cli, first, "size"),
                      cli_member(cli, release, "devices_running"),
                      cli_ago(cli, cli_member(cli, release, "created")),
                      cli_member(cli, release, "id"));
    }
    cli_table_end(table);
}

static int run(struct cli *cli)
{
    json_t *releases = NULL;
    struct client_pair query[] = {{"class", cli_value(cli, OPT_CLASS)}, {NULL, NULL}};
    int code = cli_get_list(cli, "/releases", query, 0, &releases);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, json_pack("{s:o}", "items", releases)); }
    print(cli, releases);
    json_decref(releases);
    return CLI_OK;
}

const struct cli_command cli_release_list = {
    .noun = "release",
    .verb = "list",
    CLI_OPTIONS(options),
    .run = run,
};
