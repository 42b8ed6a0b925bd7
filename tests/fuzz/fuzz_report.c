/* fuzz_report.c - one report, a batch of them, and the answer. */
#include "formats/message_report.h"
#include "tests/fuzz/oracle.h"

static void one(struct moult_bytes message)
{
    uint8_t again[MOULT_REQUEST_SIZE_MAX];
    struct moult_report report;
    struct moult_cbor_writer writer;
    if (moult_report_read(message, &report, NULL) != MOULT_OK) { return; }
    moult_cbor_writer_init(&writer, again, sizeof again);
    moult_report_write(&writer, &report);
    promise_same(&writer, message);
}

static void batch(struct moult_bytes message)
{
    struct moult_cbor_list list;
    struct moult_report report;
    if (moult_report_batch_read(message, &list, NULL) != MOULT_OK) { return; }
    promise(list.count >= 1 && list.count <= MOULT_REPORTS_MAX, "1..8 reports");
    unsigned count = 0;
    for (struct moult_cbor_list rest = list; moult_report_next(&rest, &report);) {
        count++;
    }
    promise(count == list.count, "every report can be read");
    promise(list.encoded.data >= message.data &&
                list.encoded.data + list.encoded.size <= message.data + message.size,
            "reports lie in the message");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moult_bytes message = {data, size};
    struct moult_gone gone;
    one(message);
    batch(message);
    if (moult_report_reply_read(message, &gone, NULL) == MOULT_OK) {
        promise(gone.count <= MOULT_REPORTS_MAX, "at most 8 deployments");
    }
    return 0;
}
