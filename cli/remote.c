/* remote.c - see remote.h. */
#include "cli/remote.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "client/mem.h"
#include "client/profile.h"

static int no_server(struct cli *cli)
{
    cli_next(cli,
             "moult login --server https://HOST:PORT, or export MOULT_PROFILE=DATA-FOLDER");
    return cli_fail(cli, MOULT_D_CLI_USAGE,
                    "a server (--server, MOULT_SERVER or a profile)", "none");
}

bool cli_has_server(struct cli *cli)
{
    struct client_error error;
    struct client_profile profile;
    if (client_profile_find(cli->global.profile, cli->global.server, &profile, &error) !=
        MOULT_OK) {
        return false;
    }
    bool has = profile.server != NULL;
    client_profile_free(&profile);
    return has;
}

int cli_connect(struct cli *cli, struct client **client)
{
    struct client_error error;
    *client = cli->client;
    if (cli->client) { return CLI_OK; }
    struct client_profile profile;
    if (client_profile_find(cli->global.profile, cli->global.server, &profile, &error) !=
        MOULT_OK) {
        return cli_fail_remote(cli, &error);
    }
    if (profile.is_open_to_others) {
        cli_warn(cli, "%s holds a token and others may read it; next: chmod 600 %s\n",
                 profile.path, profile.path);
    }
    int code = CLI_OK;
    if (!profile.server) {
        code = no_server(cli);
    } else {
        struct client_config config = {
            .server = profile.server, .token = profile.token, .ca_file = profile.ca};
        if (client_open(&config, &cli->client, &error) != MOULT_OK) {
            code = cli_fail_remote(cli, &error);
        }
    }
    *client = cli->client;
    client_profile_free(&profile);
    return code;
}

int cli_fail_remote(struct cli *cli, const struct client_error *error)
{
    const char *words = error->words;
    if (error->field[0] != '\0' && !strstr(words, error->field)) {
        words = cli_text(cli, "%s: %s", error->field, words);
    }
    if (error->request_id[0] != '\0' && error->http >= 500) {
        words = cli_text(cli, "%s [request %s]", words, error->request_id);
    }
    return cli_fail_words(cli, error->detail, words, cli->next ? cli->next : error->hint,
                          error->exit_code);
}

int cli_get(struct cli *cli, const char *path, const struct client_pair *query,
            json_t **json)
{
    struct client *client = NULL;
    struct client_error error;
    int code = cli_connect(cli, &client);
    if (code != CLI_OK) { return code; }
    if (client_get(client, path, query, json, &error) == MOULT_OK) { return CLI_OK; }
    return cli_fail_remote(cli, &error);
}

enum moult_status cli_try_get(struct cli *cli, const char *path,
                              const struct client_pair *query, json_t **json,
                              struct client_error *error)
{
    struct client *client = NULL;
    *error = (struct client_error){0};
    error->exit_code = cli_connect(cli, &client);
    if (error->exit_code != CLI_OK) { return MOULT_E_STATE; }
    return client_get(client, path, query, json, error);
}

int cli_post(struct cli *cli, const char *path, const struct client_pair *query,
             const json_t *body, json_t **json)
{
    struct client *client = NULL;
    struct client_error error;
    int code = cli_connect(cli, &client);
    if (code != CLI_OK) { return code; }
    if (client_post(client, path, query, body, json, &error) == MOULT_OK) { return CLI_OK; }
    return cli_fail_remote(cli, &error);
}

int cli_get_list(struct cli *cli, const char *path, const struct client_pair *query,
                 size_t limit, json_t **array)
{
    struct client *client = NULL;
    struct client_error error;
    int code = cli_connect(cli, &client);
    if (code != CLI_OK) { return code; }
    json_t *items = json_array();
    struct client_list list;
    enum moult_status st = items ? MOULT_OK : MOULT_E_NOMEM;
    client_list_start(&list, client, path, query);
    while (st == MOULT_OK && (limit == 0 || json_array_size(items) < limit)) {
        json_t *item = NULL;
        st = client_list_next(&list, &item, &error);
        if (st == MOULT_OK && json_array_append(items, item) != 0) { st = MOULT_E_NOMEM; }
    }
    client_list_end(&list);
    if (st == MOULT_OK || st == MOULT_E_NOENT) {
        *array = items;
        return CLI_OK;
    }
    json_decref(items);
    if (st == MOULT_E_NOMEM) { return cli_json(cli, NULL); } /* says "out of memory" */
    return cli_fail_remote(cli, &error);
}

const char *cli_escape(struct cli *cli, const char *text)
{
    char *escaped = client_escape(text);
    const char *kept = cli_text(cli, "%s", escaped ? escaped : "");
    client_mem_free(escaped);
    return kept;
}

const json_t *cli_member_json(const json_t *object, const char *path)
{
    char name[64];
    while (object) {
        size_t size = strcspn(path, ".");
        assert(size < sizeof name); /* paths are constants of the commands */
        memcpy(name, path, size);
        name[size] = '\0';
        object = json_object_get(object, name);
        if (path[size] == '\0') { break; }
        path += size + 1;
    }
    return object && !json_is_null(object) ? object : NULL;
}

int64_t cli_member_number(const json_t *object, const char *path)
{
    const json_t *value = cli_member_json(object, path);
    return value ? (int64_t)json_integer_value(value) : 0;
}

const char *cli_member(struct cli *cli, const json_t *object, const char *path)
{
    const json_t *value = cli_member_json(object, path);
    if (json_is_string(value)) { return json_string_value(value); }
    if (json_is_integer(value)) {
        return cli_text(cli, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    if (json_is_boolean(value)) { return json_is_true(value) ? "yes" : "no"; }
    return "";
}

const char *cli_ago(struct cli *cli, const char *text)
{
    struct tm tm = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!rest) { return "-"; }
    int64_t seconds = (int64_t)time(NULL) - (int64_t)timegm(&tm);
    if (seconds < 0) { seconds = 0; } /* the server's clock is a little ahead */
    if (seconds < 120) { return cli_text(cli, "%d s ago", (int)seconds); }
    if (seconds < 7200) { return cli_text(cli, "%d min ago", (int)(seconds / 60)); }
    if (seconds < 172800) { return cli_text(cli, "%d h ago", (int)(seconds / 3600)); }
    return cli_text(cli, "%d d ago", (int)(seconds / 86400));
}
