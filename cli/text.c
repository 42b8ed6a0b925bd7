/* text.c - memory that lasts as long as the command, and text in it; see cli.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "client/client.h"
#include "client/mem.h"

struct cli_block {
    struct cli_block *next;
    size_t size;
    max_align_t data[];
};

/* A one-shot program that cannot get memory has nothing better to do than to say so and
 * end. */
static void end_without_memory(struct cli *cli)
{
    (void)fputs("moult: out of memory\n", cli->err); /* nothing is left to tell it to */
    exit(CLI_ERROR);
}

void *cli_alloc(struct cli *cli, size_t size)
{
    struct cli_block *block = NULL;
    if (size <= MOULT_CLIENT_MEM_MAX) { block = client_mem_alloc(sizeof *block + size); }
    if (!block) { end_without_memory(cli); }
    block->size = size;
    block->next = cli->blocks;
    cli->blocks = block;
    return block->data;
}

void cli_end(struct cli *cli)
{
    client_close(cli->client);
    cli->client = NULL;
    cli_release(cli, NULL);
}

struct cli_block *cli_mark(const struct cli *cli)
{
    return cli->blocks;
}

void cli_release(struct cli *cli, struct cli_block *mark)
{
    cli->next = NULL; /* it may be of what goes now */
    while (cli->blocks != mark) {
        struct cli_block *block = cli->blocks;
        cli->blocks = block->next;
        client_mem_free(block);
    }
}

const char *cli_text(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    char *text = cli_alloc(cli, (size_t)length + 1);
    (void)vsnprintf(text, (size_t)length + 1, format, again); /* length was just measured */
    va_end(again);
    return text;
}

const char *cli_hex(struct cli *cli, const void *bytes, size_t size)
{
    static const char digit[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    char *text = cli_alloc(cli, 2 * size + 1);
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digit[p[i] >> 4];
        text[2 * i + 1] = digit[p[i] & 15u];
    }
    return text;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') { return c - '0'; }
    if (c >= 'a' && c <= 'f') { return c - 'a' + 10; }
    if (c >= 'A' && c <= 'F') { return c - 'A' + 10; }
    return -1;
}

enum moult_status cli_unhex(const char *text, void *out, size_t size)
{
    if (strlen(text) != 2 * size) { return MOULT_E_FORMAT; }
    for (size_t i = 0; i < 2 * size; i++) {
        if (nibble(text[i]) < 0) { return MOULT_E_FORMAT; }
    }
    uint8_t *p = out;
    for (size_t i = 0; i < size; i++) {
        p[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    }
    return MOULT_OK;
}

enum moult_status cli_parse_duration(const char *text, uint64_t *seconds)
{
    static const struct {
        char letter;
        uint32_t seconds;
    } unit[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > UINT32_MAX) { return MOULT_E_RANGE; } /* 136 years of seconds */
    }
    if (p == text) { return MOULT_E_FORMAT; }
    uint64_t factor = *p == '\0' ? 1 : 0;
    for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++) {
        if (*p == unit[i].letter && p[1] == '\0') { factor = unit[i].seconds; }
    }
    if (factor == 0) { return MOULT_E_FORMAT; }
    *seconds = value * factor;
    return MOULT_OK;
}
