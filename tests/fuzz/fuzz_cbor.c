/* fuzz_cbor.c - the profile check, the reader and the writer. */
#include "formats/cbor.h"
#include "tests/fuzz/oracle.h"

/* Copies an item by reading and writing it; depth is bounded by the profile. */
static void copy(struct moult_cbor_reader *reader, struct moult_cbor_writer *writer)
{
    struct moult_bytes bytes;
    uint32_t count;
    switch (moult_cbor_peek(reader)) {
    case MOULT_CBOR_UINT:
        moult_cbor_write_u64(writer, moult_cbor_read_u64(reader, 0, UINT64_MAX));
        break;
    case MOULT_CBOR_NEGATIVE:
        moult_cbor_write_alg(writer, moult_cbor_read_alg(reader));
        break;
    case MOULT_CBOR_BYTES:
        bytes = moult_cbor_read_bytes(reader, 0, SIZE_MAX);
        moult_cbor_write_bytes(writer, bytes.data, bytes.size);
        break;
    case MOULT_CBOR_TEXT:
        moult_cbor_write_text(writer, moult_cbor_read_text(reader, 0, SIZE_MAX));
        break;
    case MOULT_CBOR_ARRAY:
        count = moult_cbor_read_array(reader, 0, UINT32_MAX);
        moult_cbor_write_array(writer, count);
        while (count-- > 0) {
            copy(reader, writer);
        }
        break;
    case MOULT_CBOR_MAP:
        count = moult_cbor_read_map(reader, 0, UINT32_MAX);
        moult_cbor_write_map(writer, count);
        for (count *= 2; count > 0; count--) {
            copy(reader, writer);
        }
        break;
    default:
        moult_cbor_write_raw(writer, moult_cbor_read_any(reader));
        break;
    }
}

/* Whatever the input, and whatever is asked of it, in any order: nothing outside it is
 * touched. */
static void ask_anything(struct moult_bytes input)
{
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, input);
    for (size_t i = 0; i < input.size; i++) {
        const uint8_t *before = reader.at;
        switch (input.data[i] % 7) {
        case 0:
            (void)moult_cbor_read_u64(&reader, 0, 1000);
            break;
        case 1:
            (void)moult_cbor_read_bytes(&reader, 0, 100);
            break;
        case 2:
            (void)moult_cbor_read_text(&reader, 1, 10);
            break;
        case 3:
            (void)moult_cbor_read_array(&reader, 0, 20);
            break;
        case 4:
            (void)moult_cbor_read_map(&reader, 0, 20);
            break;
        case 5:
            (void)moult_cbor_read_alg(&reader);
            break;
        default:
            (void)moult_cbor_read_any(&reader);
            break;
        }
        promise(reader.at >= before && reader.at <= reader.end,
                "a reader only moves forward");
        promise(reader.fault <= reader.end, "a fault lies in the input");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[1 << 20];
    struct moult_bytes input = {data, size};
    for (int place = MOULT_CBOR_PAYLOAD; place <= MOULT_CBOR_KEYSET_PAYLOAD; place++) {
        size_t where = SIZE_MAX;
        enum moult_status st =
            moult_cbor_check(input, (enum moult_cbor_place)place, &where);
        promise(where <= size, "a finding lies in the input");
        promise(st != MOULT_OK || where == size, "all of it was read");
        if (st != MOULT_OK) { continue; }
        struct moult_cbor_reader reader;
        struct moult_cbor_writer writer;
        moult_cbor_reader_init(&reader, input);
        moult_cbor_writer_init(&writer, again, sizeof again);
        copy(&reader, &writer);
        promise(reader.status == MOULT_OK && reader.at == reader.end, "reading agrees");
        promise_same(&writer, input);
    }
    (void)moult_cbor_check(input, MOULT_CBOR_ENVELOPE, NULL); /* only that it ends */
    ask_anything(input);
    return 0;
}
