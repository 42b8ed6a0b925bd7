/* image_inspect.c - moult image inspect FILE: what an application image is, and whether it
 * is whole.
 */
#include "cli/finding.h"
#include "cli/image_report.h"

/* 16 MB and a signature sector, and as much again behind it: a dump of a whole flash is
 * told from an image, not refused for its size. */
#define IMAGE_FILE_MAX (2u * MOULT_ESP_IMAGE_SIZE_MAX)

static int run(struct cli *cli)
{
    const char *path = cli_argument(cli, 0);
    uint8_t *data = NULL;
    size_t size = 0;
    int exit_code = cli_read_file(cli, path, IMAGE_FILE_MAX, &data, &size);
    if (exit_code != CLI_OK) { return exit_code; }

    struct moult_bytes bytes = {data, size};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct image_report *report = cli_alloc(cli, sizeof *report);
    struct moult_finding finding;
    enum moult_status st = image_report_read(&reader, false, report, &finding);
    if (st != MOULT_OK) { return cli_fail_finding(cli, path, st, &finding); }
    if (cli->global.json) { return cli_json(cli, image_report_json(cli, report)); }
    image_report_print(cli, path, report);
    return CLI_OK;
}

const struct cli_command cli_image_inspect = {
    .noun = "image",
    .verb = "inspect",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    .run = run,
};
