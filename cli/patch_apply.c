/* patch_apply.c - moult patch apply OLD PATCH: the image that a device would make. */
#include "cli/patch_report.h"

enum { OPT_OUT, OPT_FORCE };

static const struct cli_option options[] = {
    [OPT_OUT] = {"out", 'o', "FILE", "where the image goes", CLI_FILE},
    [OPT_FORCE] = {"force", 'f', NULL, "overwrite FILE", CLI_FLAG},
};

static int read_base(struct cli *cli, const struct patch_file *patch, const char *path,
                     struct moult_bytes *base)
{
    if (patch->header.base_size == 0) {
        if (!path) { return CLI_OK; }
        return cli_fail_at(cli, path, MOULT_D_PATCH_BASE, "none: it is a full image",
                           "a base");
    }
    if (!path) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "OLD and PATCH: the patch has a base",
                        "PATCH alone");
    }
    uint8_t *data = NULL;
    int code = cli_read_file(cli, path, MOULT_PATCH_IMAGE_MAX, &data, &base->size);
    base->data = data;
    return code;
}

static int run(struct cli *cli)
{
    const char *out = cli_value(cli, OPT_OUT);
    bool has_base = cli->argument_count == 2;
    const char *base_path = has_base ? cli_argument(cli, 0) : NULL;
    struct patch_file patch;
    struct moult_bytes base = {0};
    if (!out) { return cli_fail(cli, MOULT_D_CLI_USAGE, "--out FILE", "none"); }
    int code = patch_read(cli, cli_argument(cli, has_base ? 1 : 0), &patch);
    if (code == CLI_OK) { code = read_base(cli, &patch, base_path, &base); }
    if (code != CLI_OK) { return code; }

    uint8_t *image = cli_alloc(cli, patch.header.new_size);
    code = patch_decode(cli, &patch, base, base_path, image);
    if (code != CLI_OK) { return code; }
    code = cli_write_file(cli, out, 0644, cli_has(cli, OPT_FORCE), image,
                          patch.header.new_size);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, patch_json(cli, &patch.header, NULL)); }
    cli_say(cli, "%s: %u bytes, as the patch says\n", out, patch.header.new_size);
    return CLI_OK;
}

const struct cli_command cli_patch_apply = {
    .noun = "patch",
    .verb = "apply",
    .arguments = "[OLD] PATCH",
    .least = 1,
    .most = 2,
    CLI_OPTIONS(options),
    .run = run,
};
