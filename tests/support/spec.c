/* spec.c - see spec.h. */
#include "tests/support/spec.h"
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void give_up(const char *what, const char *where)
{
    fprintf(stderr, "spec.c: %s: %s\n", where, what);
    abort();
}

static int digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

size_t hex_bytes(const char *text, uint8_t *out, size_t capacity)
{
    size_t size = 0;
    for (const char *at = text; *at; at++) {
        if (*at == ';') {
            at = strchr(at, '\n');
            if (!at) { break; }
        }
        if (strchr(" \t\r\n", *at)) { continue; }
        int high = digit(at[0]);
        int low = high < 0 ? -1 : digit(at[1]);
        if (low < 0) { give_up("not a hex byte", at); }
        if (size == capacity) { give_up("too long for the buffer", text); }
        out[size++] = (uint8_t)(high << 4 | low);
        at++;
    }
    return size;
}

static char *read_page(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) { give_up(strerror(errno), path); }
    enum { PAGE_MAX = 262144 };
    char *page = calloc(1, PAGE_MAX + 1);
    if (!page) { give_up("no memory", path); }
    size_t size = fread(page, 1, PAGE_MAX, file);
    if (size == PAGE_MAX || ferror(file)) { give_up("cannot be read whole", path); }
    fclose(file);
    return page;
}

size_t spec_block(const char *path, const char *name, uint8_t *out, size_t capacity)
{
    char *page = read_page(path);
    char head[80];
    snprintf(head, sizeof head, "```hex %s\n", name);
    char *start = strstr(page, head);
    char *end = start ? strstr(start + strlen(head), "\n```") : NULL;
    if (!end) { give_up(head, path); }
    *end = '\0';
    size_t size = hex_bytes(start + strlen(head), out, capacity);
    free(page);
    return size;
}

struct chance chance_start(const char *test, uint64_t standard)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : standard;
    printf("%s: SEED=0x%" PRIx64 "\n", test, seed);
    return (struct chance){seed};
}

/* splitmix64 */
uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t chance_below(struct chance *chance, uint32_t limit)
{
    return (uint32_t)((chance_next(chance) >> 32) * limit >> 32);
}

void chance_fill(struct chance *chance, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(chance_next(chance) >> 56);
    }
}
