/* json.c - see json.h. */
#include "examples/energy-meter/host/json.h"
#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include "formats/bytes.h"

static bool needs_comma; /* something stands before, in this object */

static void print_quoted(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20 || c > 0x7e) {
            printf("\\u%04x", (unsigned)c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void begin(const char *name)
{
    if (needs_comma) { putchar(','); }
    needs_comma = true;
    if (!name) { return; }
    print_quoted(name);
    putchar(':');
}

void json_text(const char *name, const char *value)
{
    begin(name);
    if (value) {
        print_quoted(value);
    } else {
        fputs("null", stdout);
    }
}

void json_number(const char *name, int64_t value)
{
    begin(name);
    printf("%" PRId64, value);
}

void json_hex(const char *name, const uint8_t *data, uint32_t size)
{
    char text[65];
    assert(size <= 32);
    moult_hex_encode(data, size, text);
    json_text(name, text);
}

void json_bool(const char *name, int value)
{
    begin(name);
    fputs(value ? "true" : "false", stdout);
}

void json_open(const char *name, char bracket)
{
    begin(name);
    putchar(bracket);
    needs_comma = false;
}

void json_close(char bracket)
{
    putchar(bracket);
    needs_comma = true;
}
