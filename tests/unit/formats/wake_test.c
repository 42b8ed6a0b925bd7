/* wake_test.c - the MQTT payload and topic. */
#include "formats/wake.h"
#include <string.h>
#include "tests/support/check.h"
#include "tests/support/spec.h"

static void test_the_example_of_the_page(void)
{
    uint8_t bytes[MOULT_WAKE_SIZE_MAX], again[MOULT_WAKE_SIZE_MAX];
    struct moult_bytes payload = {bytes,
                                  spec_example("wake.md", "wake", bytes, sizeof bytes)};
    check_equal(payload.size, 15);
    struct moult_wake wake;
    check_equal(moult_wake_read(payload, &wake), MOULT_OK);
    check_equal(wake.seq, 1767225600123);
    check_equal(wake.spread_s, 300);
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, again, sizeof again);
    moult_wake_write(&writer, &wake);
    check_equal(writer.size, payload.size);
    check_bytes(again, bytes, payload.size);
}

static void test_anything_else_is_no_wake(void)
{
    static const struct {
        const char *hex;
        enum moult_status status;
    } rows[] = {
        {"a2 01 05 02 00", MOULT_OK},
        {"a3 01 05 02 00 18 40 f5", MOULT_OK},
        {"a3 01 05 02 00 03 00", MOULT_E_UNSUPPORTED},
        {"", MOULT_E_FORMAT}, /* a cleared retained message */
        {"a0", MOULT_E_FORMAT},
        {"a1 01 05", MOULT_E_FORMAT},
        {"a1 02 05", MOULT_E_FORMAT},
        {"a2 01 40 02 00", MOULT_E_FORMAT},
        {"a2 01 05 02 1b 0000000100000000", MOULT_E_FORMAT},
        {"a2 01 05 02 18 01", MOULT_E_FORMAT},
        {"a2 01 05 02 00 00", MOULT_E_FORMAT},
        {"82 05 00", MOULT_E_FORMAT},
        {"7b 22 73 65 71 22 3a 31 7d", MOULT_E_FORMAT}, /* JSON */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[64];
        struct moult_wake wake = {77, 88};
        struct moult_bytes payload = {bytes, hex_bytes(rows[i].hex, bytes, sizeof bytes)};
        check_row(rows[i].hex);
        check_equal(moult_wake_read(payload, &wake), rows[i].status);
        check_equal(wake.seq, rows[i].status == MOULT_OK ? 5 : 77);
    }
    check_row(NULL);
    static uint8_t large[MOULT_WAKE_SIZE_MAX + 1];
    struct moult_wake wake;
    check_equal(moult_wake_read((struct moult_bytes){large, sizeof large}, &wake),
                MOULT_E_RANGE);
}

static void test_the_largest_wake_fits(void)
{
    uint8_t bytes[MOULT_WAKE_SIZE_MAX];
    struct moult_wake wake = {UINT64_MAX, UINT32_MAX};
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_wake_write(&writer, &wake);
    check_equal(writer.status, MOULT_OK);
    check_equal(moult_wake_read(moult_cbor_written(&writer), &wake), MOULT_OK);
    check(wake.seq == UINT64_MAX);
}

static void test_the_topic_names_the_device_in_hex(void)
{
    uint8_t device[16];
    for (unsigned i = 0; i < 16; i++) {
        device[i] = (uint8_t)(0xd0 + i);
    }
    char topic[MOULT_WAKE_TOPIC_SIZE];
    moult_wake_topic(device, topic);
    check(strcmp(topic, "moult/1/d0d1d2d3d4d5d6d7d8d9dadbdcdddedf/wake") == 0);
    check_equal(strlen(topic), MOULT_WAKE_TOPIC_SIZE - 1);
}

int main(void)
{
    check_run(test_the_example_of_the_page);
    check_run(test_anything_else_is_no_wake);
    check_run(test_the_largest_wake_fits);
    check_run(test_the_topic_names_the_device_in_hex);
    return check_report();
}
