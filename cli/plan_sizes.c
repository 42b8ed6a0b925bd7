/* plan_sizes.c - see plan_sizes.h. */
#include "cli/plan_sizes.h"

#include <stdlib.h>
#include <string.h>

#include "cli/finding.h"
#include "cli/image_report.h"
#include "cli/remote.h"
#include "formats/release.h"

#define KB 1024u
#define MB (1024u * 1024u)
#define IMAGE_FILE_MAX (16u * MB) /* the largest app partition */

enum moult_status plan_size(const char *text, uint32_t *out)
{
    char *end = NULL;
    bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (text[0] < '0' || text[0] > '9') { return MOULT_E_FORMAT; } /* no sign, no blank */
    unsigned long long value = strtoull(text, &end, is_hex ? 16 : 10);
    if (value > UINT32_MAX) { return MOULT_E_RANGE; }
    if (*end == 'k' || *end == 'K') {
        value *= KB;
        end++;
    } else if (*end == 'm' || *end == 'M') {
        value *= MB;
        end++;
    }
    if (*end == 'B') { end++; } /* "4MB" */
    if (*end != '\0') { return MOULT_E_FORMAT; }
    if (value > UINT32_MAX) { return MOULT_E_RANGE; }
    *out = (uint32_t)value;
    return MOULT_OK;
}

int plan_size_option(struct cli *cli, unsigned option, uint32_t otherwise, uint32_t *out)
{
    const char *text = cli_value(cli, option);
    *out = otherwise;
    if (!text || plan_size(text, out) == MOULT_OK) { return CLI_OK; }
    const char *name = cli->command->options[option].name;
    return cli_fail(cli, MOULT_D_CLI_USAGE,
                    cli_text(cli, "--%s such as 4M, 512K or 0x1e0000", name), text);
}

const char *plan_size_words(struct cli *cli, uint64_t size)
{
    if (size >= MB) { return cli_text(cli, "%.2f MB", (double)size / MB); }
    if (size >= KB) {
        return cli_text(cli, "%llu KB", (unsigned long long)(size + KB / 2) / KB);
    }
    return cli_text(cli, "%llu B", (unsigned long long)size);
}

/* --- History -------------------------------------------------------------------------- */

void plan_history_add(struct cli *cli, struct plan_history *history, const char *version,
                      uint32_t size)
{
    if (history->count == history->room) {
        uint32_t room = history->room ? 2 * history->room : 32;
        struct plan_release *list = cli_alloc(cli, room * sizeof *list);
        if (history->count > 0) {
            memcpy(list, history->list, history->count * sizeof *list);
        }
        history->list = list;
        history->room = room;
    }
    history->list[history->count++] = (struct plan_release){version, size};
}

static char *trimmed(char *text)
{
    while (*text == ' ' || *text == '\t') {
        text++;
    }
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t\r", text[size - 1])) {
        text[--size] = '\0';
    }
    return text;
}

static int bad_line(struct cli *cli, const char *path, unsigned line, const char *found)
{
    return cli_fail_at(cli, cli_text(cli, "%s: line %u", path, line), MOULT_D_PLAN_HISTORY,
                       "version,size", cli_clean(cli, found));
}

static int read_line(struct cli *cli, const char *path, unsigned number, char *line,
                     struct plan_history *history)
{
    uint32_t size = 0;
    line = trimmed(line);
    if (line[0] == '\0' || line[0] == '#') { return CLI_OK; }
    char *comma = strchr(line, ',');
    if (!comma) { return bad_line(cli, path, number, line); }
    *comma = '\0';
    char *version = trimmed(line);
    char *text = trimmed(comma + 1);
    bool is_head = history->count == 0 && strcmp(text, "size") == 0;
    if (is_head) { return CLI_OK; }
    if (plan_size(text, &size) != MOULT_OK || size == 0) {
        return bad_line(cli, path, number, text);
    }
    if (history->count == PLAN_RELEASES_MAX) {
        return cli_fail_at(cli, path, MOULT_D_PLAN_HISTORY,
                           cli_text(cli, "at most %u releases", PLAN_RELEASES_MAX), "more");
    }
    plan_history_add(cli, history, cli_clean(cli, version), size);
    return CLI_OK;
}

int plan_history_read(struct cli *cli, const char *path, struct plan_history *history)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int code = cli_read_file(cli, path, CLI_SMALL_FILE_MAX, &data, &size);
    if (code != CLI_OK) { return code; }
    if (strlen((char *)data) != size) {
        return cli_fail_at(cli, path, MOULT_D_PLAN_HISTORY, "text", "a zero byte");
    }
    char *line = (char *)data;
    for (unsigned number = 1; line && code == CLI_OK; number++) {
        char *next = strchr(line, '\n');
        if (next) { *next++ = '\0'; }
        code = read_line(cli, path, number, line, history);
        line = next;
    }
    if (code == CLI_OK && history->count == 0) {
        return cli_fail_at(cli, path, MOULT_D_PLAN_HISTORY, "version,size", "no line");
    }
    return code;
}

/* One release of the server's list. */
struct fetched {
    int64_t sequence;
    const char *version;
    uint32_t size;
};

static int by_sequence(const void *a, const void *b)
{
    int64_t x = ((const struct fetched *)a)->sequence;
    int64_t y = ((const struct fetched *)b)->sequence;
    return (x > y) - (x < y);
}

/* 0: the release has none, such as one of a filesystem image alone. */
static int64_t application_size(const json_t *release)
{
    const json_t *components = cli_member_json(release, "components");
    for (size_t i = 0; i < json_array_size(components); i++) {
        const json_t *component = json_array_get(components, i);
        const json_t *id = json_object_get(component, "id");
        if (json_is_integer(id) && json_integer_value(id) == MOULT_COMPONENT_APP) {
            return cli_member_number(component, "size");
        }
    }
    return 0;
}

int plan_history_fetch(struct cli *cli, const char *class_name,
                       struct plan_history *history)
{
    json_t *releases = NULL;
    struct client_pair query[] = {{"class", class_name}, {NULL, NULL}};
    int code = cli_get_list(cli, "/releases", query, PLAN_RELEASES_MAX, &releases);
    if (code != CLI_OK) { return code; }
    size_t count = json_array_size(releases);
    struct fetched *list = cli_alloc(cli, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        const json_t *release = json_array_get(releases, i);
        int64_t size = application_size(release);
        list[i] = (struct fetched){cli_member_number(release, "sequence"),
                                   cli_clean(cli, cli_member(cli, release, "version")),
                                   size > 0 && size <= UINT32_MAX ? (uint32_t)size : 0};
    }
    qsort(list, count, sizeof *list, by_sequence);
    for (size_t i = 0; i < count; i++) {
        if (list[i].size > 0) {
            plan_history_add(cli, history, list[i].version, list[i].size);
        }
    }
    json_decref(releases);
    return CLI_OK;
}

int plan_image_size(struct cli *cli, const char *path, struct plan_release *out)
{
    struct moult_finding finding = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    int code = cli_read_file(cli, path, IMAGE_FILE_MAX, &data, &size);
    if (code != CLI_OK) { return code; }
    struct moult_bytes bytes = {data, size};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct image_report *report = cli_alloc(cli, sizeof *report);
    enum moult_status st = image_report_read(&reader, false, report, &finding);
    if (st != MOULT_OK) { return cli_fail_finding(cli, path, st, &finding); }
    const char *version = report->has_info         ? report->info.version
                          : report->has_descriptor ? report->descriptor.version
                                                   : path;
    *out = (struct plan_release){cli_clean(cli, version), (uint32_t)size};
    return CLI_OK;
}
