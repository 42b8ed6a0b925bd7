/* mem.c - see mem.h. The only server file that calls the C library's heap. */
#include "server/base/mem.h"
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Accounting is the one process-wide state of the server: the heap is process-wide as well.
 */
static _Atomic uint64_t live_bytes, live_count, peak_bytes, call_count, fail_from_call;

static bool may_allocate(void)
{
    uint64_t call = atomic_fetch_add_explicit(&call_count, 1, memory_order_relaxed) + 1;
    uint64_t from = atomic_load_explicit(&fail_from_call, memory_order_relaxed);
    return from == 0 || call < from;
}

static void account_add(const void *block)
{
    uint64_t size = malloc_usable_size((void *)(uintptr_t)block);
    uint64_t live =
        atomic_fetch_add_explicit(&live_bytes, size, memory_order_relaxed) + size;
    atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
    uint64_t peak = atomic_load_explicit(&peak_bytes, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak_explicit(&peak_bytes, &peak, live,
                                                                 memory_order_relaxed,
                                                                 memory_order_relaxed)) {}
}

static void account_remove(uint64_t size)
{
    atomic_fetch_sub_explicit(&live_bytes, size, memory_order_relaxed);
    atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
}

void *mem_alloc_array(size_t count, size_t size)
{
    if (!may_allocate()) { return NULL; }
    if (count == 0 || size == 0) { count = size = 1; }
    if (count > SIZE_MAX / size) { return NULL; }
    void *block = calloc(count, size);
    if (block) { account_add(block); }
    return block;
}

void *mem_alloc(size_t size)
{
    return mem_alloc_array(1, size);
}

void *mem_resize(void *block, size_t size)
{
    if (!block) { return mem_alloc(size); }
    if (!may_allocate()) { return NULL; }
    uint64_t size_before = malloc_usable_size(block);
    void *grown = realloc(block, size ? size : 1);
    if (!grown) { return NULL; }
    account_remove(size_before);
    account_add(grown);
    return grown;
}

void *mem_copy(const void *data, size_t size)
{
    void *block = mem_alloc(size);
    if (block && size > 0) { memcpy(block, data, size); }
    return block;
}

char *mem_copy_text(const char *text)
{
    return mem_copy(text, strlen(text) + 1);
}

void mem_free(void *block)
{
    if (!block) { return; }
    account_remove(malloc_usable_size(block));
    free(block);
}

void mem_stats_get(struct mem_stats *out)
{
    *out = (struct mem_stats){
        .live_bytes = atomic_load_explicit(&live_bytes, memory_order_relaxed),
        .live_count = atomic_load_explicit(&live_count, memory_order_relaxed),
        .peak_bytes = atomic_load_explicit(&peak_bytes, memory_order_relaxed),
        .call_count = atomic_load_explicit(&call_count, memory_order_relaxed),
    };
}

void mem_fail_at(uint64_t nth)
{
    uint64_t calls = atomic_load_explicit(&call_count, memory_order_relaxed);
    atomic_store_explicit(&fail_from_call, nth ? calls + nth : 0, memory_order_relaxed);
}
