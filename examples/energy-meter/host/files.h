/* files.h - small files, whole.
 *
 * Layer    examples/energy-meter/host.
 * Memory   load() allocates; the caller frees.
 */
#ifndef METER_HOST_FILES_H
#define METER_HOST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_SIZE_MAX (16u * 1024 * 1024) /* the largest image there can be */

/* The bytes of a file with a NUL behind them, malloc()ed; NULL: a message has been printed.
 */
uint8_t *file_load(const char *path, size_t *size);

/* A text file into out. False: a message has been printed; also when it does not fit. */
bool file_load_text(const char *path, char *out, size_t size);

/* mode as for open(2). False: a message has been printed. */
bool file_save_text(const char *path, const char *text, unsigned mode);

#endif
