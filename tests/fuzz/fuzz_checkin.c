/* fuzz_checkin.c - a check-in and its reply. */
#include "formats/message_checkin.h"
#include "tests/fuzz/oracle.h"

static void read_lists(const struct moult_checkin *checkin)
{
    struct moult_cbor_list rest = checkin->reports;
    struct moult_report report;
    struct moult_bytes name, value;
    unsigned count = 0;
    while (moult_report_next(&rest, &report)) {
        count++;
    }
    promise(count == checkin->reports.count, "every report can be read");
    rest = checkin->facts.attributes;
    count = 0;
    while (moult_attribute_next(&rest, &name, &value)) {
        count++;
    }
    promise(count == checkin->facts.attributes.count, "every attribute can be read");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[MOULT_REQUEST_SIZE_MAX];
    struct moult_bytes message = {data, size};
    struct moult_checkin checkin;
    struct moult_checkin_reply reply;
    struct moult_cbor_writer writer;
    struct moult_finding finding;
    if (moult_checkin_read(message, &checkin, &finding) == MOULT_OK) {
        promise(size <= MOULT_REQUEST_SIZE_MAX && finding.detail == 0, "limits");
        moult_cbor_writer_init(&writer, again, sizeof again);
        moult_checkin_write(&writer, &checkin);
        promise_same(&writer, message);
        read_lists(&checkin);
    }
    if (moult_checkin_reply_read(message, &reply, &finding) == MOULT_OK) {
        promise(size <= MOULT_REPLY_SIZE_MAX && finding.detail == 0, "limits");
        moult_cbor_writer_init(&writer, again, sizeof again);
        moult_checkin_reply_write(&writer, &reply);
        promise_same(&writer, message);
    }
    return 0;
}
