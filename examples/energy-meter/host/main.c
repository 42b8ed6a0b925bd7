/* main.c - moult-device: one virtual ESP32-C3 energy meter in a process.
 *
 * Usage: moult-device provision|set|run|show --flash FILE ...; moult-device --help
 */
#include <stdio.h>
#include <string.h>
#include "examples/energy-meter/host/commands.h"

int main(int argc, char **argv)
{
    struct arguments arguments;
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0) {
        arguments_print_usage();
        return EXIT_GOOD;
    }
    bool runs = strcmp(word, "run") == 0;
    static const struct {
        const char *word;
        int (*run)(const struct arguments *arguments);
    } commands[] = {
        {"provision", command_provision}, {"set", command_set}, {"show", command_show}};
    int (*run)(const struct arguments *) = NULL;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i].word) == 0) { run = commands[i].run; }
    }
    if (!runs && !run) {
        complain(
            "expected provision, set, run or show, found \"%s\"; see moult-device --help",
            word);
        return EXIT_USAGE;
    }
    if (!arguments_parse(argc, argv, &arguments)) { return EXIT_USAGE; }
    return runs ? command_run(&arguments, argv) : run(&arguments);
}
