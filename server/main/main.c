/* main.c - moultd: the update server.
 *
 * Usage: moultd --config FILE [--check] | --help | --version
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "server/main/daemon.h"
#include "server/main/settings.h"

enum { EXIT_DONE = 0, EXIT_USAGE = 2 };

static void usage(FILE *out)
{
    fputs(
        "moultd: firmware updates for ESP32 fleets, the server.\n\n"
        "Usage: moultd --config FILE           run until SIGTERM\n"
        "       moultd --config FILE --check   read the configuration, say what is wrong\n"
        "       moultd --help | --version\n\n"
        "No configuration yet? `moult dev init` makes one, with keys and certificates.\n\n"
        "Settings (key = value, one a line; defaults in brackets):\n",
        out);
    for (size_t i = 0; i < settings_table.row_count; i++) {
        const struct config_row *row = &settings_table.rows[i];
        fprintf(out, "  %-26s %s [%s]\n", row->name, row->help, row->value);
    }
    fputs("\nExample: moultd --config /etc/moult/moultd.conf\n", out);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("moultd " MOULT_VERSION);
        return EXIT_DONE;
    }
    bool check = argc == 4 && strcmp(argv[3], "--check") == 0;
    if ((argc != 3 && !check) || strcmp(argv[1], "--config") != 0) {
        usage(stderr);
        return EXIT_USAGE;
    }
    static struct settings settings; /* some KB of paths */
    struct config_error error = {0};
    if (settings_load(argv[2], &settings, &error) != MOULT_OK) {
        fprintf(stderr, "moultd: %s\n", error.text);
        return EXIT_USAGE;
    }
    if (check) {
        printf("%s: good\n", argv[2]);
        return EXIT_DONE;
    }
    umask(077);
    daemon_block_signals();
    return daemon_run(&settings);
}
