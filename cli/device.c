/* device.c - see device.h. */
#include "cli/device.h"

#include <string.h>

#include "cli/remote.h"

static bool is_id(const char *text)
{
    uint8_t bytes[16];
    return cli_unhex(text, bytes, sizeof bytes) == MOULT_OK;
}

static bool is_called(const json_t *device, const char *text)
{
    static const char *const names[] = {"id", "name", "serial"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = json_string_value(json_object_get(device, names[i]));
        if (value && strcmp(value, text) == 0) { return true; }
    }
    return false;
}

static int not_one(struct cli *cli, const char *text, size_t count)
{
    cli_next(cli, "moult device list");
    if (count == 0) { return cli_fail(cli, MOULT_D_API_NOT_FOUND, "device", text); }
    return cli_fail_words(
        cli, MOULT_D_CLI_USAGE,
        cli_text(cli, "\"%s\" names several devices; give more of it", text),
        "moult device list", CLI_CONFLICT);
}

int cli_device_id(struct cli *cli, const char *text, const char **id)
{
    if (is_id(text)) {
        *id = text;
        return CLI_OK;
    }
    json_t *found = NULL;
    struct client_pair query[] = {{"q", text}, {NULL, NULL}};
    int code = cli_get_list(cli, "/devices", query, 0, &found);
    if (code != CLI_OK) { return code; }
    size_t count = json_array_size(found);
    const json_t *match = count == 1 ? json_array_get(found, 0) : NULL;
    for (size_t i = 0; i < count && !match; i++) { /* "dev-1" beside "dev-10" */
        const json_t *device = json_array_get(found, i);
        if (is_called(device, text)) { match = device; }
    }
    if (match) {
        *id = cli_text(cli, "%s", cli_member(cli, match, "id"));
    } else {
        code = not_one(cli, text, count);
    }
    json_decref(found);
    return code;
}
