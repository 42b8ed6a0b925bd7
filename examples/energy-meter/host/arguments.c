/* arguments.c - see arguments.h. */
#include "examples/energy-meter/host/arguments.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "examples/energy-meter/host/settings.h"

static const char usage[] =
    "moult-device: one virtual ESP32-C3 energy meter in a 4 MB flash file\n"
    "\n"
    "  moult-device provision --flash FILE --image IMAGE --server URL --ca PEM "
    "[OPTION]...\n"
    "      make the file: partition table, IMAGE in ota_0, identity and settings\n"
    "  moult-device set --flash FILE [OPTION]...\n"
    "      change settings of a device that is not running\n"
    "  moult-device run --flash FILE [--log text|json] [--verbose|--quiet]\n"
    "      power on, until SIGTERM (power off); SIGKILL is a power cut\n"
    "  moult-device show --flash FILE [--json]\n"
    "      slots, identity, update and readings; changes nothing, also while it runs\n"
    "\n"
    "  --flash FILE          the device\n"
    "  --image FILE          application image for ota_0\n"
    "  --partitions CSV      partition table (default: the energy meter's)\n"
    "  --name NAME           name and serial number (default: from the device id)\n"
    "  --server URL          https://host:port of moultd's device listener\n"
    "  --broker HOST:PORT    MQTT broker; \"none\": polls only (default)\n"
    "  --trigger WORD        pull, push or hybrid (default: hybrid with a broker, else "
    "pull)\n"
    "  --ca PEM              CA of server and broker; --ca-backup PEM: a second one\n"
    "  --cert PEM --key PEM  the device's certificate and key (default: made)\n"
    "  --ca-key PEM          with it the certificate made is issued by --ca, else by "
    "itself\n"
    "  --cert-out FILE       write the certificate; --csr-out FILE: a request for one\n"
    "  --set NAME=NUMBER     a number of the update engine, repeatable:\n";

struct option_row {
    const char *name;
    size_t offset; /* in struct arguments */
    enum { ROW_TEXT, ROW_FLAG, ROW_NUMBER, ROW_RESET } kind;
};
#define ROW(name, field, kind)                                                             \
    {                                                                                      \
        name, offsetof(struct arguments, field), kind                                      \
    }
static const struct option_row rows[] = {
    ROW("flash", flash, ROW_TEXT),
    ROW("image", image, ROW_TEXT),
    ROW("partitions", partitions, ROW_TEXT),
    ROW("name", name, ROW_TEXT),
    ROW("serial", name, ROW_TEXT),
    ROW("server", server, ROW_TEXT),
    ROW("broker", broker, ROW_TEXT),
    ROW("mqtt", broker, ROW_TEXT),
    ROW("trigger", trigger, ROW_TEXT),
    ROW("mode", trigger, ROW_TEXT),
    ROW("ca", ca, ROW_TEXT),
    ROW("ca-backup", ca_backup, ROW_TEXT),
    ROW("ca-key", ca_key, ROW_TEXT),
    ROW("cert", certificate, ROW_TEXT),
    ROW("key", key, ROW_TEXT),
    ROW("cert-out", certificate_out, ROW_TEXT),
    ROW("csr-out", request_out, ROW_TEXT),
    ROW("log", log, ROW_TEXT),
    ROW("json", is_json, ROW_FLAG),
    ROW("verbose", is_verbose, ROW_FLAG),
    ROW("quiet", is_quiet, ROW_FLAG),
    ROW("force", is_forced, ROW_FLAG),
    ROW("set", numbers, ROW_NUMBER),
    ROW("reset", reset, ROW_RESET), /* given by a reboot to the next boot */
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("moult-device: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void arguments_print_usage(void)
{
    fputs(usage, stdout);
    for (unsigned i = 0; engine_number_name(i); i++) {
        printf("                          %s\n", engine_number_name(i));
    }
}

static bool take_number(struct arguments *out, const char *text)
{
    struct engine_numbers numbers;
    if (!engine_number_parse(text, &numbers)) {
        complain(
            "--set expects NAME=NUMBER, found \"%s\"; moult-device --help lists the names",
            text);
        return false;
    }
    if (out->number_count == ARGUMENTS_NUMBERS_MAX) {
        complain("--set may be given %u times at most", (unsigned)ARGUMENTS_NUMBERS_MAX);
        return false;
    }
    out->numbers[out->number_count++] = text;
    return true;
}

static bool take_reset(struct arguments *out, const char *text)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno || *end || end == text || number > 15) {
        complain("--reset expects 0 to 15, found \"%s\"", text);
        return false;
    }
    out->reset = (unsigned)number;
    return true;
}

static bool take(struct arguments *out, const struct option_row *row, const char *text)
{
    void *field = (char *)out + row->offset;
    switch (row->kind) {
    case ROW_TEXT:
        memcpy(field, &text, sizeof text);
        return true;
    case ROW_FLAG:
        memcpy(field, &(bool){true}, sizeof(bool));
        return true;
    case ROW_NUMBER:
        return take_number(out, text);
    default:
        return take_reset(out, text);
    }
}

bool arguments_parse(int argc, char **argv, struct arguments *out)
{
    struct option options[ROW_COUNT + 1] = {{0}};
    *out = (struct arguments){.reset = MOULT_RESET_POWER_ON};
    for (int i = 0; i < ROW_COUNT; i++) {
        options[i].name = rows[i].name;
        options[i].has_arg = rows[i].kind == ROW_FLAG ? no_argument : required_argument;
        options[i].val = i + 1;
    }
    optind = 2;
    for (int found; (found = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (found < 1 || found > ROW_COUNT) { return false; } /* getopt has said why */
        if (!take(out, &rows[found - 1], optarg)) { return false; }
    }
    if (optind < argc) {
        complain("did not expect \"%s\"; see moult-device --help", argv[optind]);
        return false;
    }
    if (!out->flash) {
        complain("--flash FILE is missing; see moult-device --help");
        return false;
    }
    return true;
}
