/* mem.h - the heap of client/ and cli/, in one file.
 *
 * Layer    client.
 * Memory   every pointer given out here is the caller's until client_mem_free().
 *          At most MOULT_CLIENT_MEM_MAX bytes per block: a reply that says it is larger is
 *          refused before it is believed.
 * Threads  any, except the fault knob, which is for single-threaded tests.
 */
#ifndef MOULT_CLIENT_MEM_H
#define MOULT_CLIENT_MEM_H

#include <stdarg.h>
#include <stddef.h>

#include "formats/compiler.h"

/* Larger than the largest block that anything needs: the workspace of a patch between two
 * images of 16 MB. */
#define MOULT_CLIENT_MEM_MAX (384u * 1024 * 1024)

/* size bytes, zeroed; size 0 gives one byte. NULL: no memory, or over the limit. */
MOULT_MUST_CHECK void *client_mem_alloc(size_t size);

/* Like realloc(): the old block is moved. NULL: the old block is still the caller's. */
MOULT_MUST_CHECK void *client_mem_resize(void *block, size_t size);

/* A copy of text, or NULL. */
MOULT_MUST_CHECK char *client_mem_copy(const char *text);

/* printf into a new block, or NULL. */
MOULT_MUST_CHECK char *client_mem_print(const char *format, ...) MOULT_PRINTF(1, 2);
MOULT_MUST_CHECK char *client_mem_vprint(const char *format, va_list args)
    MOULT_PRINTF(1, 0);

/* NULL is allowed. */
void client_mem_free(void *block);

/* Let jansson allocate here too, so that the fault knob reaches it. */
void client_mem_serve_json(void);

/* Tests: the nth allocation from now (1 is the next) and all later ones fail; 0 turns it
 * off. */
void client_mem_fail_from(unsigned long nth);

#endif
