/* release_floor.c - see release_floor.h. */
#include "cli/release_floor.h"
#include <inttypes.h>
#include <string.h>
#include "cli/remote.h"

#define NEWEST_MAX "500" /* releases looked at, newest first: one page */

static uint64_t newest_below(struct cli *cli, const json_t *items,
                             const struct moult_image_info *info)
{
    uint64_t newest = 0;
    const char *class_id = cli_hex(cli, info->class_id, 16);
    size_t index;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)items, index, item)
    {
        uint64_t sequence = (uint64_t)cli_member_number(item, "sequence");
        bool counts = strcmp(cli_member(cli, item, "class_id"), class_id) == 0 &&
                      strcmp(cli_member(cli, item, "state"), "published") == 0 &&
                      sequence < info->sequence;
        if (counts && sequence > newest) { newest = sequence; }
    }
    return newest;
}

static void say_unasked(struct cli *cli, const struct moult_image_info *info,
                        const char *why)
{
    cli_say(cli,
            "Rollback floor %" PRIu64 " as the image says; the newest published release "
            "was not asked for: %s. To be sure: --rollback-to N or --no-way-back\n",
            info->rollback_floor, why);
}

void release_floor_ask(struct cli *cli, const struct moult_image_info *info,
                       uint64_t *floor)
{
    static const struct client_pair query[] = {{"limit", NEWEST_MAX}, {NULL, NULL}};
    struct client_error error;
    json_t *list = NULL;
    *floor = 0;
    if (!cli_has_server(cli)) {
        say_unasked(cli, info, "no server is configured");
    } else if (cli_try_get(cli, "/releases", query, &list, &error) != MOULT_OK) {
        say_unasked(cli, info, error.words);
    } else {
        *floor = newest_below(cli, json_object_get(list, "items"), info);
        json_decref(list);
    }
}
