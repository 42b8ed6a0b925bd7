/* message_checkin_test.c - the question and the answer of a check-in. */
#include "formats/message_checkin.h"
#include <string.h>
#include "formats/codes.h"
#include "tests/support/cbor_edit.h"
#include "tests/support/check.h"
#include "tests/support/spec.h"

static struct statements_bytes example(const char *name)
{
    struct statements_bytes bytes;
    bytes.size = spec_example("checkin.md", name, bytes.data, sizeof bytes.data);
    return bytes;
}

static struct moult_bytes text(const char *string)
{
    return (struct moult_bytes){(const uint8_t *)string, strlen(string)};
}

static bool is_text(struct moult_bytes bytes, const char *string)
{
    return bytes.size == strlen(string) && memcmp(bytes.data, string, bytes.size) == 0;
}

static bool is_reproduced(const struct moult_checkin *checkin,
                          const struct statements_bytes *want)
{
    uint8_t bytes[MOULT_REQUEST_SIZE_MAX];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_checkin_write(&writer, checkin);
    return writer.status == MOULT_OK && writer.size == want->size &&
           memcmp(bytes, want->data, want->size) == 0;
}

static bool is_reply_reproduced(const struct moult_checkin_reply *reply,
                                const struct statements_bytes *want)
{
    uint8_t bytes[MOULT_REPLY_SIZE_MAX];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_checkin_reply_write(&writer, reply);
    return writer.status == MOULT_OK && writer.size == want->size &&
           memcmp(bytes, want->data, want->size) == 0;
}

static void test_the_ordinary_check_in_of_the_page(void)
{
    struct statements_bytes message = example("checkin");
    check_equal(message.size, 90);
    struct moult_checkin checkin;
    check_equal(moult_checkin_read(statements_view(&message), &checkin, NULL), MOULT_OK);
    check_equal(checkin.present, 0x1fe);
    check_equal(checkin.nonce[0], 0xa0);
    check_equal(checkin.device_id[15], 0xdf);
    check_equal(checkin.running_digest[0], 0xa7);
    check_equal(checkin.running_sequence, 6);
    check_equal(checkin.running_state, MOULT_RUNNING_CONFIRMED);
    check_equal(checkin.keyset_version, 1);
    check_equal(checkin.counter, 1767225600123);
    check_equal(checkin.reports.count, 0);
    check_equal(checkin.facts.present, 0);
    check(is_reproduced(&checkin, &message));
}

static void test_the_check_in_with_facts_of_the_page(void)
{
    struct statements_bytes message = example("checkin-full");
    check_equal(message.size, 274);
    struct moult_checkin checkin;
    check_equal(moult_checkin_read(statements_view(&message), &checkin, NULL), MOULT_OK);
    const struct moult_facts *facts = &checkin.facts;
    check_equal(checkin.endpoints_version, 2);
    check_equal(facts->present, 0x3fffe);
    check_equal(facts->chip_id, 5);
    check_equal(facts->revision, 4);
    check_equal(facts->flash_size, 4194304);
    check_equal(facts->slot_size, 1966080);
    check(facts->other_digest && facts->table_digest);
    check(is_text(facts->version, "1.0.0"));
    check(is_text(facts->serial, "EM-000123"));
    check_equal(facts->encoding_count, 1);
    check_equal(facts->encodings[0], 0);
    struct moult_cbor_list rest = facts->attributes;
    struct moult_bytes name, value;
    check_equal(rest.count, 2);
    check(moult_attribute_next(&rest, &name, &value));
    check(is_text(name, "room") && is_text(value, "cellar"));
    check(moult_attribute_next(&rest, &name, &value));
    check(is_text(name, "grid") && is_text(value, "50"));
    check(!moult_attribute_next(&rest, &name, &value));
    struct moult_report report;
    rest = checkin.reports;
    check(moult_report_next(&rest, &report));
    check_equal(report.kind, MOULT_REPORT_DOWNLOADING);
    check(!moult_report_next(&rest, &report));
    check(is_reproduced(&checkin, &message));
}

static void test_attributes_are_written_one_by_one(void)
{
    uint8_t bytes[64];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_attribute_write(&writer, text("room"), text("cellar"));
    moult_attribute_write(&writer, text("grid"), text("50"));
    struct statements_bytes message = example("checkin-full");
    struct moult_checkin checkin;
    check_equal(moult_checkin_read(statements_view(&message), &checkin, NULL), MOULT_OK);
    check_equal(checkin.facts.attributes.encoded.size, writer.size);
    check_bytes(bytes, checkin.facts.attributes.encoded.data, writer.size);
}

static void test_the_replies_of_the_page(void)
{
    struct moult_checkin_reply reply;
    struct statements_bytes message = example("reply-wait");
    check_equal(moult_checkin_reply_read(statements_view(&message), &reply, NULL),
                MOULT_OK);
    check_equal(reply.next_s, 900);
    check_equal(reply.assignment.size, 0);
    check(is_reply_reproduced(&reply, &message));

    message = example("reply");
    check_equal(moult_checkin_reply_read(statements_view(&message), &reply, NULL),
                MOULT_OK);
    check_equal(reply.next_s, 3600);
    check_equal(reply.assignment.size, 5);
    check_equal(reply.keyset_version, 2);
    check_equal(reply.endpoints_version, 0);
    check_equal(reply.server_time_ms, 1767225601000);
    check_equal(reply.send_facts, 1);
    check_equal(reply.gone.count, 1);
    check(is_reply_reproduced(&reply, &message));
}

static void test_what_is_no_check_in_is_refused(void)
{
    static const struct {
        const char *path, *hex;
        enum moult_status status;
    } rows[] = {
        {"1", "02", MOULT_E_UNSUPPORTED},
        {"1", "40", MOULT_E_UNSUPPORTED},
        {"12", "00", MOULT_E_UNSUPPORTED},
        {"10.18", "00", MOULT_E_UNSUPPORTED},
        {"11.0.17", "00", MOULT_E_UNSUPPORTED},
        {"63", "00", MOULT_E_UNSUPPORTED},
        {"1", NULL, MOULT_E_FORMAT},
        {"2", NULL, MOULT_E_FORMAT},
        {"3", NULL, MOULT_E_FORMAT},
        {"4", NULL, MOULT_E_FORMAT},
        {"5", NULL, MOULT_E_FORMAT},
        {"6", NULL, MOULT_E_FORMAT},
        {"7", NULL, MOULT_E_FORMAT},
        {"8", NULL, MOULT_E_FORMAT},
        {"2", "4f 000102030405060708090a0b0c0d0e", MOULT_E_FORMAT},
        {"3", "40", MOULT_E_FORMAT},
        {"4", "50 000102030405060708090a0b0c0d0e0f", MOULT_E_FORMAT},
        {"6", "03", MOULT_E_FORMAT},
        {"7", "1b 0000000100000000", MOULT_E_FORMAT},
        {"8", "60", MOULT_E_FORMAT},
        {"9", "1b 0000000100000000", MOULT_E_FORMAT},
        {"10", "80", MOULT_E_FORMAT},
        {"10.1", "1a 00010000", MOULT_E_FORMAT},
        {"10.5", "19 0100", MOULT_E_FORMAT},
        {"10.6", "40", MOULT_E_FORMAT},
        {"10.8", "60", MOULT_E_FORMAT},
        {"10.8", "78 20 4141414141414141414141414141414141414141414141414141414141414141",
         MOULT_E_FORMAT},
        {"10.12", "80", MOULT_E_FORMAT},
        {"10.12", "89 00 00 00 00 00 00 00 00 00", MOULT_E_FORMAT},
        {"10.12", "81 19 0100", MOULT_E_FORMAT},
        {"10.16", "60", MOULT_E_FORMAT},
        {"10.17.0", "81 61 41", MOULT_E_FORMAT},
        {"10.17.0.0", "60", MOULT_E_FORMAT},
        {"10.17.1.1", "00", MOULT_E_FORMAT},
        {"11", "80", MOULT_E_FORMAT},
        {"11.0", "a0", MOULT_E_FORMAT},
        {"11.0.4", NULL, MOULT_E_FORMAT},
        {"10", "a0", MOULT_OK},
        {"10", NULL, MOULT_OK},
        {"11", NULL, MOULT_OK},
        {"10.17", "80", MOULT_OK},
        {"10.64", "a1 01 f4", MOULT_OK},
        {"64", "f6", MOULT_OK},
        {"6", "02", MOULT_OK},
        {"10.17.1.1", "60", MOULT_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statements_bytes message = example("checkin-full");
        cbor_edit(&message, rows[i].path, rows[i].hex);
        struct moult_checkin checkin;
        struct moult_finding finding = {.detail = 9999};
        check_row(rows[i].path);
        check_equal(moult_checkin_read(statements_view(&message), &checkin, &finding),
                    rows[i].status);
        check_equal(finding.detail, rows[i].status == MOULT_OK ? 0 : MOULT_D_CBOR_PROFILE);
        if (rows[i].status == MOULT_OK) { check(is_reproduced(&checkin, &message)); }
    }
    check_row(NULL);
}

static void test_what_is_no_reply_is_refused(void)
{
    static const struct {
        const char *path, *hex;
        enum moult_status status;
    } rows[] = {
        {"1", "02", MOULT_E_UNSUPPORTED},
        {"9", "00", MOULT_E_UNSUPPORTED},
        {"1", NULL, MOULT_E_FORMAT},
        {"2", NULL, MOULT_E_FORMAT},
        {"2", "1b 0000000100000000", MOULT_E_FORMAT},
        {"3", "40", MOULT_E_FORMAT},
        {"3", "00", MOULT_E_FORMAT},
        {"4", "40", MOULT_E_FORMAT},
        {"7", "00", MOULT_E_FORMAT},
        {"7", "02", MOULT_E_FORMAT},
        {"8", "80", MOULT_E_FORMAT},
        {"8", "81 40", MOULT_E_FORMAT},
        {"3", NULL, MOULT_OK},
        {"64", "f5", MOULT_OK},
        {"5", "07", MOULT_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statements_bytes message = example("reply");
        cbor_edit(&message, rows[i].path, rows[i].hex);
        struct moult_checkin_reply reply;
        check_row(rows[i].path);
        check_equal(moult_checkin_reply_read(statements_view(&message), &reply, NULL),
                    rows[i].status);
        if (rows[i].status == MOULT_OK) { check(is_reply_reproduced(&reply, &message)); }
    }
    check_row(NULL);
}

static void test_an_assignment_of_the_largest_size_fits_a_reply(void)
{
    uint8_t envelope[MOULT_STATEMENT_SIZE_MAX], id[16], bytes[MOULT_REPLY_SIZE_MAX];
    memset(envelope, 0x11, sizeof envelope);
    memset(id, 0x22, sizeof id);
    struct moult_checkin_reply reply = {
        .present = 0x1f8,
        .next_s = UINT32_MAX,
        .assignment = {envelope, sizeof envelope},
        .keyset_version = UINT32_MAX,
        .endpoints_version = UINT32_MAX,
        .server_time_ms = UINT64_MAX,
        .send_facts = 1,
        .gone.count = MOULT_REPORTS_MAX,
    };
    for (unsigned i = 0; i < MOULT_REPORTS_MAX; i++) {
        reply.gone.deployment_id[i] = id;
    }
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_checkin_reply_write(&writer, &reply);
    check_equal(writer.status, MOULT_OK);
    check_equal(moult_checkin_reply_read(moult_cbor_written(&writer), &reply, NULL),
                MOULT_OK);
    check_equal(reply.assignment.size, sizeof envelope);
}

static void test_messages_over_the_limit_are_refused_by_size(void)
{
    static uint8_t large[MOULT_REQUEST_SIZE_MAX + 1];
    struct moult_checkin checkin;
    struct moult_checkin_reply reply;
    check_equal(
        moult_checkin_read((struct moult_bytes){large, sizeof large}, &checkin, NULL),
        MOULT_E_RANGE);
    check_equal(moult_checkin_reply_read(
                    (struct moult_bytes){large, MOULT_REPLY_SIZE_MAX + 1}, &reply, NULL),
                MOULT_E_RANGE);
}

static void test_no_truncation_is_accepted(void)
{
    struct statements_bytes message = example("checkin-full");
    struct moult_checkin checkin;
    while (message.size-- > 0) {
        check_equal(moult_checkin_read(statements_view(&message), &checkin, NULL),
                    MOULT_E_FORMAT);
    }
    struct moult_checkin_reply reply;
    message = example("reply");
    while (message.size-- > 0) {
        check_equal(moult_checkin_reply_read(statements_view(&message), &reply, NULL),
                    MOULT_E_FORMAT);
    }
}

/* Unsigned messages: a flipped bit may give another good message, which then has its own
 * bytes. */
static void test_an_accepted_bit_flip_is_another_message(void)
{
    struct statements_bytes message = example("checkin-full");
    unsigned accepted = 0;
    for (size_t bit = 0; bit < message.size * 8; bit++) {
        struct statements_bytes flipped = message;
        flipped.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct moult_checkin checkin;
        if (moult_checkin_read(statements_view(&flipped), &checkin, NULL) != MOULT_OK) {
            continue;
        }
        accepted++;
        check(is_reproduced(&checkin, &flipped));
    }
    check(accepted > 500);
}

int main(void)
{
    check_run(test_the_ordinary_check_in_of_the_page);
    check_run(test_the_check_in_with_facts_of_the_page);
    check_run(test_attributes_are_written_one_by_one);
    check_run(test_the_replies_of_the_page);
    check_run(test_what_is_no_check_in_is_refused);
    check_run(test_what_is_no_reply_is_refused);
    check_run(test_an_assignment_of_the_largest_size_fits_a_reply);
    check_run(test_messages_over_the_limit_are_refused_by_size);
    check_run(test_no_truncation_is_accepted);
    check_run(test_an_accepted_bit_flip_is_another_message);
    return check_report();
}
