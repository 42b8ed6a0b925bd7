/* rollout_phase.c - see rollout_phase.h. */
#include "cli/rollout_phase.h"

#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX 100000000u /* more than any fleet */

static int bad_phase(struct cli *cli, const char *want, const char *text)
{
    return cli_fail(cli, MOULT_D_CLI_USAGE, want, text);
}

static bool read_count(const char *text, size_t size, uint32_t *count)
{
    *count = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') { return false; }
        *count = *count * 10 + (uint32_t)(text[i] - '0');
        if (*count > DEVICES_MAX) { return false; }
    }
    return size > 0;
}

/* The part before the first comma. */
static json_t *parse_rule(const char *text, size_t size)
{
    uint32_t number = 0;
    if (size == 4 && memcmp(text, "rest", 4) == 0) { return json_pack("{s:b}", "rest", 1); }
    if (size > 0 && text[size - 1] == '%') {
        if (!read_count(text, size - 1, &number) || number < 1 || number > 100) {
            return NULL;
        }
        return json_pack("{s:i}", "percent", (int)number);
    }
    if (!read_count(text, size, &number) || number == 0) { return NULL; }
    return json_pack("{s:i}", "count", (int)number);
}

static int parse_setting(struct cli *cli, const char *text, json_t *phase)
{
    uint32_t count = 0;
    uint64_t seconds = 0;
    if (strcmp(text, "approve") == 0) {
        return json_object_set_new(phase, "approve", json_true()) ? cli_json(cli, NULL)
                                                                  : CLI_OK;
    }
    if (strncmp(text, "min=", 4) == 0 && read_count(text + 4, strlen(text + 4), &count)) {
        json_t *number = json_integer((json_int_t)count);
        return json_object_set_new(phase, "min_devices", number) ? cli_json(cli, NULL)
                                                                 : CLI_OK;
    }
    if (strncmp(text, "soak=", 5) == 0 &&
        cli_parse_duration(text + 5, &seconds) == MOULT_OK) {
        json_t *number = json_integer((json_int_t)seconds);
        return json_object_set_new(phase, "soak_s", number) ? cli_json(cli, NULL) : CLI_OK;
    }
    return bad_phase(cli, "min=N, soak=DURATION or approve behind a phase", text);
}

int cli_phase_parse(struct cli *cli, const char *text, int64_t soak_s, json_t **phase)
{
    size_t size = strcspn(text, ",");
    json_t *object = parse_rule(text, size);
    if (!object) {
        return bad_phase(
            cli, "a phase: 5%, 20 (devices) or rest, then ,min= ,soak= ,approve", text);
    }
    int code = CLI_OK;
    if (soak_s >= 0 && json_object_set_new(object, "soak_s", json_integer(soak_s)) != 0) {
        code = cli_json(cli, NULL);
    }
    const char *p = text + size;
    while (code == CLI_OK && *p == ',') {
        p++;
        size = strcspn(p, ",");
        code = parse_setting(cli, cli_text(cli, "%.*s", (int)size, p), object);
        p += size;
    }
    if (code != CLI_OK) {
        json_decref(object);
        return code;
    }
    *phase = object;
    return CLI_OK;
}
