/* reader.c - see reader.h. */
#include "formats/reader.h"
#include <assert.h>
#include <string.h>

enum moult_status moult_found(struct moult_finding *finding, enum moult_status status,
                              struct moult_finding what)
{
    if (finding) { *finding = what; }
    return status;
}

enum moult_status moult_read(const struct moult_reader *reader, uint32_t offset,
                             uint8_t *out, uint32_t size)
{
    assert(reader && reader->read);
    uint32_t end;
    if (!moult_add_u32(offset, size, &end) || end > reader->size) {
        return MOULT_E_TRUNCATED;
    }
    if (size == 0) { return MOULT_OK; }
    return reader->read(reader->context, offset, out, size);
}

static enum moult_status read_bytes(void *context, uint32_t offset, uint8_t *out,
                                    uint32_t size)
{
    const struct moult_bytes *bytes = context;
    memcpy(out, bytes->data + offset, size);
    return MOULT_OK;
}

struct moult_reader moult_reader_of_bytes(const struct moult_bytes *bytes)
{
    assert(bytes && bytes->size <= UINT32_MAX);
    return (struct moult_reader){
        .context = (void *)(uintptr_t)bytes, /* read only: read_bytes() */
        .read = read_bytes,
        .size = (uint32_t)bytes->size,
    };
}

static enum moult_status read_part(void *context, uint32_t offset, uint8_t *out,
                                   uint32_t size)
{
    const struct moult_reader_part *part = context;
    return moult_read(part->whole, part->offset + offset, out, size);
}

struct moult_reader moult_reader_of_part(const struct moult_reader *whole, uint32_t offset,
                                         uint32_t size, struct moult_reader_part *part)
{
    assert(whole && part);
    assert(offset <= whole->size && size <= whole->size - offset);
    *part = (struct moult_reader_part){.whole = whole, .offset = offset};
    return (struct moult_reader){.context = part, .read = read_part, .size = size};
}
