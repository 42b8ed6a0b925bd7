/* message_report_test.c - reports, batches of them, and the answer. */
#include "formats/message_report.h"
#include <string.h>
#include "formats/codes.h"
#include "tests/support/cbor_edit.h"
#include "tests/support/check.h"
#include "tests/support/spec.h"

static struct moult_bytes example(const char *name)
{
    static uint8_t bytes[MOULT_REQUEST_SIZE_MAX];
    return (struct moult_bytes){bytes,
                                spec_example("report.md", name, bytes, sizeof bytes)};
}

static void test_the_example_of_the_page_is_a_failed_transfer(void)
{
    struct moult_bytes message = example("batch");
    check_equal(message.size, 105);
    struct moult_cbor_list list;
    struct moult_finding finding;
    check_equal(moult_report_batch_read(message, &list, &finding), MOULT_OK);
    check_equal(list.count, 1);
    struct moult_cbor_list rest = list;
    struct moult_report report;
    check(moult_report_next(&rest, &report));
    check(!moult_report_next(&rest, &report));
    rest = list;
    check(moult_report_next(&rest, &report));
    check_equal(report.present, 0xfffe);
    check_equal(report.boot_id, 0x0123456789abcdef);
    check_equal(report.sequence, 3);
    check_equal(report.deployment_id[0], 0xb0);
    check_equal(report.kind, MOULT_REPORT_FAILED);
    check_equal(report.reason, MOULT_R_NET_STALL);
    check_equal(report.detail, MOULT_D_XFER_SLOW);
    check_equal((int32_t)report.native, -116);
    check_equal(report.offset, 196608);
    check_equal(report.free_heap, 81920);
    check_equal(report.largest_block, 31744);
    check_equal(report.signal_dbm, 71);
    check_equal(report.battery_mv, 3300);
    check_equal(report.reset_reason, 1);
    check_bytes(report.text.data, "below 512 B/s for 60 s", report.text.size);
    check_equal(report.uptime_s, 4711);
    check(!report.crash);

    uint8_t one[256], batch[256];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, one, sizeof one);
    moult_report_write(&writer, &report);
    list = (struct moult_cbor_list){moult_cbor_written(&writer), 1};
    moult_cbor_writer_init(&writer, batch, sizeof batch);
    moult_report_batch_write(&writer, &list);
    check_equal(writer.size, message.size);
    check_bytes(batch, message.data, message.size);
}

static void test_the_examples_of_the_answer(void)
{
    struct moult_gone gone;
    check_equal(moult_report_reply_read(example("batch-reply"), &gone, NULL), MOULT_OK);
    check_equal(gone.count, 0);
    struct moult_bytes message = example("batch-gone");
    check_equal(moult_report_reply_read(message, &gone, NULL), MOULT_OK);
    check_equal(gone.count, 1);
    check_equal(gone.deployment_id[0][15], 0xbf);
    uint8_t bytes[64];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_report_reply_write(&writer, &gone);
    check_equal(writer.size, message.size);
    check_bytes(bytes, message.data, message.size);
    gone.count = 0;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_report_reply_write(&writer, &gone);
    check_equal(writer.size, 3);
    check_bytes(bytes, "\xa1\x01\x01", 3);
}

static struct moult_report largest(const uint8_t *digest, const char *text)
{
    return (struct moult_report){
        .present = 0x1ffe0,
        .boot_id = UINT64_MAX,
        .sequence = UINT32_MAX,
        .deployment_id = digest,
        .kind = UINT8_MAX,
        .reason = UINT16_MAX,
        .detail = UINT16_MAX,
        .native = UINT32_MAX,
        .offset = UINT32_MAX,
        .free_heap = UINT32_MAX,
        .largest_block = UINT32_MAX,
        .signal_dbm = UINT8_MAX,
        .battery_mv = UINT16_MAX,
        .reset_reason = UINT8_MAX,
        .text = {(const uint8_t *)text, MOULT_REPORT_TEXT_MAX},
        .uptime_s = UINT32_MAX,
        .crash = digest,
    };
}

static void test_the_largest_report_has_the_stated_size_and_eight_fit_a_message(void)
{
    uint8_t digest[32], reports[8 * MOULT_REPORT_SIZE_MAX], message[MOULT_REQUEST_SIZE_MAX];
    char text[MOULT_REPORT_TEXT_MAX];
    memset(digest, 0xff, sizeof digest);
    memset(text, 'x', sizeof text);
    struct moult_report report = largest(digest, text);
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, reports, sizeof reports);
    for (unsigned i = 0; i < MOULT_REPORTS_MAX; i++) {
        moult_report_write(&writer, &report);
    }
    check_equal(writer.status, MOULT_OK);
    check_equal(writer.size, 8 * MOULT_REPORT_SIZE_MAX);

    struct moult_cbor_list list = {moult_cbor_written(&writer), 8};
    moult_cbor_writer_init(&writer, message, sizeof message);
    moult_report_batch_write(&writer, &list);
    check_equal(moult_report_batch_read(moult_cbor_written(&writer), &list, NULL),
                MOULT_OK);
    check_equal(list.count, 8);
    unsigned count = 0;
    while (moult_report_next(&list, &report)) {
        count++;
    }
    check_equal(count, 8);
    check_equal(report.uptime_s, UINT32_MAX);
}

static void test_a_report_of_the_outbox_is_read_alone(void)
{
    uint8_t digest[32] = {0}, bytes[MOULT_REPORT_SIZE_MAX];
    struct moult_report report = {.boot_id = 1, .deployment_id = digest, .kind = 5}, read;
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_report_write(&writer, &report);
    check_equal(moult_report_read(moult_cbor_written(&writer), &read, NULL), MOULT_OK);
    check_equal(read.kind, 5);
    struct moult_finding finding;
    struct moult_bytes cut = {bytes, writer.size - 1};
    check_equal(moult_report_read(cut, &read, &finding), MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_CBOR_PROFILE);
}

static void test_what_is_no_batch_is_refused(void)
{
    static const struct {
        const char *path, *hex;
        enum moult_status status;
    } rows[] = {
        {"1", "02", MOULT_E_UNSUPPORTED},
        {"3", "00", MOULT_E_UNSUPPORTED},
        {"2.0.17", "00", MOULT_E_UNSUPPORTED},
        {"2.0.63", "00", MOULT_E_UNSUPPORTED},
        {"1", NULL, MOULT_E_FORMAT},
        {"2", NULL, MOULT_E_FORMAT},
        {"2", "80", MOULT_E_FORMAT},
        {"2", "00", MOULT_E_FORMAT},
        {"2.0", "00", MOULT_E_FORMAT},
        {"2.0", "80", MOULT_E_FORMAT},
        {"2.0.1", NULL, MOULT_E_FORMAT},
        {"2.0.2", NULL, MOULT_E_FORMAT},
        {"2.0.3", NULL, MOULT_E_FORMAT},
        {"2.0.4", NULL, MOULT_E_FORMAT},
        {"2.0.2", "1b 0000000100000000", MOULT_E_FORMAT},
        {"2.0.3", "40", MOULT_E_FORMAT},
        {"2.0.4", "19 0100", MOULT_E_FORMAT},
        {"2.0.5", "1a 00010000", MOULT_E_FORMAT},
        {"2.0.7", "1b 0000000100000000", MOULT_E_FORMAT},
        {"2.0.11", "19 0100", MOULT_E_FORMAT},
        {"2.0.14", "60", MOULT_E_FORMAT},
        {"2.0.14", "40", MOULT_E_FORMAT},
        {"2.0.14", "61 0a", MOULT_E_FORMAT},
        {"2.0.16", "41 00", MOULT_E_FORMAT},
        {"2.0.7", "20", MOULT_E_FORMAT}, /* a negative number */
        {"2.0.64", "f5", MOULT_OK},
        {"64", "00", MOULT_OK},
        {"2.0.4", "18 ff", MOULT_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statements_bytes message;
        message.size =
            spec_example("report.md", "batch", message.data, sizeof message.data);
        cbor_edit(&message, rows[i].path, rows[i].hex);
        struct moult_cbor_list list;
        struct moult_finding finding = {.detail = 9999};
        check_row(rows[i].path);
        check_equal(moult_report_batch_read(statements_view(&message), &list, &finding),
                    rows[i].status);
        check_equal(finding.detail, rows[i].status == MOULT_OK ? 0 : MOULT_D_CBOR_PROFILE);
    }
    check_row(NULL);
}

static void test_nine_reports_are_too_many(void)
{
    struct statements_bytes message;
    message.size = spec_example("report.md", "batch", message.data, sizeof message.data);
    static const char report[] =
        "a4 01 01 02 01 03 50 00000000000000000000000000000000 04 00";
    static const char *const paths[] = {"2.1", "2.2", "2.3", "2.4",
                                        "2.5", "2.6", "2.7", "2.8"};
    for (unsigned i = 0; i < 8; i++) {
        struct moult_cbor_list list;
        check_equal(moult_report_batch_read(statements_view(&message), &list, NULL),
                    MOULT_OK);
        check_equal(list.count, i + 1);
        cbor_edit(&message, paths[i], report);
    }
    struct moult_cbor_list list;
    check_equal(moult_report_batch_read(statements_view(&message), &list, NULL),
                MOULT_E_FORMAT);
}

static void test_messages_over_the_limit_are_refused_by_size(void)
{
    static uint8_t large[MOULT_REQUEST_SIZE_MAX + 1];
    struct moult_cbor_list list;
    struct moult_gone gone;
    struct moult_finding finding;
    check_equal(
        moult_report_batch_read((struct moult_bytes){large, sizeof large}, &list, &finding),
        MOULT_E_RANGE);
    check_equal(finding.expected, MOULT_REQUEST_SIZE_MAX);
    check_equal(finding.found, sizeof large);
    check_equal(moult_report_reply_read(
                    (struct moult_bytes){large, MOULT_REPLY_SIZE_MAX + 1}, &gone, &finding),
                MOULT_E_RANGE);
}

static void test_no_truncation_and_no_trailing_byte_is_accepted(void)
{
    struct moult_bytes message = example("batch");
    struct moult_cbor_list list;
    uint8_t longer[256] = {0};
    memcpy(longer, message.data, message.size);
    struct moult_bytes more = {longer, message.size + 1};
    check_equal(moult_report_batch_read(more, &list, NULL), MOULT_E_FORMAT);
    while (message.size-- > 0) {
        check_equal(moult_report_batch_read(message, &list, NULL), MOULT_E_FORMAT);
    }
}

static void test_random_reports_are_reproduced_byte_for_byte(void)
{
    struct chance chance = chance_start("report", 0x5eed);
    for (int round = 0; round < 1000; round++) {
        uint8_t digest[32], bytes[MOULT_REPORT_SIZE_MAX], again[MOULT_REPORT_SIZE_MAX];
        char text[MOULT_REPORT_TEXT_MAX];
        chance_fill(&chance, digest, sizeof digest);
        for (size_t i = 0; i < sizeof text; i++) {
            text[i] = (char)(32 + chance_below(&chance, 95));
        }
        struct moult_report report = largest(digest, text), read;
        report.present = (uint32_t)chance_next(&chance) & 0x1ffe0;
        report.boot_id = chance_next(&chance) >> chance_below(&chance, 64);
        report.offset = (uint32_t)chance_next(&chance) >> chance_below(&chance, 32);
        report.reason = (uint16_t)chance_next(&chance);
        report.text.size = 1 + chance_below(&chance, MOULT_REPORT_TEXT_MAX);
        struct moult_cbor_writer writer, second;
        moult_cbor_writer_init(&writer, bytes, sizeof bytes);
        moult_report_write(&writer, &report);
        check_equal(moult_report_read(moult_cbor_written(&writer), &read, NULL), MOULT_OK);
        check_equal(read.present & 0x1ffe0, report.present);
        moult_cbor_writer_init(&second, again, sizeof again);
        moult_report_write(&second, &read);
        check_equal(second.size, writer.size);
        check_bytes(again, bytes, writer.size);
    }
}

int main(void)
{
    check_run(test_the_example_of_the_page_is_a_failed_transfer);
    check_run(test_the_examples_of_the_answer);
    check_run(test_the_largest_report_has_the_stated_size_and_eight_fit_a_message);
    check_run(test_a_report_of_the_outbox_is_read_alone);
    check_run(test_what_is_no_batch_is_refused);
    check_run(test_nine_reports_are_too_many);
    check_run(test_messages_over_the_limit_are_refused_by_size);
    check_run(test_no_truncation_and_no_trailing_byte_is_accepted);
    check_run(test_random_reports_are_reproduced_byte_for_byte);
    return check_report();
}
