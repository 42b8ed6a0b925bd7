/* patch_create.c - moult patch create OLD NEW: what turns one image into the other. */
#include "cli/patch_report.h"
#include <string.h>
#include "keys/openssl_crypto.h"

enum { OPT_OUT, OPT_FULL, OPT_PROFILE, OPT_FORCE };

static const struct cli_option options[] = {
    [OPT_OUT] = {"out", 'o', "FILE", "where the patch goes", CLI_FILE},
    [OPT_FULL] = {"full", 0, "NEW", "no base: compress a full image", CLI_FILE},
    [OPT_PROFILE] = {"profile", 0, "NAME", "decoder RAM: m8 (default) or m16", CLI_TEXT},
    [OPT_FORCE] = {"force", 'f', NULL, "overwrite FILE", CLI_FLAG},
};

static const char *const phases[] = {"sorting", "aligning", "parsing", "coding",
                                     "verifying"};

struct bar {
    struct cli *cli;
    struct cli_progress progress;
    enum moult_encoder_phase phase;
    bool is_on;
};

static bool show(void *context, enum moult_encoder_phase phase, unsigned percent)
{
    struct bar *bar = context;
    if (!bar->is_on || bar->phase != phase) {
        if (bar->is_on) { cli_progress_end(&bar->progress); }
        cli_progress_start(bar->cli, &bar->progress, phases[phase], 100);
        bar->phase = phase;
        bar->is_on = true;
    }
    cli_progress_set(&bar->progress, percent);
    return true;
}

static int read_image(struct cli *cli, const char *path, struct moult_bytes *out)
{
    uint8_t *data = NULL;
    int code = cli_read_file(cli, path, MOULT_PATCH_IMAGE_MAX, &data, &out->size);
    out->data = data;
    return code;
}

static int profile_of(struct cli *cli, uint8_t *out)
{
    const char *name = cli_value(cli, OPT_PROFILE);
    *out = MOULT_PATCH_M8;
    if (!name || strcmp(name, "m8") == 0) { return CLI_OK; }
    *out = MOULT_PATCH_M16;
    if (strcmp(name, "m16") == 0) { return CLI_OK; }
    return cli_fail(cli, MOULT_D_CLI_USAGE, "--profile m8 or m16", name);
}

/* OLD and NEW, or --full NEW. */
static int read_both(struct cli *cli, struct moult_bytes *base, struct moult_bytes *result,
                     const char **path)
{
    const char *full = cli_value(cli, OPT_FULL);
    if (full && cli->argument_count > 0) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "either OLD and NEW or --full NEW", "both");
    }
    if (!full && cli->argument_count != 2) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "OLD and NEW, or --full NEW",
                        cli_text(cli, "%u files", cli->argument_count));
    }
    *path = full ? full : cli_argument(cli, 1);
    int code = full ? CLI_OK : read_image(cli, cli_argument(cli, 0), base);
    if (code != CLI_OK) { return code; }
    if (!full && base->size == 0) {
        return cli_fail_at(cli, cli_argument(cli, 0), MOULT_D_PATCH_BASE,
                           "an image; without one give --full NEW", "an empty file");
    }
    return read_image(cli, *path, result);
}

static int failed(struct cli *cli, enum moult_status status, const char *path,
                  const struct moult_bytes *result)
{
    if (status == MOULT_E_RANGE) {
        return cli_fail_at(cli, path, MOULT_D_CLI_USAGE, "an image of 1 byte to 16 MB",
                           cli_text(cli, "%zu bytes", result->size));
    }
    if (status == MOULT_E_SPACE) {
        cli_next(cli, "send the image as it is; of an encrypted one, patch the plain one");
        return cli_fail_at(cli, path, MOULT_D_PATCH_NO_GAIN,
                           cli_text(cli, "%zu bytes", result->size), "97 % or more");
    }
    return cli_fail_at(cli, path, MOULT_D_PATCH_RESULT, "equal to NEW",
                       moult_status_name(status));
}

static int run(struct cli *cli)
{
    const char *out = cli_value(cli, OPT_OUT), *path = NULL;
    struct moult_bytes base = {0}, result = {0};
    uint8_t profile;
    if (!out) { return cli_fail(cli, MOULT_D_CLI_USAGE, "--out FILE", "none"); }
    int code = profile_of(cli, &profile);
    if (code == CLI_OK) { code = read_both(cli, &base, &result, &path); }
    if (code != CLI_OK) { return code; }

    struct moult_crypto crypto = keys_openssl_crypto();
    struct bar bar = {.cli = cli};
    struct moult_encoder_options how = {profile, &crypto, show, &bar};
    struct moult_patch *patch = cli_alloc(cli, sizeof *patch);
    uint8_t *workspace = cli_alloc(cli, moult_patch_workspace_size(base.size, result.size));
    enum moult_status status = moult_patch_create(base, result, &how, workspace, patch);
    if (bar.is_on) { cli_progress_end(&bar.progress); }
    if (status != MOULT_OK) { return failed(cli, status, path, &result); }

    bool replace = cli_has(cli, OPT_FORCE);
    code = cli_write_file(cli, out, 0644, replace, patch->data, patch->size);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) {
        return cli_json(cli, patch_json(cli, &patch->header, &patch->statistics));
    }
    patch_print(cli, &patch->header, &patch->statistics);
    return CLI_OK;
}

const struct cli_command cli_patch_create = {
    .noun = "patch",
    .verb = "create",
    .arguments = "[OLD NEW]",
    .least = 0,
    .most = 2,
    CLI_OPTIONS(options),
    .run = run,
};
