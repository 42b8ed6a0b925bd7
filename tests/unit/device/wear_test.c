/* wear_test.c - how often an update writes: every record and every sector, counted and
 * compared with the numbers of docs/design/journal.md and device-session.md.
 *
 * The numbers are exact where nothing goes wrong and bounds where something does; each
 * result is told exactly once in every story.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_server.h"
#include "tests/support/update_world.h"

enum { SECTOR = MOULT_SECTOR_SIZE, SECTORS = SIM_FLASH_SIZE / SECTOR };
enum { SLOT_0 = SIM_SLOT_0_AT / SECTOR, SLOT_1 = SIM_SLOT_1_AT / SECTOR };
enum { OTADATA = SIM_OTADATA_AT / SECTOR, NVS = SIM_NVS_AT / SECTOR, NVS_SECTORS = 3 };

static struct world w, fresh;
static uint16_t erases[SECTORS];

/* --- writes by record: "plan.0" and "plan.1" are one, "report.3" is "report" --- */

static struct {
    const char *name;
    unsigned writes;
} records[] = {{"plan", 0},     {"mark", 0},       {"floor", 0},   {"orders", 0},
               {"blocks", 0},   {"keyset", 0},     {"parts", 0},   {"route", 0},
               {"deferral", 0}, {"assignment", 0}, {"release", 0}, {"endpoints", 0},
               {"report", 0}};
enum { RECORDS = sizeof records / sizeof records[0] };

static unsigned *record_of(const char *key)
{
    for (unsigned i = 0; i < RECORDS; i++) {
        size_t size = strlen(records[i].name);
        if (strncmp(records[i].name, key, size) == 0 && (!key[size] || key[size] == '.')) {
            return &records[i].writes;
        }
    }
    fprintf(stderr, "wear_test.c: a record that journal.md does not list: %s\n", key);
    abort();
}

static int32_t (*set)(void *, const char *, const uint8_t *, size_t);

static int32_t kv_set(void *context, const char *key, const uint8_t *data, size_t size)
{
    (*record_of(key))++;
    return set(context, key, data, size);
}

static void rewire(struct world *world)
{
    set = world->port.kv_set;
    world->port.kv_set = kv_set;
}

static void begin(void)
{
    world_copy(&w, &fresh);
    for (unsigned i = 0; i < RECORDS; i++) {
        records[i].writes = 0;
    }
    memset(erases, 0, sizeof erases);
    w.device.chip.flash.erase_count = erases;
    w.rewire = rewire;
}

static unsigned sectors_of_image(void)
{
    return (w.new.size + SECTOR - 1) / SECTOR;
}

static unsigned otadata_erases(void)
{
    return erases[OTADATA] + erases[OTADATA + 1u];
}

static unsigned nvs_erases(void)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < NVS_SECTORS; i++) {
        sum += erases[NVS + i];
    }
    return sum;
}

/* No result twice, none of them lost. */
static bool is_told_once(enum moult_report_kind kind)
{
    const struct world_report *report = world_report_of(&w, kind);
    return world_count(&w, kind) == 1 && report->copies == 1;
}

/* --- the stories --- */

static void test_an_update_writes_what_the_page_says(void)
{
    begin();
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    unsigned sectors = sectors_of_image();
    check_equal(*record_of("mark"), sectors + 1);
    check_equal(*record_of("plan"), 8);
    check_equal(*record_of("release"), 1);
    check_equal(*record_of("assignment"), 1);
    check_equal(*record_of("report"), 6);
    check(*record_of("orders") <= w.checkins);
    check(*record_of("floor") <= 2);
    static const char *const silent[] = {"blocks",   "keyset",    "parts",
                                         "deferral", "endpoints", "route"};
    for (unsigned i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        check_row(silent[i]);
        check_equal(*record_of(silent[i]), 0);
    }
    check_row(NULL);
    for (unsigned i = SLOT_0; i < SECTORS; i++) {
        unsigned expected = i < SLOT_1                 ? 0
                            : i == SLOT_1              ? 2
                            : i < SLOT_1 + sectors + 2 ? 1
                                                       : 0;
        check_equal(erases[i], expected);
    }
    check_equal(otadata_erases(), 3);
    check(nvs_erases() <= 3);
    check(is_told_once(MOULT_REPORT_CONFIRMED));
}

static void test_a_failed_trial_writes_a_little_more(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_FAILED;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    check(world_runs(&w, &w.old));
    check(*record_of("plan") <= 8);
    check_equal(*record_of("blocks"), 1);
    check_equal(*record_of("mark"), sectors_of_image() + 1);
    check_equal(erases[SLOT_1], 3); /* destroyed again at the end */
    check(otadata_erases() <= 3);
    check(is_told_once(MOULT_REPORT_ROLLED_BACK));
}

/* Three lost trials: each activation is five plan records and three erases of otadata. */
static void test_power_cuts_on_trial_cost_no_download(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_WAIT;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    for (unsigned i = 0; i < 3; i++) {
        while (!moult_on_trial(&w.session)) {
            check(world_step(&w));
        }
        check(world_boot(&w, MOULT_RESET_POWER_ON));
    }
    check(world_settle(&w));
    check(world_runs(&w, &w.old));
    check_equal(w.artifact_bytes, w.new.size);
    check_equal(*record_of("mark"), sectors_of_image() + 1);
    check(*record_of("plan") <= 8 + 3 * 5);
    check(otadata_erases() <= 3 * 3);
    check(erases[SLOT_1 + 1] == 1 && erases[SLOT_1] <= 3);
    check(is_told_once(MOULT_REPORT_ROLLED_BACK));
}

static void test_resets_during_a_transfer_cost_one_plan_record_each(void)
{
    enum { RESETS = 7 };
    begin();
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    unsigned plans = *record_of("plan"), marks = *record_of("mark");
    for (unsigned i = 0; i < RESETS; i++) {
        check(world_until(&w, "RECEIVE"));
        check(world_boot(&w, MOULT_RESET_POWER_ON));
    }
    check_equal(erases[SLOT_1], 2); /* what is written stays */
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(*record_of("plan") <= plans + RESETS + 8);
    check_equal(*record_of("mark"), marks + sectors_of_image() - 1);
    check_equal(erases[SLOT_1 + 1], 1);
    check(is_told_once(MOULT_REPORT_CONFIRMED));
}

static void test_an_idle_device_writes_one_small_record_per_checkin(void)
{
    enum { CHECKINS = 2000 };
    begin();
    w.action = MOULT_ACTION_NONE;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    while (w.checkins < CHECKINS) {
        check(world_step(&w));
    }
    check(*record_of("orders") <= CHECKINS);
    unsigned others = 0;
    for (unsigned i = 0; i < RECORDS; i++) {
        others += strcmp(records[i].name, "orders") != 0 ? records[i].writes : 0;
    }
    check(others <= 2); /* the week in which keysets are looked for begins */
    /* A few entries of 32 B each, 126 in a page: a page lasts 20 check-ins at least. */
    check(nvs_erases() <= CHECKINS / 20);
    for (unsigned i = SLOT_0; i < SECTORS; i++) {
        check_equal(erases[i], 0);
    }
    check_equal(otadata_erases(), 0);
}

static void test_what_is_deferred_for_days_writes_no_more_than_idling(void)
{
    begin();
    w.policy_keys = 1u << MOULT_POLICY_BATTERY;
    w.policy.battery_percent = 50;
    w.battery_percent = 10;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    while (w.checkins < 2000) {
        check(world_step(&w));
    }
    check(*record_of("orders") <= 2000);
    check_equal(*record_of("report"), 1);
    check_equal(*record_of("plan") + *record_of("release") + *record_of("assignment"), 0);
    check(is_told_once(MOULT_REPORT_DEFERRED));
}

static void test_a_release_that_is_refused_for_days_erases_nothing(void)
{
    begin();
    w.keeps_offering = true;
    w.release.components[0].chip_id = 9;
    world_sign_release(&w, 0);
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    while (w.checkins < 1000) {
        check(world_step(&w));
    }
    check_equal(*record_of("report"), 1);
    check_equal(*record_of("plan") + *record_of("release"), 0);
    for (unsigned i = SLOT_0; i < SECTORS; i++) {
        check_equal(erases[i], 0);
    }
    check(is_told_once(MOULT_REPORT_FAILED));
}

int main(void)
{
    world_make(&fresh);
    check_run(test_an_update_writes_what_the_page_says);
    check_run(test_a_failed_trial_writes_a_little_more);
    check_run(test_power_cuts_on_trial_cost_no_download);
    check_run(test_resets_during_a_transfer_cost_one_plan_record_each);
    check_run(test_an_idle_device_writes_one_small_record_per_checkin);
    check_run(test_what_is_deferred_for_days_writes_no_more_than_idling);
    check_run(test_a_release_that_is_refused_for_days_erases_nothing);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
