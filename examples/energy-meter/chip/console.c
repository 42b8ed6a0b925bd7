/* console.c - see console.h. */
#include "examples/energy-meter/chip/console.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "examples/energy-meter/chip/chip.h"

static int put_to_uart(char c, FILE *file)
{
    (void)file;
    if (c == '\n') { chip_put('\r'); }
    chip_put(c);
    return (unsigned char)c;
}

static FILE uart = FDEV_SETUP_STREAM(put_to_uart, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdout = &uart;
FILE *const stderr = &uart;

/* What a failed assert ends in. */
_Noreturn void abort(void)
{
    printf("abort\n");
    chip_reset();
}

static struct {
    char line[CONSOLE_LINE_SIZE];
    size_t size;
    bool is_long;
} input;

static void run_line(const struct console_view *view)
{
    char *argument = strchr(input.line, ' ');
    if (argument) { *argument++ = '\0'; }
    for (const struct console_command *const *c = view->version->commands; *c; c++) {
        if (strcmp((*c)->name, input.line) == 0) {
            (*c)->run(view, argument ? argument : "");
            return;
        }
    }
    printf("no command \"%s\"; try help\n", input.line);
}

static void end_line(const struct console_view *view)
{
    input.line[input.size] = '\0';
    if (input.is_long) {
        printf("a line has at most %u characters\n", CONSOLE_LINE_SIZE - 1);
    } else if (input.size > 0) {
        run_line(view);
    }
    input.size = 0;
    input.is_long = false;
}

void console_poll(const struct console_view *view)
{
    for (int c; (c = chip_get()) >= 0;) {
        if (c == '\r' || c == '\n') {
            end_line(view);
        } else if (input.size < CONSOLE_LINE_SIZE - 1) {
            input.line[input.size++] = (char)c;
        } else {
            input.is_long = true;
        }
    }
}
