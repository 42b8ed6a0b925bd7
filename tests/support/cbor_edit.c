/* cbor_edit.c - see cbor_edit.h. */
#include "tests/support/cbor_edit.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/spec.h"

struct edit {
    const char *path; /* what is left of it */
    const char *hex;
    bool done;
};

static void write_new(struct moult_cbor_writer *writer, struct edit *edit)
{
    uint8_t bytes[2048];
    size_t size = hex_bytes(edit->hex, bytes, sizeof bytes);
    moult_cbor_write_raw(writer, (struct moult_bytes){bytes, size});
    edit->done = true;
}

static void copy_edited(struct moult_cbor_reader *reader, struct moult_cbor_writer *writer,
                        struct edit *edit);

/* The element that the path names: replaced, removed, or gone into. */
static void edit_element(struct moult_cbor_reader *reader, struct moult_cbor_writer *writer,
                         struct edit *edit, const char *rest)
{
    if (*rest == '.') {
        edit->path = rest + 1;
        copy_edited(reader, writer, edit);
        return;
    }
    (void)moult_cbor_read_any(reader); /* the old one */
    if (edit->hex) { write_new(writer, edit); }
    edit->done = true;
}

/* Elements of a container are copied into `body`; `wanted` is treated by edit_element(). */
static uint32_t copy_elements(struct moult_cbor_reader *reader,
                              struct moult_cbor_writer *body, struct edit *edit,
                              bool is_map, uint32_t count)
{
    char *rest;
    unsigned long wanted = strtoul(edit->path, &rest, 10);
    uint32_t written = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t name = is_map ? moult_cbor_read_u64(reader, 0, UINT64_MAX) : i;
        if (is_map && name > wanted && !edit->done && edit->hex) {
            moult_cbor_write_u64(body, wanted);
            write_new(body, edit);
            written++;
        }
        bool is_wanted = name == wanted && !edit->done;
        if (is_wanted && !edit->hex && *rest == '\0') {
            edit_element(reader, body, edit, rest);
            continue;
        }
        if (is_map) { moult_cbor_write_u64(body, name); }
        if (is_wanted) {
            edit_element(reader, body, edit, rest);
        } else {
            moult_cbor_write_raw(body, moult_cbor_read_any(reader));
        }
        written++;
    }
    if (edit->done || !edit->hex || *rest != '\0') { return written; }
    if (is_map) { moult_cbor_write_u64(body, wanted); }
    write_new(body, edit);
    return written + 1;
}

static void copy_edited(struct moult_cbor_reader *reader, struct moult_cbor_writer *writer,
                        struct edit *edit)
{
    uint8_t bytes[MOULT_KEYSET_SIZE_MAX];
    struct moult_cbor_writer body;
    moult_cbor_writer_init(&body, bytes, sizeof bytes);
    bool is_map = moult_cbor_peek(reader) == MOULT_CBOR_MAP;
    uint32_t count = is_map ? moult_cbor_read_map(reader, 0, UINT32_MAX)
                            : moult_cbor_read_array(reader, 0, UINT32_MAX);
    uint32_t written = copy_elements(reader, &body, edit, is_map, count);
    if (is_map) {
        moult_cbor_write_map(writer, written);
    } else {
        moult_cbor_write_array(writer, written);
    }
    moult_cbor_write_raw(writer, moult_cbor_written(&body));
}

void cbor_edit(struct statements_bytes *item, const char *path, const char *hex)
{
    struct statements_bytes before = *item;
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, statements_view(&before));
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, item->data, sizeof item->data);
    struct edit edit = {.path = path, .hex = hex};
    copy_edited(&reader, &writer, &edit);
    if (!edit.done || reader.status != MOULT_OK || writer.status != MOULT_OK) {
        fprintf(stderr, "cbor_edit.c: no place %s\n", path);
        abort();
    }
    item->size = writer.size;
}
