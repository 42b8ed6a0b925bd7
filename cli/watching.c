/* watching.c - see watching.h. */
#include "cli/watching.h"

#include <errno.h>
#include <time.h>

#include "cli/remote.h"

#define PAUSE_MAX_MS 3600000u /* an hour between looks is no watching */

int64_t cli_now_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* exists on every Linux */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void cli_pause_ms(uint64_t ms)
{
    if (ms > PAUSE_MAX_MS) { ms = PAUSE_MAX_MS; }
    struct timespec left = {.tv_sec = (time_t)(ms / 1000),
                            .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

int cli_watching_get(struct cli *cli, struct cli_watching *watching, const char *path,
                     const struct client_pair *query, json_t **json)
{
    struct client_error error;
    *json = NULL;
    enum moult_status st = cli_try_get(cli, path, query, json, &error);
    if (st == MOULT_OK) {
        if (watching->lost_since_ms != 0) { cli_say(cli, "the server answers again\n"); }
        watching->lost_since_ms = 0;
        return CLI_OK;
    }
    if (st == MOULT_E_STATE && error.detail == MOULT_D_NONE) { return error.exit_code; }
    int64_t now_ms = cli_now_ms();
    if (watching->lost_since_ms == 0 && error.exit_code == CLI_UNREACHABLE) {
        watching->lost_since_ms = now_ms;
        cli_say(cli, "the server does not answer (%s); trying again\n", error.words);
    }
    bool may_come_back =
        error.exit_code == CLI_UNREACHABLE &&
        now_ms - watching->lost_since_ms < (int64_t)CLI_WATCH_LOST_MAX_S * 1000;
    return may_come_back ? CLI_OK : cli_fail_remote(cli, &error);
}
