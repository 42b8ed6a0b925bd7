/* commands.c - see commands.h. */
#include "cli/commands.h"

#include <string.h>

#define NAME_MAX_LENGTH 31u /* longest name that gets a suggestion */
#define FAR 1000u           /* more edits than any suggestion may need */

#define X(name) extern const struct cli_command cli_##name;
CLI_COMMANDS(X)
#undef X

static const struct cli_command *const table[] = {
#define X(name) &cli_##name,
    CLI_COMMANDS(X)
#undef X
};

const struct cli_command *const *cli_commands(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

const struct cli_command *cli_command_find(const char *noun, const char *verb)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i]->noun, noun) != 0) { continue; }
        if (!table[i]->verb) { return table[i]; }
        if (verb && strcmp(table[i]->verb, verb) == 0) { return table[i]; }
    }
    return NULL;
}

bool cli_noun_exists(const char *noun)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i]->noun, noun) == 0) { return true; }
    }
    return false;
}

void cli_command_name(const struct cli_command *command, char *out, size_t size)
{
    /* Names are short; a cut would be harmless. */
    (void)snprintf(out, size, "%s%s%s", command->noun, command->verb ? " " : "",
                   command->verb ? command->verb : "");
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned cli_edit_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > NAME_MAX_LENGTH || b_size > NAME_MAX_LENGTH) { return FAR; }
    unsigned cost[NAME_MAX_LENGTH + 1][NAME_MAX_LENGTH + 1];
    for (unsigned i = 0; i <= a_size; i++) {
        cost[i][0] = i;
    }
    for (unsigned j = 0; j <= b_size; j++) {
        cost[0][j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        for (size_t j = 1; j <= b_size; j++) {
            unsigned replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            cost[i][j] = least(replaced, 1 + least(cost[i - 1][j], cost[i][j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
            }
        }
    }
    return cost[a_size][b_size];
}

const char *cli_nearest_name(const char *noun, const char *text)
{
    const char *best = NULL;
    unsigned best_distance = 3; /* three edits away is another word */
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (noun && strcmp(table[i]->noun, noun) != 0) { continue; }
        const char *name = noun ? table[i]->verb : table[i]->noun;
        unsigned distance = name ? cli_edit_distance(text, name) : FAR;
        if (distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}
