/* outbox_test.c - device/src/outbox.c: what waits, what gives way, what is sent again. */
#include "device/src/outbox.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

/* A session that has booted and talks to nobody. */
static bool begin(void)
{
    world_copy(&w, &fresh);
    w.is_down = true;
    return world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "IDLE");
}

static bool add(uint8_t kind, const char *deployment)
{
    struct moult_trouble trouble = {MOULT_D_HTTP, MOULT_R_HTTP_STATUS, 503};
    struct moult_news news = {.kind = (enum moult_report_kind)kind,
                              .deployment = (const uint8_t *)deployment,
                              .trouble = kind == MOULT_REPORT_EVENT ? &trouble : NULL};
    return moult_outbox_add(&w.session, &news);
}

/* The kinds that would be sent, in order, as one digit or letter each. */
static const char *waiting(void)
{
    static char text[MOULT_OUTBOX_ENTRIES + 1];
    static uint8_t out[4096];
    struct moult_cbor_writer writer;
    struct moult_report report;
    moult_cbor_writer_init(&writer, out, sizeof out);
    struct moult_cbor_list list = {.count = moult_outbox_write(&w.session, &writer)};
    list.encoded = moult_cbor_written(&writer);
    memset(text, 0, sizeof text);
    for (unsigned i = 0; moult_report_next(&list, &report); i++) {
        text[i] = "0123456789ab"[report.kind];
    }
    return text;
}

#define ONE "deployment-00001"
#define TWO "deployment-00002"

static void test_reports_wait_in_order_through_a_reset(void)
{
    check(begin());
    check(add(MOULT_REPORT_WRITTEN, ONE));
    check(add(MOULT_REPORT_VERIFIED, ONE));
    check(add(MOULT_REPORT_EVENT, NULL));
    check(strcmp(waiting(), "230") == 0);
    check(world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "IDLE"));
    check(add(MOULT_REPORT_CONFIRMED, ONE));
    check(strcmp(waiting(), "2306") == 0);
    check_equal(moult_outbox_count(&w.session), 4);
}

static void test_a_milestone_is_told_once_while_it_waits(void)
{
    check(begin());
    check(add(MOULT_REPORT_CONFIRMED, ONE));
    check(add(MOULT_REPORT_CONFIRMED, ONE));
    check(add(MOULT_REPORT_CONFIRMED, TWO));
    check(strcmp(waiting(), "66") == 0);
    check(world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "IDLE"));
    check(add(MOULT_REPORT_CONFIRMED, ONE)); /* as a recovery would */
    check(strcmp(waiting(), "66") == 0);
}

static void test_progress_replaces_progress(void)
{
    check(begin());
    check(add(MOULT_REPORT_DOWNLOADING, ONE));
    check(add(MOULT_REPORT_EVENT, NULL));
    check(add(MOULT_REPORT_DOWNLOADING, ONE));
    check(strcmp(waiting(), "01") == 0);
    check(add(MOULT_REPORT_DOWNLOADING, TWO));
    check(strcmp(waiting(), "011") == 0);
}

static void test_when_full_results_stay_and_the_rest_gives_way(void)
{
    static const char *const deployments[] = {ONE, TWO, "deployment-00003",
                                              "deployment-00004", "deployment-00005"};
    check(begin());
    for (unsigned i = 0; i < MOULT_OUTBOX_ENTRIES; i++) {
        check(add(i < 4 ? MOULT_REPORT_EVENT : MOULT_REPORT_DEFERRED, ONE));
    }
    check(strcmp(waiting(), "00009999") == 0);
    for (unsigned i = 0; i < 5; i++) {
        check(add(MOULT_REPORT_CONFIRMED, deployments[i]));
    }
    check(strcmp(waiting(), "99966666") == 0);
    for (unsigned i = 0; i < 4; i++) {
        check(add(MOULT_REPORT_FAILED, deployments[i]));
    }
    check(strcmp(waiting(), "66668888") ==
          0);                             /* the oldest result gave way to the newest */
    check(!add(MOULT_REPORT_EVENT, ONE)); /* no result is lost for an event */
    check(strcmp(waiting(), "66668888") == 0);
}

static void test_only_what_was_sent_is_dropped(void)
{
    static uint8_t out[4096];
    struct moult_cbor_writer writer;
    check(begin());
    check(add(MOULT_REPORT_DOWNLOADING, ONE));
    check(add(MOULT_REPORT_WRITTEN, ONE));
    moult_cbor_writer_init(&writer, out, sizeof out);
    check_equal(moult_outbox_write(&w.session, &writer), 2);
    check(add(MOULT_REPORT_VERIFIED, ONE));    /* while the message is under way */
    check(add(MOULT_REPORT_DOWNLOADING, ONE)); /* replaces one that is under way */
    moult_outbox_delivered(&w.session);
    check(strcmp(waiting(), "31") == 0);
    check(world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "IDLE"));
    check(strcmp(waiting(), "31") == 0);
}

static void test_what_does_not_fit_waits(void)
{
    static uint8_t out[120];
    struct moult_cbor_writer writer;
    check(begin());
    for (unsigned i = 0; i < 4; i++) {
        check(add(MOULT_REPORT_EVENT, ONE));
    }
    moult_cbor_writer_init(&writer, out, sizeof out);
    uint8_t count = moult_outbox_write(&w.session, &writer);
    check(count >= 1 && count < 4);
    moult_outbox_delivered(&w.session);
    check_equal(moult_outbox_count(&w.session), 4 - count);
}

static void test_a_damaged_entry_is_left_out(void)
{
    static const uint8_t garbage[50] = {1, 32, 3};
    check(begin());
    check(add(MOULT_REPORT_WRITTEN, ONE));
    check(add(MOULT_REPORT_VERIFIED, ONE));
    check_equal(w.sim.kv_set(w.port.context, "report.0", garbage, sizeof garbage), 0);
    check(strcmp(waiting(), "3") == 0);
    check(world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "IDLE"));
    check_equal(moult_outbox_count(&w.session), 1);
}

static void test_a_store_that_refuses_loses_the_report_and_says_so(void)
{
    check(begin());
    w.kv_fails = "report";
    check(!add(MOULT_REPORT_CONFIRMED, ONE));
    check_equal(moult_outbox_count(&w.session), 0);
    w.kv_fails = NULL;
    check(add(MOULT_REPORT_CONFIRMED, ONE));
}

static void test_the_largest_report_fits(void)
{
    char text[MOULT_REPORT_TEXT_MAX + 1];
    memset(text, 'x', MOULT_REPORT_TEXT_MAX);
    text[MOULT_REPORT_TEXT_MAX] = '\0';
    struct moult_trouble trouble = {65535, 65535, -1};
    check(begin());
    w.battery_percent = 100;
    w.signal_dbm = 127;
    w.session.boot_id = UINT64_MAX;
    struct moult_news news = {.kind = MOULT_REPORT_ROLLED_BACK,
                              .deployment = (const uint8_t *)ONE,
                              .trouble = &trouble,
                              .offset = UINT32_MAX,
                              .with_reset = true,
                              .text = text};
    check(moult_outbox_add(&w.session, &news));
    check(strcmp(waiting(), "7") == 0);
}

int main(void)
{
    world_make(&fresh);
    check_run(test_reports_wait_in_order_through_a_reset);
    check_run(test_a_milestone_is_told_once_while_it_waits);
    check_run(test_progress_replaces_progress);
    check_run(test_when_full_results_stay_and_the_rest_gives_way);
    check_run(test_only_what_was_sent_is_dropped);
    check_run(test_what_does_not_fit_waits);
    check_run(test_a_damaged_entry_is_left_out);
    check_run(test_a_store_that_refuses_loses_the_report_and_says_so);
    check_run(test_the_largest_report_fits);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
