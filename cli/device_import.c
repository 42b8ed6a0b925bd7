/* device_import.c - moult device import FILE.csv: in parts of 1,000 rows, as the server
 * commits. */
#include <string.h>

#include "cli/remote.h"

#define IMPORT_FILE_MAX (48u * 1024 * 1024) /* a million rows of 48 bytes */
#define IMPORT_ROWS 1000u                   /* rows of one request */

enum { OPT_DRY_RUN };

static const struct cli_option options[] = {
    [OPT_DRY_RUN] = {"dry-run", 0, NULL, "check only, change nothing", CLI_FLAG},
};

struct import {
    const char *file;
    const char *head; /* heading line, with its line end */
    size_t head_size;
    uint64_t created, updated, unchanged, rows;
    json_t *errors;
};

/* Bytes of one CSV record, its line end included: a quoted field may hold line ends. */
static size_t record_size(const char *text, size_t size)
{
    bool in_quotes = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"') { in_quotes = !in_quotes; }
        if (text[i] == '\n' && !in_quotes) { return i + 1; }
    }
    return size;
}

static size_t part_size(const char *text, size_t size, uint64_t *rows)
{
    size_t part = 0;
    for (*rows = 0; *rows < IMPORT_ROWS && part < size; ++*rows) {
        part += record_size(text + part, size - part);
    }
    return part;
}

static int add_result(struct cli *cli, struct import *import, json_t *reply, uint64_t rows)
{
    import->created += (uint64_t)cli_member_number(reply, "created");
    import->updated += (uint64_t)cli_member_number(reply, "updated");
    import->unchanged += (uint64_t)cli_member_number(reply, "unchanged");
    size_t index = 0;
    json_t *error = NULL;
    json_array_foreach(json_object_get(reply, "errors"), index, error)
    {
        json_int_t row = json_integer_value(json_object_get(error, "row"));
        json_t *copy = json_copy(error);
        json_t *number = json_integer(row + (json_int_t)import->rows);
        if (!copy || json_object_set_new(copy, "row", number) != 0 ||
            json_array_append_new(import->errors, copy) != 0) {
            return cli_json(cli, NULL);
        }
    }
    import->rows += rows;
    return CLI_OK;
}

static int send_part(struct cli *cli, struct import *import, const char *text, size_t size,
                     uint64_t rows)
{
    struct client *client = NULL;
    int code = cli_connect(cli, &client);
    if (code != CLI_OK) { return code; }
    char *body = cli_alloc(cli, import->head_size + size);
    memcpy(body, import->head, import->head_size);
    memcpy(body + import->head_size, text, size);
    struct client_pair query[] = {{"dry_run", cli_has(cli, OPT_DRY_RUN) ? "true" : NULL},
                                  {NULL, NULL}};
    struct client_request request = {
        .method = "POST",
        .path = "/devices/import",
        .query = query,
        .bytes = body,
        .size = import->head_size + size,
        .type = "text/csv",
    };
    struct client_reply reply;
    struct client_error error;
    if (client_call(client, &request, &reply, &error) != MOULT_OK) {
        return cli_fail_remote(cli, &error);
    }
    code = add_result(cli, import, reply.json, rows);
    client_reply_free(&reply);
    return code;
}

static int send_all(struct cli *cli, struct import *import, const char *text, size_t size)
{
    struct cli_progress bar;
    size_t at = 0;
    int code = CLI_OK;
    cli_progress_start(cli, &bar, "import", size);
    while (at < size && code == CLI_OK) {
        uint64_t rows = 0;
        size_t part = part_size(text + at, size - at, &rows);
        code = send_part(cli, import, text + at, part, rows);
        at += part;
        cli_progress_set(&bar, at);
    }
    cli_progress_end(&bar);
    return code;
}

static int print(struct cli *cli, const struct import *import)
{
    size_t bad = json_array_size(import->errors);
    if (cli->global.json) {
        int code = cli_json(
            cli, json_pack("{s:I,s:I,s:I,s:O,s:b}", "created", (json_int_t)import->created,
                           "updated", (json_int_t)import->updated, "unchanged",
                           (json_int_t)import->unchanged, "errors", import->errors,
                           "dry_run", cli_has(cli, OPT_DRY_RUN)));
        if (code != CLI_OK) { return code; }
    } else {
        cli_print(cli, "%s%llu created, %llu updated, %llu unchanged, %zu wrong\n",
                  cli_has(cli, OPT_DRY_RUN) ? "dry run: " : "",
                  (unsigned long long)import->created, (unsigned long long)import->updated,
                  (unsigned long long)import->unchanged, bad);
        size_t index = 0;
        json_t *error = NULL;
        json_array_foreach(import->errors, index, error)
        {
            cli_print(cli, "%s: row %s, %s: %s\n", import->file,
                      cli_member(cli, error, "row"), cli_member(cli, error, "field"),
                      cli_member(cli, error, "message"));
        }
    }
    if (bad == 0) { return CLI_OK; }
    return cli_fail(cli, MOULT_D_CLI_PARTIAL,
                    cli_text(cli, "%llu rows", (unsigned long long)import->rows),
                    cli_text(cli, "%llu", (unsigned long long)(import->rows - bad)));
}

static int run(struct cli *cli)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct import import = {.file = cli_argument(cli, 0)};
    int code = cli_read_file(cli, import.file, IMPORT_FILE_MAX, &data, &size);
    if (code != CLI_OK) { return code; }
    import.head = (const char *)data;
    import.head_size = record_size(import.head, size);
    if (import.head_size == 0 || import.head[import.head_size - 1] != '\n') {
        return cli_fail_at(cli, import.file, MOULT_D_CLI_USAGE,
                           "a heading line and one line per device", "neither");
    }
    import.errors = json_array();
    if (!import.errors) { return cli_json(cli, NULL); }
    code = send_all(cli, &import, import.head + import.head_size, size - import.head_size);
    if (code == CLI_OK) { code = print(cli, &import); }
    json_decref(import.errors);
    return code;
}

const struct cli_command cli_device_import = {
    .noun = "device",
    .verb = "import",
    .arguments = "FILE.csv",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
