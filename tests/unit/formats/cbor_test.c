/* cbor_test.c - the deterministic profile: what it accepts, refuses and writes. */
#include "formats/cbor.h"
#include <string.h>
#include "tests/support/check.h"
#include "tests/support/spec.h"

static enum moult_status judge(const char *hex, enum moult_cbor_place place, size_t *where)
{
    uint8_t bytes[2048];
    size_t size = hex_bytes(hex, bytes, sizeof bytes);
    /* a copy of the exact size, so that the address sanitizer sees one byte too far */
    static uint8_t exact[2048];
    memcpy(exact + sizeof exact - size, bytes, size);
    return moult_cbor_check((struct moult_bytes){exact + sizeof exact - size, size}, place,
                            where);
}

static void test_items_of_the_profile_are_accepted(void)
{
    static const char *const rows[] = {
        "00",
        "17",
        "18 18",
        "18 ff",
        "19 0100",
        "19 ffff",
        "1a 00010000",
        "1a ffffffff",
        "1b 0000000100000000",
        "1b ffffffffffffffff",
        "40",
        "41 00",
        "43 010203",
        "60",
        "61 41",
        "63 20 7e 41",
        "80",
        "81 00",
        "83 00 40 60",
        "82 81 00 81 00",
        "a0",
        "a1 00 00",
        "a2 00 00 01 00",
        "a2 18 40 00 1a ffffffff 00",
        "a1 01 81 81 81 81 81 00", /* six containers deep */
        "a1 18 40 f4",
        "a1 18 40 f5",
        "a1 18 40 f6",
        "a1 18 40 81 f5",
        "a1 18 40 a1 01 f6", /* false, true, null inside an extension */
        "a8 18 40 00 18 41 00 18 42 00 18 43 00 18 44 00 18 45 00 18 46 00 18 47 00",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i]);
        check_equal(judge(rows[i], MOULT_CBOR_PAYLOAD, NULL), MOULT_OK);
    }
}

static void test_everything_else_is_refused_at_its_byte(void)
{
    static const struct {
        const char *hex;
        size_t where;
    } rows[] = {
        {"", 0},
        /* heads longer than they must be, each type and width */
        {"18 17", 0},
        {"19 00ff", 0},
        {"1a 0000ffff", 0},
        {"1b 00000000ffffffff", 0},
        {"58 01 00", 0},
        {"59 0001 00", 0},
        {"5a 00000001 00", 0},
        {"5b 0000000000000001 00", 0},
        {"78 01 41", 0},
        {"79 0001 41", 0},
        {"98 01 00", 0},
        {"99 0001 00", 0},
        {"b8 01 00 00", 0},
        {"b9 0001 00 00", 0},
        {"a1 18 01 00", 1}, /* a key */
        /* additional information 28..31, of every type */
        {"1c 0102030405060708090a0b0c0d0e0f10", 0},
        {"1c", 0},
        {"1d", 0},
        {"1e", 0},
        {"1f", 0},
        {"5c", 0},
        {"5f 41 00 ff", 0},
        {"7f 61 41 ff", 0},
        {"9f 00 ff", 0},
        {"bf 00 00 ff", 0},
        {"df", 0},
        {"ff", 0},
        /* floats, simple values, tags, negative numbers */
        {"f9 0000", 0},
        {"fa 00000000", 0},
        {"fb 0000000000000000", 0},
        {"f0", 0},
        {"f4", 0},
        {"f5", 0},
        {"f6", 0},
        {"f7", 0},
        {"f8 ff", 0},
        {"a1 01 f5", 2},
        {"a1 18 40 f7", 3},
        {"a1 18 40 f9 0000", 3},
        {"a2 01 00 02 81 f5", 5},
        {"c0 60", 0},
        {"c1 00", 0},
        {"d8 62 00", 0},
        {"d2 80", 0},
        {"20", 0},
        {"26", 0},
        {"28", 0},
        {"81 28", 1},
        {"a1 05 81 82 28 40", 4},
        {"a1 18 40 28", 3},
        /* text outside printable ASCII */
        {"61 1f", 0},
        {"61 7f", 0},
        {"61 80", 0},
        {"62 c3 a9", 0},
        {"61 00", 0},
        /* maps: keys that are no u32, not ascending, twice */
        {"a1 40 00", 1},
        {"a1 61 41 00", 1},
        {"a1 20 00", 1},
        {"a1 1b 0000000100000000 00", 1},
        {"a2 01 00 00 00", 3},
        {"a2 01 00 01 00", 3},
        {"a2 18 40 00 01 00", 4},
        /* seven deep; nine extensions in one map, also in one that is in an extension */
        {"81 81 81 81 81 81 80", 6},
        {"a1 01 81 81 81 81 81 81 00", 7},
        {"a9 18 40 00 18 41 00 18 42 00 18 43 00 18 44 00 18 45 00 18 46 00 18 47 00 18 48 "
         "00",
         25},
        {"a1 18 40 a9 18 40 00 18 41 00 18 42 00 18 43 00 18 44 00 18 45 00 18 46 00 18 47 "
         "00"
         "18 48 00",
         28},
        /* lengths beyond the input */
        {"41", 0},
        {"58 20 00", 0},
        {"61", 0},
        {"81", 0},
        {"82 00", 0},
        {"a1 00", 0},
        {"5b ffffffffffffffff 00", 0},
        {"9b ffffffffffffffff 00", 0},
        {"bb 8000000000000001 00 00", 0},
        {"18", 0},
        {"19 01", 0},
        {"1b 00000001000000", 0},
        {"a2 01 00 02", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t where = 99;
        check_row(rows[i].hex);
        check_equal(judge(rows[i].hex, MOULT_CBOR_PAYLOAD, &where), MOULT_E_FORMAT);
        check_equal(where, rows[i].where);
    }
}

static void test_bytes_behind_a_good_item_are_an_own_finding(void)
{
    size_t where;
    check_equal(judge("00 00", MOULT_CBOR_PAYLOAD, &where), MOULT_E_RANGE);
    check_equal(where, 1);
    check_equal(judge("a1 01 00 ff", MOULT_CBOR_PAYLOAD, &where), MOULT_E_RANGE);
    check_equal(where, 3);
}

static void test_negative_numbers_stand_only_where_a_keyset_names_an_algorithm(void)
{
    const enum moult_cbor_place keyset = MOULT_CBOR_KEYSET_PAYLOAD;
    check_equal(judge("a1 05 81 82 28 40", keyset, NULL), MOULT_OK);
    check_equal(judge("a1 05 81 82 26 40", keyset, NULL), MOULT_OK);
    check_equal(judge("a1 05 82 82 28 40 82 28 40", keyset, NULL), MOULT_OK);
    check_equal(judge("a1 05 81 82 27 40", keyset, NULL), MOULT_E_FORMAT); /* -8 */
    check_equal(judge("a1 05 81 82 40 28", keyset, NULL),
                MOULT_E_FORMAT);                                     /* second place */
    check_equal(judge("a1 05 81 28", keyset, NULL), MOULT_E_FORMAT); /* too shallow */
    check_equal(judge("a1 04 81 82 28 40", keyset, NULL), MOULT_E_FORMAT); /* other entry */
    check_equal(judge("81 81 82 28 40", keyset, NULL), MOULT_E_FORMAT);    /* no map */
    check_equal(judge("a1 05 81 81 82 28 40", keyset, NULL), MOULT_E_FORMAT);
    check_equal(judge("a1 05 a1 01 82 28 40", keyset, NULL), MOULT_E_FORMAT);
    check_equal(judge("a1 18 40 81 82 28 40", keyset, NULL), MOULT_E_FORMAT);
}

static void test_only_an_envelope_starts_with_a_tag_and_only_with_98(void)
{
    check_equal(judge("d8 62 80", MOULT_CBOR_ENVELOPE, NULL), MOULT_OK);
    check_equal(judge("80", MOULT_CBOR_ENVELOPE, NULL),
                MOULT_OK); /* the shape is cose.c's */
    check_equal(judge("d8 61 80", MOULT_CBOR_ENVELOPE, NULL), MOULT_E_FORMAT);
    check_equal(judge("d2 80", MOULT_CBOR_ENVELOPE, NULL), MOULT_E_FORMAT);
    check_equal(judge("d9 0062 80", MOULT_CBOR_ENVELOPE, NULL), MOULT_E_FORMAT);
    check_equal(judge("81 d8 62 80", MOULT_CBOR_ENVELOPE, NULL), MOULT_E_FORMAT);
    check_equal(judge("d8 62 d8 62 80", MOULT_CBOR_ENVELOPE, NULL), MOULT_E_FORMAT);
    check_equal(judge("d8 62", MOULT_CBOR_ENVELOPE, NULL), MOULT_E_FORMAT);
}

static void test_a_map_holds_64_entries_and_no_more(void)
{
    uint8_t bytes[256];
    for (unsigned count = 64; count <= 65; count++) {
        struct moult_cbor_writer writer;
        moult_cbor_writer_init(&writer, bytes, sizeof bytes);
        moult_cbor_write_array(&writer, 1);
        moult_cbor_write_map(&writer, count);
        for (unsigned i = 0; i < count; i++) {
            moult_cbor_write_u64(&writer, i < 60 ? i : i < 64 ? i : 64);
            moult_cbor_write_u64(&writer, 0);
        }
        check_equal(writer.status, MOULT_OK);
        enum moult_status want = count == 64 ? MOULT_OK : MOULT_E_FORMAT;
        check_equal(moult_cbor_check(moult_cbor_written(&writer), MOULT_CBOR_PAYLOAD, NULL),
                    want);
    }
}

/* --- reader --- */

static struct moult_cbor_reader reader_of(const char *hex)
{
    static uint8_t bytes[512];
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(
        &reader, (struct moult_bytes){bytes, hex_bytes(hex, bytes, sizeof bytes)});
    return reader;
}

static void test_reading_gives_what_was_written(void)
{
    struct moult_cbor_reader r = reader_of("a2 01 18ff 02 83 43 010203 62 4142 28");
    check_equal(moult_cbor_peek(&r), MOULT_CBOR_MAP);
    check_equal(moult_cbor_read_map(&r, 0, 64), 2);
    check_equal(moult_cbor_read_u64(&r, 0, 9), 1);
    check_equal(moult_cbor_read_u64(&r, 0, 255), 255);
    check_equal(moult_cbor_read_u64(&r, 0, 9), 2);
    check_equal(moult_cbor_read_array(&r, 1, 3), 3);
    const uint8_t *fixed = moult_cbor_read_fixed(&r, 3);
    check(fixed);
    check_bytes(fixed, "\1\2\3", 3);
    struct moult_bytes text = moult_cbor_read_text(&r, 1, 2);
    check_equal(text.size, 2);
    check_equal(moult_cbor_read_alg(&r), MOULT_CBOR_ESP256);
    check_equal(r.status, MOULT_OK);
    check_equal(moult_cbor_peek(&r), MOULT_CBOR_END);
    check_equal(moult_cbor_fault(&r), 0);
}

static void test_an_unexpected_item_is_skipped_and_reading_goes_on(void)
{
    static const struct {
        const char *hex; /* an item that is not 0..9, then 7 */
    } rows[] = {{"0a 07"}, {"41 00 07"}, {"82 00 a1 01 00 07"}, {"a1 01 83 00 00 00 07"},
                {"28 07"}, {"61 41 07"}, {"a1 18 40 f5 07"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].hex);
        struct moult_cbor_reader r = reader_of(rows[i].hex);
        check_equal(moult_cbor_read_u64(&r, 0, 9), 0);
        check_equal(r.status, MOULT_E_RANGE);
        check_equal(moult_cbor_read_u64(&r, 0, 9), 7);
        check_equal(r.status, MOULT_E_RANGE);
        check_equal(moult_cbor_fault(&r), 0);
        check(r.fault == r.start);
    }
    check_row(NULL);
}

static void test_sizes_and_counts_outside_the_bounds_are_refused(void)
{
    struct moult_cbor_reader r =
        reader_of("43 010203 43 010203 83 00 00 00 62 4141 a1 01 00 05");
    check_equal(moult_cbor_read_bytes(&r, 4, 9).size, 0);
    check(!moult_cbor_read_fixed(&r, 2));
    check_equal(moult_cbor_read_array(&r, 1, 2), 0);
    check_equal(moult_cbor_read_text(&r, 3, 9).size, 0);
    check_equal(moult_cbor_read_map(&r, 2, 64), 0);
    check_equal(moult_cbor_read_u64(&r, 0, 9), 5); /* each was skipped whole */
    check_equal(r.status, MOULT_E_RANGE);
}

static void test_after_a_broken_head_nothing_is_read(void)
{
    struct moult_cbor_reader r = reader_of("18 01 05");
    check_equal(moult_cbor_read_u64(&r, 0, 9), 0);
    check_equal(r.status, MOULT_E_FORMAT);
    check_equal(moult_cbor_read_u64(&r, 0, 9), 0);
    check_equal(moult_cbor_peek(&r), MOULT_CBOR_END);
    check_equal(moult_cbor_read_any(&r).size, 0);
    check_equal(moult_cbor_read_array(&r, 0, 9), 0);
}

static void test_a_status_only_worsens(void)
{
    struct moult_cbor_reader r = reader_of("00");
    moult_cbor_reject(&r, MOULT_E_UNSUPPORTED, r.start);
    moult_cbor_reject(&r, MOULT_E_UNSUPPORTED, r.end); /* the first place stays */
    moult_cbor_reject(&r, MOULT_E_RANGE, r.end);
    check_equal(r.status, MOULT_E_UNSUPPORTED);
    check(r.fault == r.start);
    moult_cbor_reject(&r, MOULT_E_FORMAT, r.end);
    check_equal(r.status, MOULT_E_FORMAT);
    check_equal(moult_cbor_fault(&r), 1);
}

static void test_an_empty_input_is_no_item(void)
{
    struct moult_cbor_reader r;
    moult_cbor_reader_init(&r, (struct moult_bytes){NULL, 0});
    check_equal(moult_cbor_peek(&r), MOULT_CBOR_END);
    check_equal(moult_cbor_read_u64(&r, 0, 9), 0);
    check_equal(r.status, MOULT_E_FORMAT);
}

/* --- writer --- */

static void test_numbers_are_written_in_their_shortest_form(void)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } rows[] = {
        {0, "00"},
        {23, "17"},
        {24, "1818"},
        {255, "18ff"},
        {256, "190100"},
        {65535, "19ffff"},
        {65536, "1a00010000"},
        {UINT32_MAX, "1affffffff"},
        {UINT64_C(0x100000000), "1b0000000100000000"},
        {UINT64_MAX, "1bffffffffffffffff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t want[16], have[16];
        size_t size = hex_bytes(rows[i].hex, want, sizeof want);
        struct moult_cbor_writer writer;
        moult_cbor_writer_init(&writer, have, sizeof have);
        moult_cbor_write_u64(&writer, rows[i].value);
        check_row(rows[i].hex);
        check_equal(writer.size, size);
        check_bytes(have, want, size);
    }
    check_row(NULL);
}

static void test_a_full_buffer_ends_writing_for_good(void)
{
    uint8_t bytes[8];
    struct moult_cbor_writer writer;
    memset(bytes, 0xee, sizeof bytes);
    moult_cbor_writer_init(&writer, bytes, 4);
    moult_cbor_write_bytes(&writer, (const uint8_t *)"\1\2\3", 3);
    check_equal(writer.status, MOULT_OK);
    moult_cbor_write_u64(&writer, 5); /* one byte too many */
    check_equal(writer.status, MOULT_E_SPACE);
    moult_cbor_write_bytes(&writer, NULL, 0);
    check_equal(writer.status, MOULT_E_SPACE);
    check_equal(bytes[4], 0xee);
    check_equal(moult_cbor_written(&writer).size, 4);
}

/* --- properties --- */

/* Writes a random item of the profile, at most `depth` containers deep. */
static void write_random(struct moult_cbor_writer *writer, struct chance *chance,
                         unsigned depth, bool in_extension)
{
    uint8_t bytes[40];
    uint32_t count = chance_below(chance, 5);
    uint64_t key = 0;
    switch (chance_below(chance, depth > 0 ? 6 : 3)) {
    case 0:
        moult_cbor_write_u64(writer, chance_next(chance) >> chance_below(chance, 64));
        break;
    case 1:
        chance_fill(chance, bytes, sizeof bytes);
        moult_cbor_write_bytes(writer, bytes, chance_below(chance, sizeof bytes));
        break;
    case 2:
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)(0x20 + chance_below(chance, 0x5f));
        }
        moult_cbor_write_text(
            writer, (struct moult_bytes){bytes, chance_below(chance, sizeof bytes)});
        break;
    case 3:
        moult_cbor_write_array(writer, count);
        while (count-- > 0) {
            write_random(writer, chance, depth - 1, in_extension);
        }
        break;
    default:
        moult_cbor_write_map(writer, count);
        while (count-- > 0) {
            moult_cbor_write_u64(writer, key);
            write_random(writer, chance, depth - 1, in_extension || key >= 64);
            key += 1 + chance_below(chance, 40);
        }
        break;
    }
}

/* Copies an item by reading and writing it. */
static void copy(struct moult_cbor_reader *reader, struct moult_cbor_writer *writer)
{
    struct moult_bytes bytes;
    uint32_t count;
    switch (moult_cbor_peek(reader)) {
    case MOULT_CBOR_UINT:
        moult_cbor_write_u64(writer, moult_cbor_read_u64(reader, 0, UINT64_MAX));
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

static void test_random_items_pass_and_are_reproduced_byte_for_byte(void)
{
    struct chance chance = chance_start("cbor", 0x5eed);
    for (int round = 0; round < 2000; round++) {
        static uint8_t one[65536], other[65536];
        struct moult_cbor_writer writer, again;
        moult_cbor_writer_init(&writer, one, sizeof one);
        write_random(&writer, &chance, MOULT_CBOR_DEPTH_MAX, false);
        check_equal(writer.status, MOULT_OK);
        struct moult_bytes item = moult_cbor_written(&writer);
        check_equal(moult_cbor_check(item, MOULT_CBOR_PAYLOAD, NULL), MOULT_OK);

        struct moult_cbor_reader reader;
        moult_cbor_reader_init(&reader, item);
        moult_cbor_writer_init(&again, other, sizeof other);
        copy(&reader, &again);
        check_equal(reader.status, MOULT_OK);
        check_equal(again.size, item.size);
        check_bytes(other, one, item.size);

        moult_cbor_reader_init(&reader, item);
        check_equal(moult_cbor_read_any(&reader).size, item.size);

        if (item.size > 1) { /* every truncation of some of them */
            size_t cut = chance_below(&chance, (uint32_t)item.size);
            struct moult_bytes part = {one, cut};
            check_equal(moult_cbor_check(part, MOULT_CBOR_PAYLOAD, NULL), MOULT_E_FORMAT);
        }
    }
}

/* What the profile accepts has one spelling: nothing else decodes to it. */
static void test_an_accepted_mutation_is_a_different_value_with_its_own_spelling(void)
{
    struct chance chance = chance_start("cbor mutations", 0xbeef);
    unsigned accepted = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t one[512], other[512];
        struct moult_cbor_writer writer, again;
        moult_cbor_writer_init(&writer, one, sizeof one);
        write_random(&writer, &chance, 3, false);
        if (writer.status != MOULT_OK || writer.size == 0) { continue; }
        one[chance_below(&chance, (uint32_t)writer.size)] ^=
            (uint8_t)(1u << chance_below(&chance, 8));
        struct moult_bytes item = moult_cbor_written(&writer);
        if (moult_cbor_check(item, MOULT_CBOR_PAYLOAD, NULL) != MOULT_OK) { continue; }
        accepted++;
        struct moult_cbor_reader reader;
        moult_cbor_reader_init(&reader, item);
        moult_cbor_writer_init(&again, other, sizeof other);
        copy(&reader, &again);
        check_equal(again.size, item.size);
        check_bytes(other, one, item.size);
    }
    check(accepted > 100);
}

int main(void)
{
    check_run(test_items_of_the_profile_are_accepted);
    check_run(test_everything_else_is_refused_at_its_byte);
    check_run(test_bytes_behind_a_good_item_are_an_own_finding);
    check_run(test_negative_numbers_stand_only_where_a_keyset_names_an_algorithm);
    check_run(test_only_an_envelope_starts_with_a_tag_and_only_with_98);
    check_run(test_a_map_holds_64_entries_and_no_more);
    check_run(test_reading_gives_what_was_written);
    check_run(test_an_unexpected_item_is_skipped_and_reading_goes_on);
    check_run(test_sizes_and_counts_outside_the_bounds_are_refused);
    check_run(test_after_a_broken_head_nothing_is_read);
    check_run(test_a_status_only_worsens);
    check_run(test_an_empty_input_is_no_item);
    check_run(test_numbers_are_written_in_their_shortest_form);
    check_run(test_a_full_buffer_ends_writing_for_good);
    check_run(test_random_items_pass_and_are_reproduced_byte_for_byte);
    check_run(test_an_accepted_mutation_is_a_different_value_with_its_own_spelling);
    return check_report();
}
