/* login.c - moult login: checks a token and keeps it as a profile. */
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/remote.h"
#include "client/mem.h"
#include "client/profile.h"

#define TOKEN_MAX 256u

enum { OPT_CA };

static const struct cli_option options[] = {
    [OPT_CA] = {"ca", 0, "FILE", "PEM of the CA that signed the server's certificate",
                CLI_FILE},
};

/* One line of stdin without its end, not shown on a terminal. Never from argv: others see
 * that. */
static int read_token(struct cli *cli, const char **token)
{
    char line[TOKEN_MAX] = "";
    struct termios before;
    bool hidden = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (hidden) {
        struct termios quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet); /* then it is shown: not fatal */
        (void)fputs("token: ", cli->err);                 /* talk may get lost */
        (void)fflush(cli->err);
    }
    bool got = fgets(line, sizeof line, stdin) != NULL;
    if (hidden) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before); /* nothing else can be done */
        (void)fputc('\n', cli->err);
    }
    line[strcspn(line, " \t\r\n")] = '\0';
    if (!got || line[0] == '\0') {
        return cli_fail(cli, MOULT_D_CLI_TOKEN, "one line on stdin", "nothing");
    }
    *token = cli_text(cli, "%s", line);
    return CLI_OK;
}

static int check_token(struct cli *cli, const struct client_config *config, json_t **status)
{
    struct client_error error;
    if (client_open(config, &cli->client, &error) == MOULT_OK &&
        client_get(cli->client, "/status", NULL, status, &error) == MOULT_OK) {
        return CLI_OK;
    }
    return cli_fail_remote(cli, &error);
}

static int write_profile(struct cli *cli, const char *path,
                         const struct client_config *config)
{
    const char *slash = strrchr(path, '/');
    if (slash && slash != path) {
        const char *folder = cli_text(cli, "%.*s", (int)(slash - path), path);
        int code = cli_make_folder(cli, folder, 0700);
        if (code != CLI_OK) { return code; }
    }
    const char *text =
        cli_text(cli, "# written by moult login\nserver = %s\ntoken = %s\n%s%s%s",
                 config->server, config->token, config->ca_file ? "ca = " : "",
                 config->ca_file ? config->ca_file : "", config->ca_file ? "\n" : "");
    return cli_write_file(cli, path, 0600, true, text, strlen(text));
}

/* An absolute path: the profile is used from other folders. */
static const char *absolute(struct cli *cli, const char *path)
{
    char here[4096];
    if (!path || path[0] == '/' || !getcwd(here, sizeof here)) { return path; }
    return cli_text(cli, "%s/%s", here, path);
}

static int login(struct cli *cli, const struct client_profile *found, const char *path)
{
    const char *ca = cli_value(cli, OPT_CA) ? cli_value(cli, OPT_CA) : found->ca;
    struct client_config config = {.server = found->server, .ca_file = absolute(cli, ca)};
    if (!found->server) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--server https://HOST:PORT", "none");
    }
    json_t *status = NULL;
    int code = read_token(cli, &config.token);
    if (code == CLI_OK) { code = check_token(cli, &config, &status); }
    if (code == CLI_OK) { code = write_profile(cli, path, &config); }
    if (code == CLI_OK && cli->global.json) {
        code = cli_json(cli,
                        json_pack("{s:s,s:s,s:s}", "profile", path, "server", config.server,
                                  "version", cli_member(cli, status, "version")));
    } else if (code == CLI_OK) {
        cli_print(cli, "moultd %s at %s; profile %s\n", cli_member(cli, status, "version"),
                  config.server, path);
    }
    json_decref(status);
    return code;
}

static int run(struct cli *cli)
{
    struct client_profile found;
    struct client_error error;
    char *path = client_profile_path(cli->global.profile);
    if (!path) {
        return cli_fail(cli, MOULT_D_CLI_FILE_WRITE, "the profile",
                        "neither HOME nor XDG_CONFIG_HOME is set");
    }
    enum moult_status st = client_profile_read(path, &found, &error);
    if (st == MOULT_E_NOENT || cli->global.server) {
        client_profile_free(&found);
        found.server = cli->global.server ? client_mem_copy(cli->global.server) : NULL;
        st = MOULT_OK;
    }
    int code = st == MOULT_OK ? login(cli, &found, path) : cli_fail_remote(cli, &error);
    client_profile_free(&found);
    client_mem_free(path);
    return code;
}

const struct cli_command cli_login = {.noun = "login", CLI_OPTIONS(options), .run = run};
