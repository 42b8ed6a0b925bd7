/* mem.h - the server's only door to the heap, with accounting.
 *
 * Layer    server/base.
 * Memory   every block has one owner, named where it is stored. Blocks come zeroed.
 * Threads  any.
 * Use it   long-lived objects only; what belongs to a request comes from its arena
 *          (arena.h).
 */
#ifndef MOULT_SERVER_BASE_MEM_H
#define MOULT_SERVER_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>
#include "formats/compiler.h"

struct mem_stats {
    uint64_t live_bytes; /* usable bytes of all live blocks */
    uint64_t live_count; /* live blocks */
    uint64_t peak_bytes; /* highest live_bytes so far */
    uint64_t call_count; /* allocations asked for so far, failed ones included */
};

/* size zeroed bytes, moved to the caller; size 0 gives a unique block. NULL: no memory. */
MOULT_MUST_CHECK void *mem_alloc(size_t size);

/* count * size zeroed bytes, moved. NULL: no memory, or the product does not fit. */
MOULT_MUST_CHECK void *mem_alloc_array(size_t count, size_t size);

/* Grows or shrinks block (NULL: as mem_alloc, but grown bytes are not zeroed). The result
 * replaces block. NULL: no memory, block is still the caller's. */
MOULT_MUST_CHECK void *mem_resize(void *block, size_t size);

/* A copy, moved to the caller. NULL: no memory. The text form adds the closing NUL. */
MOULT_MUST_CHECK void *mem_copy(const void *data, size_t size);
MOULT_MUST_CHECK char *mem_copy_text(const char *text);

/* Gives back a block; NULL is allowed. */
void mem_free(void *block);

void mem_stats_get(struct mem_stats *out);

/* Torture: the nth allocation from now (1 = the next) and all after it fail. 0: back to
 * normal. */
void mem_fail_at(uint64_t nth);

#endif
