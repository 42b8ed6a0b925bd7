/* buffer.c - see buffer.h. */
#include "server/base/buffer.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "server/base/mem.h"
#include "server/base/text.h"

enum { CAPACITY_FIRST = 256 }; /* bytes */

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

/* Room for `more` bytes behind what is there; doubles, within the limit. */
static bool reserve(struct buffer *buffer, size_t more)
{
    if (buffer->failed) { return false; }
    if (more <= buffer->capacity - buffer->size) { return true; }
    if (more > buffer->limit - buffer->size) {
        buffer->failed = true;
        return false;
    }
    size_t capacity = buffer->capacity ? buffer->capacity : CAPACITY_FIRST;
    while (capacity - buffer->size < more && capacity <= buffer->limit / 2) {
        capacity *= 2;
    }
    if (capacity > buffer->limit || capacity - buffer->size < more) {
        capacity = buffer->limit;
    }
    uint8_t *data = mem_resize(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0 || !reserve(buffer, size)) { return; }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        buffer->failed = true;
    } else if (reserve(buffer, (size_t)length + 1)) { /* the NUL is written, not counted */
        vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
}

void buffer_json_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, "\"", 1);
    while (*text != '\0') {
        char escaped[TEXT_JSON_SIZE];
        text += text_json_char(text, escaped);
        buffer_text(buffer, escaped);
    }
    buffer_append(buffer, "\"", 1);
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->size -= size;
    if (buffer->size > 0) { memmove(buffer->data, buffer->data + size, buffer->size); }
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

void buffer_release(struct buffer *buffer)
{
    mem_free(buffer->data);
    *buffer = (struct buffer){.limit = buffer->limit};
}
