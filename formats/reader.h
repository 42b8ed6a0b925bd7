/* reader.h - bytes at an offset, wherever they are: a file, RAM, a flash slot.
 *
 * Layer    formats: the caller does the I/O. Images are up to 16 MB and a device has
 *          little RAM, so nothing here asks for a whole image at once.
 * Memory   a reader is a small struct of the caller; what `context` points at is borrowed
 *          as long as the reader is used.
 * Use it   a port fills in its own `read`; moult_reader_of_bytes() and
 *          moult_reader_of_part() make the two that everybody needs. Readers of formats/
 *          call moult_read() only.
 */
#ifndef MOULT_FORMATS_READER_H
#define MOULT_FORMATS_READER_H

#include <stdint.h>
#include "formats/bytes.h"
#include "formats/status.h"

struct moult_reader {
    void *context;

    /* size bytes from offset into out. Only called with offset + size <= reader size and
     * size >= 1. MOULT_OK, or MOULT_E_IO with `out` undefined. */
    enum moult_status (*read)(void *context, uint32_t offset, uint8_t *out, uint32_t size);

    uint32_t size; /* bytes that can be read: of the file, of the slot */
};

/* What is wrong, exactly. Filled by parsers and checks beside their status: the status says
 * what kind of thing, the detail which one, the numbers where and how far off. */
struct moult_finding {
    uint16_t detail;   /* MOULT_D_* of formats/codes.h; 0: nothing is wrong */
    uint32_t where;    /* byte offset, table row or text line: the function says which */
    uint32_t expected; /* a size, offset, count or value; the words of the code say which */
    uint32_t found;
};

/* Set *finding when finding is not NULL, and hand back status: `return moult_found(...)`.
 */
enum moult_status moult_found(struct moult_finding *finding, enum moult_status status,
                              struct moult_finding what);

/* size bytes from offset into out; size 0 reads nothing.
 * MOULT_OK; MOULT_E_TRUNCATED: the range does not lie in the reader; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_read(const struct moult_reader *reader,
                                              uint32_t offset, uint8_t *out, uint32_t size);

/* A reader of bytes in memory. `bytes` is borrowed as long as the reader; at most
 * UINT32_MAX. */
struct moult_reader moult_reader_of_bytes(const struct moult_bytes *bytes);

/* A reader of [offset, offset + size) of another one: a partition of a flash file. */
struct moult_reader_part {
    const struct moult_reader *whole; /* borrowed as long as the part is read */
    uint32_t offset;
};

/* The part must lie in the whole (asserted). `part` is filled, and borrowed by the reader.
 */
struct moult_reader moult_reader_of_part(const struct moult_reader *whole, uint32_t offset,
                                         uint32_t size, struct moult_reader_part *part);

#endif
