/* release_upload.c - moult release upload: images by their digest first, then the
 * statement. */
#include "cli/remote.h"
#include "keys/openssl_crypto.h"

#define IMAGE_MAX (16u * 1024 * 1024) /* the largest flash of an ESP32 */

struct upload {
    struct cli *cli;
    struct client *client;
    struct cli_progress bar;
};

static void on_progress(void *context, uint64_t sent, uint64_t total)
{
    struct upload *upload = context;
    if (total > 0) { cli_progress_set(&upload->bar, sent); }
}

static int send_image(struct upload *upload, const char *path)
{
    struct cli *cli = upload->cli;
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t *data = NULL;
    uint8_t digest[32];
    struct client_request request = {.method = "PUT", .type = "application/octet-stream"};
    int code = cli_read_file(cli, path, IMAGE_MAX, &data, &request.size);
    if (code != CLI_OK) { return code; }
    if (moult_sha256_once(&crypto, data, request.size, digest) != MOULT_OK) {
        return cli_json(cli, NULL); /* libcrypto fails for want of memory only */
    }
    request.bytes = data;
    request.path = cli_text(cli, "/artifacts/%s", cli_hex(cli, digest, sizeof digest));
    request.progress = on_progress;
    request.context = upload;
    struct client_reply reply;
    struct client_error error;
    cli_progress_start(cli, &upload->bar, path, request.size);
    enum moult_status st = client_call(upload->client, &request, &reply, &error);
    cli_progress_end(&upload->bar);
    if (st != MOULT_OK) { return cli_fail_remote(cli, &error); }
    cli_say(cli, "%s: %zu bytes %s\n", path, request.size,
            reply.http == 201 ? "uploaded" : "were there already");
    client_reply_free(&reply);
    return CLI_OK;
}

/* What does not hinder the release, but some of its devices. */
static void print_warnings(struct cli *cli, const json_t *reply)
{
    size_t index;
    const json_t *warning;
    json_array_foreach(json_object_get(reply, "warnings"), index, warning)
    {
        cli_warn(cli, "%s: %s\n", cli_member(cli, warning, "reason"),
                 cli_member(cli, warning, "words"));
    }
}

static int send_statement(struct upload *upload, const uint8_t *data, size_t size)
{
    struct cli *cli = upload->cli;
    struct client_request request = {.method = "POST",
                                     .path = "/releases",
                                     .type = "application/cose",
                                     .bytes = data,
                                     .size = size};
    struct client_reply reply;
    struct client_error error;
    int code = CLI_OK;
    if (client_call(upload->client, &request, &reply, &error) != MOULT_OK) {
        return cli_fail_remote(cli, &error);
    }
    print_warnings(cli, reply.json);
    if (cli->global.json) {
        code = cli_json(cli, json_incref(reply.json));
    } else {
        cli_print(cli, "%s %s, sequence %s: %s%s\n", cli_member(cli, reply.json, "class"),
                  cli_member(cli, reply.json, "version"),
                  cli_member(cli, reply.json, "sequence"),
                  cli_member(cli, reply.json, "state"),
                  reply.http == 200 ? " (was there already)" : "");
    }
    client_reply_free(&reply);
    return code;
}

static int run(struct cli *cli)
{
    struct upload upload = {.cli = cli};
    uint8_t *statement = NULL;
    size_t size = 0;
    int code =
        cli_read_file(cli, cli_argument(cli, 0), CLI_SMALL_FILE_MAX, &statement, &size);
    if (code == CLI_OK) { code = cli_connect(cli, &upload.client); }
    for (unsigned i = 1; code == CLI_OK && i < cli->argument_count; i++) {
        code = send_image(&upload, cli_argument(cli, i));
    }
    if (code != CLI_OK) { return code; }
    cli_next(cli, cli_text(cli, "moult release inspect %s", cli_argument(cli, 0)));
    return send_statement(&upload, statement, size);
}

const struct cli_command cli_release_upload = {
    .noun = "release",
    .verb = "upload",
    .arguments = "RELEASE [IMAGE...]",
    .least = 1,
    .most = 5, /* a release has at most four components */
    .run = run,
};
