/* banned_heap.h - banned.h, and the heap and the clock: for code that must run on a device.
 *
 * Layer    none: CMake puts it before the sources of formats, device, ports/sim and
 *          server/rollout.
 * Why      their memory comes from the caller, so RAM is known when a device is built; time
 *          comes in
 *          as an argument, so that tests and simulators turn the clock.
 */
#ifndef MOULT_FORMATS_BANNED_HEAP_H
#define MOULT_FORMATS_BANNED_HEAP_H

#include "formats/banned.h"

#define malloc(...) banned_malloc_here_memory_comes_from_the_caller
#define calloc(...) banned_calloc_here_memory_comes_from_the_caller
#define realloc(...) banned_realloc_here_memory_comes_from_the_caller
#define free(...) banned_free_here_memory_comes_from_the_caller
#undef strdup
#undef strndup
#define strdup(...) banned_strdup_here_memory_comes_from_the_caller
#define strndup(...) banned_strndup_here_memory_comes_from_the_caller
#define time(...) banned_time_here_the_clock_comes_in_as_an_argument
#define clock(...) banned_clock_here_the_clock_comes_in_as_an_argument

#endif
