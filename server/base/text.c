/* text.c - see text.h. */
#include "server/base/text.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The first byte says how many follow, and bounds the second so that overlong forms,
 * surrogates and numbers beyond U+10FFFF do not pass (Unicode, table 3-7). */
static const struct lead {
    uint8_t first, last, size, second_min, second_max;
} leads[] = {
    {0x01, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct lead *lead_of(uint8_t byte)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        if (byte >= leads[i].first && byte <= leads[i].last) { return &leads[i]; }
    }
    return NULL;
}

size_t text_utf8_char(const char *text, size_t size)
{
    const uint8_t *p = (const uint8_t *)text;
    const struct lead *lead = size > 0 ? lead_of(p[0]) : NULL;
    if (!lead || lead->size > size) { return 0; }
    if (lead->size == 1) { return 1; }
    if (p[1] < lead->second_min || p[1] > lead->second_max) { return 0; }
    for (size_t i = 2; i < lead->size; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) { return 0; }
    }
    return lead->size;
}

bool text_is_utf8(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t step = text_utf8_char(text + i, size - i);
        if (step == 0) { return false; }
        i += step;
    }
    return true;
}

size_t text_json_char(const char *text, char out[TEXT_JSON_SIZE])
{
    unsigned char c = (unsigned char)*text;
    size_t size = text_utf8_char(text, strnlen(text, 4));
    if (size == 0) {
        memcpy(out, "\\ufffd", 7);
        return 1;
    }
    if (c == '"' || c == '\\') {
        snprintf(out, TEXT_JSON_SIZE, "\\%c", c);
    } else if (c < 0x20 || c == 0x7f) {
        snprintf(out, TEXT_JSON_SIZE, "\\u%04x", c);
    } else {
        memcpy(out, text, size);
        out[size] = '\0';
    }
    return size;
}
