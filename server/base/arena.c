/* arena.c - see arena.h. A list of blocks; the newest is bumped. */
#include "server/base/arena.h"
#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "server/base/mem.h"

struct arena_block {
    struct arena_block *older;
    size_t size; /* bytes of data */
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

enum { ALIGN = alignof(max_align_t) };

void arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){.limit = limit};
}

/* A block with room for size bytes in front of the list. */
static bool add_block(struct arena *arena, size_t size)
{
    size_t ordinary = ARENA_BLOCK_SIZE - sizeof(struct arena_block);
    size_t room = size > ordinary ? size : ordinary;
    struct arena_block *block = mem_alloc(sizeof *block + room);
    if (!block) { return false; }
    block->size = room;
    block->older = arena->newest;
    arena->newest = block;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > arena->limit) { return NULL; } /* so that rounding cannot overflow */
    size_t rounded = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (rounded == 0) { rounded = ALIGN; }
    if (rounded > arena->limit || arena->used > arena->limit - rounded) { return NULL; }

    struct arena_block *block = arena->newest;
    if (!block || block->size - block->used < rounded) {
        if (!add_block(arena, rounded)) { return NULL; }
        block = arena->newest;
    }
    void *out = block->data + block->used;
    block->used += rounded;
    arena->used += rounded;
    memset(out, 0, size); /* the block may have been used before a clear */
    return out;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) { return NULL; }
    return arena_alloc(arena, count * size);
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
    void *out = arena_alloc(arena, size);
    if (out && size > 0) { memcpy(out, data, size); }
    return out;
}

char *arena_text(struct arena *arena, const char *data, size_t size)
{
    if (size == SIZE_MAX) { return NULL; }
    char *out = arena_alloc(arena, size + 1);
    if (out && size > 0) { memcpy(out, data, size); }
    return out;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *out = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (out) { vsnprintf(out, (size_t)length + 1, format, again); }
    va_end(again);
    return out;
}

static void free_until(struct arena *arena, const struct arena_block *kept)
{
    while (arena->newest != kept) {
        struct arena_block *block = arena->newest;
        arena->newest = block->older;
        mem_free(block);
    }
}

void arena_clear(struct arena *arena)
{
    struct arena_block *oldest = arena->newest;
    while (oldest && oldest->older) {
        oldest = oldest->older;
    }
    bool is_ordinary = oldest && oldest->size <= ARENA_BLOCK_SIZE;
    free_until(arena, is_ordinary ? oldest : NULL);
    if (arena->newest) { arena->newest->used = 0; }
    arena->used = 0;
}

void arena_release(struct arena *arena)
{
    free_until(arena, NULL);
    arena->used = 0;
}
