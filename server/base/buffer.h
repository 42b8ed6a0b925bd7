/* buffer.h - a byte string that grows up to a limit, with a sticky error.
 *
 * Layer    server/base.
 * Memory   its data is a block of mem.c that it owns; released or moved out in one place.
 * Threads  one at a time.
 * Use it   buffer_init(), append many times, look at `failed` once, buffer_release().
 */
#ifndef MOULT_SERVER_BASE_BUFFER_H
#define MOULT_SERVER_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/compiler.h"

struct buffer {
    uint8_t *data; /* owned; NULL while empty */
    size_t size;   /* bytes in use */
    size_t capacity;
    size_t limit; /* bytes; appending more sets failed */
    bool failed; /* limit reached or no memory; data is then incomplete and must not be used
                  */
};

void buffer_init(struct buffer *buffer, size_t limit);

/* Appends; a no-op once failed. */
void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...) MOULT_PRINTF(2, 3);

/* text as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD. */
void buffer_json_text(struct buffer *buffer, const char *text);

/* Drops the first size bytes (size <= buffer->size). */
void buffer_consume(struct buffer *buffer, size_t size);

/* Empties it and clears `failed`; keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Gives the memory back. The buffer is then as after buffer_init(). */
void buffer_release(struct buffer *buffer);

#endif
