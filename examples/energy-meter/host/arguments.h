/* arguments.h - the command line of moult-device.
 *
 * Layer    examples/energy-meter/host.
 */
#ifndef METER_HOST_ARGUMENTS_H
#define METER_HOST_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#define ARGUMENTS_NUMBERS_MAX 24u /* --set options */

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_BOOT = 3, EXIT_BUSY = 4 };

/* NULL: not given. All borrowed from argv. */
struct arguments {
    const char *flash, *image, *partitions, *name;
    const char *server, *broker, *trigger;
    const char *ca, *ca_backup, *ca_key, *certificate, *key;
    const char *certificate_out, *request_out;
    const char *log; /* "text", "json" */
    const char *numbers[ARGUMENTS_NUMBERS_MAX];
    unsigned number_count;
    unsigned reset; /* enum moult_reset this boot comes from */
    bool is_json, is_verbose, is_quiet, is_forced;
};

/* From argv[2] on. False: a message has been printed. */
bool arguments_parse(int argc, char **argv, struct arguments *out);

/* Prints what can be given. */
void arguments_print_usage(void);

/* A message to stderr: "moult-device: " and a line. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void complain(const char *format, ...);

#endif
