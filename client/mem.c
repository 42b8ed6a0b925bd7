/* mem.c - see mem.h. */
#include "client/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long fail_countdown; /* a test knob, not state: 0 outside tests */

static int must_fail(size_t size)
{
    if (size > MOULT_CLIENT_MEM_MAX) { return 1; }
    if (fail_countdown == 0) { return 0; }
    if (fail_countdown == 1) { return 1; }
    fail_countdown--;
    return 0;
}

void *client_mem_alloc(size_t size)
{
    if (must_fail(size)) { return NULL; }
    return calloc(1, size > 0 ? size : 1);
}

void *client_mem_resize(void *block, size_t size)
{
    if (must_fail(size)) { return NULL; }
    return realloc(block, size > 0 ? size : 1);
}

char *client_mem_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = client_mem_alloc(size);
    if (copy) { memcpy(copy, text, size); }
    return copy;
}

char *client_mem_vprint(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : client_mem_alloc((size_t)length + 1);
    if (text) {
        /* The size was just measured. */
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}

char *client_mem_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = client_mem_vprint(format, args);
    va_end(args);
    return text;
}

void client_mem_free(void *block)
{
    free(block);
}

void client_mem_serve_json(void)
{
    json_set_alloc_funcs(client_mem_alloc, client_mem_free);
}

void client_mem_fail_from(unsigned long nth)
{
    fail_countdown = nth;
}
