/* main.c - moult-signer: holds the assign key, signs orders and nothing else.
 *
 * Usage: moult-signer --config FILE | --help | --version
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server/base/log.h"
#include "server/signer/serve.h"
#include "server/signer/settings.h"

enum { EXIT_DONE = 0, EXIT_OTHER = 1, EXIT_USAGE = 2 };

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number; /* any of those that end the program */
    stop = 1;
}

static void usage(FILE *out)
{
    fputs(
        "moult-signer: holds the assign key and signs orders for devices, nothing else.\n\n"
        "Usage: moult-signer --config FILE\n"
        "       moult-signer --help | --version\n\n"
        "Settings (key = value, one a line; defaults in brackets):\n",
        out);
    for (size_t i = 0; i < settings_table.row_count; i++) {
        const struct config_row *row = &settings_table.rows[i];
        fprintf(out, "  %-18s %s [%s]\n", row->name, row->help, row->value);
    }
    fputs("\nExample: moult-signer --config /etc/moult/signer.conf\n", out);
}

/* The key must not leave by a core dump, a debugger or a child. */
static void lock_down(void)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
        fputs("moult-signer: warning: core dumps could not be switched off\n", stderr);
    }
    (void)umask(077); /* cannot fail */
}

static void handle_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void say_ready(void *context)
{
    log_info((const struct log *)context, "ready", "pid", (int)getpid());
}

static int serve(const struct settings *settings)
{
    struct log_sink sink = {.level = (enum log_level)settings->log_level,
                            .format = (enum log_format)settings->log_format,
                            .clock = clock_system(),
                            .fd = STDERR_FILENO};
    struct log log = log_open(&sink, "signer");
    struct orders_options wanted = {
        .key_path = settings->key,
        .keyset_path = settings->keyset,
        .data_folder = settings->data,
        .rate = {.global_per_s = (uint32_t)settings->rate_per_s,
                 .device_per_minute = (uint32_t)settings->device_per_minute,
                 .device_burst = (uint32_t)settings->device_burst},
    };
    static struct orders orders; /* 3 KB of keyset and more: not on the stack */
    struct orders_refusal refusal = {0};
    if (orders_open(&orders, &wanted, &refusal) != MOULT_OK) {
        fprintf(stderr, "moult-signer: MOULT-E%04u %s (docs/errors/E%04u.md)\n",
                (unsigned)refusal.detail, refusal.text, (unsigned)refusal.detail);
        return EXIT_OTHER;
    }
    struct serve_options options = {
        .socket_path = settings->socket,
        .allow_uid =
            settings->allow_uid == UINT32_MAX ? getuid() : (uid_t)settings->allow_uid,
        .clock = clock_system(),
        .log = log,
        .stop = &stop,
        .ready = say_ready,
        .context = &log,
    };
    enum moult_status st = serve_run(&orders, &options);
    orders_close(&orders);
    if (st != MOULT_OK) {
        fprintf(stderr,
                "moult-signer: MOULT-E2324 cannot listen on %s: %s "
                "(docs/errors/E2324.md)\n",
                settings->socket, moult_status_name(st));
        return EXIT_OTHER;
    }
    log_info(&log, "stopped");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("moult-signer " MOULT_VERSION);
        return EXIT_DONE;
    }
    if (argc != 3 || strcmp(argv[1], "--config") != 0) {
        usage(stderr);
        return EXIT_USAGE;
    }
    lock_down();
    handle_signals();
    static struct settings settings;
    struct config_error error;
    config_defaults(&settings_table, &settings);
    if (config_load(&settings_table, argv[2], &settings, &error) != MOULT_OK) {
        fprintf(stderr, "moult-signer: %s\n", error.text);
        return EXIT_USAGE;
    }
    return serve(&settings);
}
