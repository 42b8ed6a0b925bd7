/* arena.h - memory of one request or one connection, given back in one place.
 *
 * Layer    server/base.
 * Memory   blocks from mem.c; nothing is freed one by one.
 * Threads  one at a time; may be handed from thread to thread through a queue.
 * Use it   arena_init(), allocate, arena_clear() between requests, arena_release() at the
 *          end.
 */
#ifndef MOULT_SERVER_BASE_ARENA_H
#define MOULT_SERVER_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include "formats/compiler.h"

#define ARENA_BLOCK_SIZE                                                                   \
    4000u /* bytes of an ordinary block: one page with malloc's header */

struct arena_block;
struct arena {
    struct arena_block
        *newest;  /* list, newest first; the oldest is kept by arena_clear() */
    size_t used;  /* bytes handed out since the last clear, padding included */
    size_t limit; /* bytes; more is refused */
};

/* An empty arena; nothing is allocated yet. */
void arena_init(struct arena *arena, size_t limit);

/* size zeroed bytes, aligned for any type, borrowed until clear or release. NULL: the limit
 * is reached or there is no memory; the caller answers 503 or fails its task. */
MOULT_MUST_CHECK void *arena_alloc(struct arena *arena, size_t size);
MOULT_MUST_CHECK void *arena_alloc_array(struct arena *arena, size_t count, size_t size);

/* Copies; the text form adds the closing NUL. NULL as above. */
MOULT_MUST_CHECK void *arena_copy(struct arena *arena, const void *data, size_t size);
MOULT_MUST_CHECK char *arena_text(struct arena *arena, const char *data, size_t size);
MOULT_MUST_CHECK char *arena_printf(struct arena *arena, const char *format, ...)
    MOULT_PRINTF(2, 3);

/* Forgets everything handed out; keeps the first ordinary block for the next user. */
void arena_clear(struct arena *arena);

/* Gives all blocks back. The arena may be used again. */
void arena_release(struct arena *arena);

#endif
