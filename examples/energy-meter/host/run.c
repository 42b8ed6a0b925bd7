/* run.c - powers a device on and runs it until it is switched off; see commands.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "examples/energy-meter/host/commands.h"
#include "examples/energy-meter/host/device.h"

enum { ARGV_MAX = 64, LOCK_TRIES = 40, LOCK_WAIT_US = 50000, FIRST_FD = 3 };

static volatile sig_atomic_t is_switched_off;

static void on_signal(int number)
{
    (void)number;
    is_switched_off = 1;
}

/* SIGTERM and SIGINT are blocked but for the sleep, so that none is missed. */
static void catch_signals(sigset_t *awake)
{
    sigset_t blocked;
    const struct sigaction action = {.sa_handler = on_signal};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, awake);
    sigdelset(awake, SIGTERM);
    sigdelset(awake, SIGINT);
}

/* The reset: this process becomes a new one, with the same number, and knows only the flash
 * file and why it was reset. Returns only when it cannot be done. */
static void become_new(char **argv, uint8_t reset)
{
    char *next[ARGV_MAX];
    char reason[24];
    int count = 0;
    for (int i = 0; argv[i] && count < ARGV_MAX - 2; i++) {
        bool is_reset = strncmp(argv[i], "--reset", 7) == 0;
        if (is_reset && strcmp(argv[i], "--reset") == 0 && argv[i + 1]) { i++; }
        if (!is_reset) { next[count++] = argv[i]; }
    }
    snprintf(reason, sizeof reason, "--reset=%u", (unsigned)reset);
    next[count++] = reason;
    next[count] = NULL;
    (void)close_range(FIRST_FD, ~0u, 0); /* what is left open would only waste numbers */
    execv("/proc/self/exe", next);
    complain("cannot reset: %s", strerror(errno));
}

static enum moult_log_level most_of(const struct arguments *arguments)
{
    if (arguments->is_quiet) { return MOULT_LOG_WARN; }
    return arguments->is_verbose ? MOULT_LOG_DEBUG : MOULT_LOG_INFO;
}

/* A device that was just killed may hold its lock a moment longer, and so may a look at it.
 */
static enum moult_status start(struct device *device, const struct arguments *arguments)
{
    const struct moult_device_log log = {
        .device = "moult-device",
        .fd = STDERR_FILENO,
        .is_json = arguments->log && strcmp(arguments->log, "json") == 0,
        .most = most_of(arguments),
    };
    enum moult_status st = MOULT_E_BUSY;
    for (int i = 0; i < LOCK_TRIES && st == MOULT_E_BUSY; i++) {
        if (i > 0) { usleep(LOCK_WAIT_US); }
        st = device_start(device, arguments->flash, (uint8_t)arguments->reset, &log);
    }
    return st;
}

static int explain(const struct arguments *arguments, enum moult_status st)
{
    switch (st) {
    case MOULT_E_BUSY:
        complain("%s: is running already", arguments->flash);
        return EXIT_BUSY;
    case MOULT_E_STATE:
        complain(
            "%s: no image boots; a chip would reset for ever (moult-device show --flash "
            "%s)",
            arguments->flash, arguments->flash);
        return EXIT_NO_BOOT;
    case MOULT_E_NOENT:
        complain("%s: no such file", arguments->flash);
        break;
    case MOULT_E_FORMAT:
        complain("%s: not the file of a provisioned device", arguments->flash);
        break;
    default:
        complain("%s: cannot start: %s", arguments->flash, moult_status_name(st));
        break;
    }
    return EXIT_FAILED;
}

int command_run(const struct arguments *arguments, char **argv)
{
    sigset_t awake;
    if (arguments->log && strcmp(arguments->log, "json") != 0 &&
        strcmp(arguments->log, "text") != 0) {
        complain("--log expects text or json, found \"%s\"", arguments->log);
        return EXIT_USAGE;
    }
    static struct device device; /* the resolver's thread may outlive device_stop() */
    catch_signals(&awake);
    enum moult_status st = start(&device, arguments);
    if (st != MOULT_OK) { return explain(arguments, st); }
    while (!is_switched_off && !device_wanted_reset(&device)) {
        device_turn(&device, &awake);
    }
    uint8_t reset = is_switched_off ? MOULT_RESET_UNKNOWN : device_wanted_reset(&device);
    const struct moult_log_field field = {"reset", NULL, reset};
    moult_device_log(&device.log, MOULT_LOG_INFO, reset ? "reset" : "switched_off", &field,
                     1);
    device_stop(&device);
    if (reset) { become_new(argv, reset); }
    return reset ? EXIT_FAILED : EXIT_GOOD;
}
