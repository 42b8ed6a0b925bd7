/* component_test.c - device/src/component*.c: filesystem images and another MCU, updated
 * with the application. */
#include <string.h>
#include "device/src/journal.h"
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/component_world.h"

enum { WWW = 1 << CW_WWW, ASSETS = 1 << CW_ASSETS, MOTOR = 1 << CW_MOTOR, ALL = 7 };

static struct component_world cw, fresh;
static struct world *const w = &cw.w;

static void begin(void)
{
    component_world_copy(&cw, &fresh);
}

static bool runs_through(void)
{
    return component_world_boot(&cw, MOULT_RESET_POWER_ON) && component_world_settle(&cw);
}

static bool has(unsigned www, unsigned assets, unsigned motor)
{
    int slot = w->device.port.boot.booted;
    return component_world_version(&cw, CW_WWW, 0) == www &&
           component_world_version(&cw, CW_ASSETS, (unsigned)slot) == assets &&
           component_world_version(&cw, CW_MOTOR, 0) == motor;
}

static bool was_told(const char *text)
{
    for (unsigned i = 0; i < w->report_count; i++) {
        if (strcmp(w->reports[i].text, text) == 0) { return true; }
    }
    return false;
}

static void test_application_filesystem_bank_and_peripheral_arrive_together(void)
{
    begin();
    check(runs_through());
    check(world_runs(w, &w->new));
    check(has(2, 2, 2));
    check_equal(cw.broken, 0);
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 1);
    check_equal(world_count(w, MOULT_REPORT_FAILED), 0);
    check(was_told("component 1 applied"));
    check(was_told("component 3 applied"));
    check(was_told("component 16 applied"));
    struct moult_component_info info;
    moult_component_look(&cw.components[CW_WWW], &info);
    check_equal(info.state, MOULT_COMPONENT_READY);
    check_equal(info.sequence, 2);
    check_equal(info.size, cw.files[CW_WWW][2].size);
}

/* --- refusals: nothing is fetched, nothing is touched --- */

static struct moult_component *component(unsigned i)
{
    return &w->release.components[i + 1];
}

static void unknown_id(void)
{
    component(CW_MOTOR)->id = 17;
}

static void not_raw(void)
{
    component(CW_WWW)->format = MOULT_FORMAT_ESP_APP;
    component(CW_WWW)->chip_id = w->config.chip_id;
}

static void other_chip(void)
{
    component(CW_WWW)->chip_id = 9;
}

static void newer_revision(void)
{
    component(CW_WWW)->revision_min = 100;
}

static void too_large_for_its_place(void)
{
    component(CW_WWW)->size = cw.regions[0].size + 1;
}

static void too_large_for_its_staging_area(void)
{
    component(CW_MOTOR)->size = SIM_SLOT_SIZE - cw.components[CW_MOTOR].slot_offset + 1;
}

static void application_in_the_way(void)
{
    cw.components[CW_MOTOR].slot_offset = 0x4000; /* 3 sectors of it, and two behind */
}

static void other_label(void)
{
    component(CW_WWW)->label.data = (const uint8_t *)"wwx";
}

static void no_label(void)
{
    component(CW_WWW)->label.size = 0;
    component(CW_WWW)->present = 0;
}

static void label_where_none_is_known(void)
{
    component(CW_MOTOR)->label = component(CW_WWW)->label;
    component(CW_MOTOR)->present = component(CW_WWW)->present;
}

static void needs_what_was_never_installed(void)
{
    component(CW_MOTOR)->present |= 1u << MOULT_COMPONENT_DEPENDENCIES;
    component(CW_MOTOR)->dependency_count = 1;
    component(CW_MOTOR)->dependencies[0] = (struct moult_dependency){1, 1};
}

static void leaves_out_a_bank(void)
{
    component_world_offer(&cw, &w->new, 2, WWW | MOTOR);
}

static void without_application(void)
{
    w->release.component_count--;
    memmove(&w->release.components[0], &w->release.components[1],
            w->release.component_count * sizeof w->release.components[0]);
}

static void test_what_does_not_fit_is_refused_before_anything_is_fetched(void)
{
    static const struct {
        const char *name;
        void (*spoil)(void);
        uint16_t detail;
        const char *text;
    } rows[] = {
        {"unknown", unknown_id, MOULT_D_COMPONENT, "component 17"},
        {"not raw", not_raw, MOULT_D_COMPONENT, "component 1"},
        {"no app", without_application, MOULT_D_COMPONENT, ""},
        {"bank left out", leaves_out_a_bank, MOULT_D_COMPONENT, "component 3"},
        {"chip", other_chip, MOULT_D_CHIP, "component 1"},
        {"revision", newer_revision, MOULT_D_CHIP_REV, "component 1"},
        {"size", too_large_for_its_place, MOULT_D_SLOT_SIZE, "component 1"},
        {"staging", too_large_for_its_staging_area, MOULT_D_SLOT_SIZE, "component 16"},
        {"slot", application_in_the_way, MOULT_D_SLOT_SIZE, "component 16"},
        {"label", other_label, MOULT_D_PARTITION, "component 1"},
        {"no label", no_label, MOULT_D_PARTITION, "component 1"},
        {"a label", label_where_none_is_known, MOULT_D_PARTITION, "component 16"},
        {"needs", needs_what_was_never_installed, MOULT_D_DEPENDENCY, ""},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        begin();
        rows[i].spoil();
        world_sign_release(w, 0);
        check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
        check(world_hears(w, rows[i].detail));
        const struct world_report *report = world_report_with(w, rows[i].detail);
        check_equal(report->kind, MOULT_REPORT_FAILED);
        check(strcmp(report->text, rows[i].text) == 0);
        check_equal(w->artifact_requests, 0);
        check(world_runs(w, &w->old) && has(1, 1, 1));
        check_equal(cw.flash.operation_count, 0);
    }
    check_row(NULL);
}

static void test_a_build_without_components_takes_the_application_only(void)
{
    begin();
    cw.set = 0;
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_hears(w, MOULT_D_COMPONENT));
    check(world_runs(w, &w->old));
    begin();
    cw.set = 0;
    component_world_offer(&cw, &w->new, 2, 0);
    check(runs_through());
    check(world_runs(w, &w->new) && has(1, 0, 1));
}

static void test_registering_checks_its_arguments(void)
{
    static const struct moult_region odd = {.size = 4095};
    begin();
    cw.set = 0;
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    struct moult_session *s = &w->session;
    struct moult_data_component c = cw.components[CW_WWW];
    check_equal(moult_component_add(s, &c), MOULT_OK);
    struct moult_data_component again = cw.components[CW_WWW];
    check_equal(moult_component_add(s, &again), MOULT_E_EXISTS);
    struct moult_data_component bad = cw.components[CW_MOTOR];
    bad.id = MOULT_COMPONENT_APP;
    check_equal(moult_component_add(s, &bad), MOULT_E_ARG);
    bad.id = MOULT_COMPONENT_BOOTLOADER;
    check_equal(moult_component_add(s, &bad), MOULT_E_ARG);
    bad.id = 16;
    bad.live = &cw.regions[0]; /* two places to live */
    check_equal(moult_component_add(s, &bad), MOULT_E_ARG);
    bad.peripheral = NULL;
    bad.live = &odd;
    check_equal(moult_component_add(s, &bad), MOULT_E_ARG);
    bad = cw.components[CW_MOTOR];
    bad.slot_offset = 100;
    check_equal(moult_component_add(s, &bad), MOULT_E_ARG);
    bad = cw.components[CW_MOTOR];
    bad.label = "seventeen letters";
    check_equal(moult_component_add(s, &bad), MOULT_E_ARG);
    static struct moult_data_component more[MOULT_COMPONENTS_MAX];
    for (unsigned i = 0; i < MOULT_COMPONENTS_MAX; i++) {
        more[i] = cw.components[CW_MOTOR];
        more[i].id = (uint8_t)(40 - i);
        check_equal(moult_component_add(s, &more[i]),
                    i < MOULT_COMPONENTS_MAX - 1 ? MOULT_OK : MOULT_E_SPACE);
    }
    struct moult_component_info info;
    moult_component_look(&c, &info);
    check_equal(info.state, MOULT_COMPONENT_UNKNOWN);
    check(world_until(w, "IDLE"));
    moult_component_look(&c, &info);
    check_equal(info.state, MOULT_COMPONENT_READY);
    check_equal(info.sequence, 0);
    memset(&w->session, 0, sizeof w->session); /* borrowed components go out of scope */
}

/* --- what is there already --- */

static void test_unchanged_components_are_not_fetched_and_a_bank_is_carried_over(void)
{
    begin();
    component_world_offer(&cw, &w->new, 1, ALL);
    check(runs_through());
    check(world_runs(w, &w->new) && has(1, 1, 1));
    check_equal(component_world_version(&cw, CW_ASSETS, 0), 1);
    check_equal(w->artifact_bytes, w->new.size);
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 1);
    check_equal(cw.asked, 0);
    check_equal(cw.motor_begun, 0);
    struct moult_component_info info;
    moult_component_look(&cw.components[CW_WWW], &info);
    check_equal(info.sequence, 2); /* it is that release's as well */
}

static void test_what_a_release_leaves_out_stays(void)
{
    begin();
    component_world_offer(&cw, &w->new, 2, ASSETS | WWW);
    check(runs_through());
    check(world_runs(w, &w->new) && has(2, 2, 1));
}

static uint64_t size_of_all(void)
{
    return w->new.size + cw.files[CW_WWW][2].size + cw.files[CW_ASSETS][2].size +
           cw.files[CW_MOTOR][2].size;
}

/* Power goes after so many sectors were written, wherever that is. */
static void test_a_transfer_goes_on_within_4_kb_of_where_it_was(void)
{
    for (unsigned sectors = 1; sectors < 10; sectors++) {
        begin();
        check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
        for (unsigned i = 0; i < sectors; i++) {
            check(world_until(w, "RECORD"));
            check(component_world_step(&cw));
        }
        check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
        check(component_world_settle(&cw));
        check(world_runs(w, &w->new) && has(2, 2, 2));
        check(w->artifact_bytes <= size_of_all() + 4096);
    }
}

/* --- several releases --- */

static void offer_next(uint64_t sequence, unsigned version)
{
    static struct world_image image;
    w->old = w->new;
    world_image(w, &image,
                &(struct world_image_options){.sequence = sequence, .version = "1.1.0"});
    w->new = image;
    component_world_offer(&cw, &w->new, version, ALL);
    world_deployment(w, (char)('0' + sequence));
    w->action = MOULT_ACTION_INSTALL;
}

static void need(unsigned i, uint8_t other, uint64_t sequence)
{
    component(i)->present |= 1u << MOULT_COMPONENT_DEPENDENCIES;
    component(i)->dependency_count = 1;
    component(i)->dependencies[0] = (struct moult_dependency){other, sequence};
    world_sign_release(w, 0);
}

static void test_a_device_that_is_behind_takes_the_release_between_first(void)
{
    begin();
    struct world_image old = w->old, second = w->new;
    offer_next(3, 3);
    w->old = old; /* runs still */
    need(CW_MOTOR, 1, 2);
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_hears(w, MOULT_D_DEPENDENCY));
    check(world_runs(w, &old) && has(1, 1, 1));

    struct world_image third = w->new;
    w->new = second;
    component_world_offer(&cw, &w->new, 2, ALL);
    world_deployment(w, '2');
    w->action = MOULT_ACTION_INSTALL;
    check(component_world_settle(&cw));
    check(world_runs(w, &second) && has(2, 2, 2));

    w->old = second;
    w->new = third;
    component_world_offer(&cw, &w->new, 3, ALL);
    need(CW_MOTOR, 1, 2);
    world_deployment(w, '4');
    w->action = MOULT_ACTION_INSTALL;
    check(component_world_settle(&cw));
    check(world_runs(w, &third) && has(3, 3, 3));
    check_equal(cw.broken, 0);
}

static void test_a_rolled_back_application_finds_its_data_and_the_next_release_arrives(void)
{
    begin();
    w->health[2] = MOULT_HEALTH_FAILED;
    check(runs_through());
    check(world_runs(w, &w->old) && has(1, 1, 1));
    check_equal(world_count(w, MOULT_REPORT_ROLLED_BACK), 1);
    struct world_image old = w->old;
    offer_next(3, 3);
    w->old = old;
    check(component_world_settle(&cw));
    check(world_runs(w, &w->new) && has(3, 3, 3));
    check_equal(cw.broken, 0);
}

/* --- the application has a say --- */

static void test_live_bytes_wait_for_the_application_and_so_does_the_result(void)
{
    begin();
    cw.may_apply = MOULT_ANSWER_LATER;
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_until(w, "APPLY"));
    for (unsigned i = 0; i < 400; i++) {
        check(component_world_step(&cw));
    }
    struct moult_component_info info;
    moult_component_look(&cw.components[CW_WWW], &info);
    check_equal(info.state, MOULT_COMPONENT_WAITING);
    check(world_runs(w, &w->new));
    check_equal(component_world_version(&cw, CW_WWW, 0), 1);
    check(cw.asked > 10);
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 0);
    unsigned checkins = w->checkins;
    for (unsigned i = 0; i < 400; i++) {
        check(component_world_step(&cw));
    }
    check(w->checkins > checkins);                          /* it did not fall silent */
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON)); /* nor forget */
    cw.may_apply = MOULT_ANSWER_YES;
    check(component_world_settle(&cw));
    check(has(2, 2, 2));
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 1);
}

static void test_nothing_is_applied_while_paused(void)
{
    begin();
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_until(w, "CONFIRM"));
    moult_pause(&w->session);
    for (unsigned i = 0; i < 400; i++) {
        check(component_world_step(&cw));
    }
    check_equal(component_world_version(&cw, CW_WWW, 0), 1);
    moult_resume(&w->session);
    check(component_world_settle(&cw));
    check(has(2, 2, 2));
}

/* --- another MCU --- */

static void test_a_busy_peripheral_is_waited_for(void)
{
    begin();
    cw.motor_busy = 40;
    check(runs_through());
    check(has(2, 2, 2));
    check_equal(cw.motor_begun, 1);
}

static void test_a_peripheral_that_is_busy_for_ever_is_given_up(void)
{
    begin();
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_until(w, "CONFIRM"));
    while (component_world_version(&cw, CW_WWW, 0) != 2) {
        check(component_world_step(&cw));
    }
    cw.motor_busy = UINT32_MAX;
    cw.motor_calls = 0;
    check(world_hears(w, MOULT_D_FLASH_WRITE));
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 0);
    check(world_runs(w, &w->new));
}

static void test_a_peripheral_that_fails_is_begun_again(void)
{
    begin();
    cw.motor_fails = 2;
    check(runs_through());
    check(has(2, 2, 2));
    check_equal(cw.motor_begun, 3);
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 1);
}

static void test_a_component_that_cannot_be_applied_fails_the_deployment_until_a_reset(void)
{
    begin();
    cw.motor_error = 77;
    check(runs_through());
    check(world_runs(w, &w->new) && has(2, 2, 2)); /* it was written, but does not start */
    const struct world_report *report = world_report_with(w, MOULT_D_FLASH_WRITE);
    check(report && report->kind == MOULT_REPORT_FAILED && report->native == 77);
    check(strcmp(report->text, "component 16") == 0);
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 0);
    struct moult_component_info info;
    moult_component_look(&cw.components[CW_MOTOR], &info);
    check_equal(info.state, MOULT_COMPONENT_INCOMPLETE);
    cw.motor_error = 0;
    memset(cw.bits + cw.places[4].at, 0, 100); /* it has lost its firmware since */
    check(runs_through());
    check(has(2, 2, 2));
    check(was_told("component 16 applied"));
    moult_component_look(&cw.components[CW_MOTOR], &info);
    check_equal(info.state, MOULT_COMPONENT_READY);
}

static void test_the_same_release_ordered_again_tries_what_was_given_up_again(void)
{
    begin();
    cw.motor_error = 77;
    check(runs_through());
    check_equal(world_count(w, MOULT_REPORT_FAILED), 1);
    memset(cw.bits + cw.places[4].at, 0, 100);
    world_deployment(w, '2');
    w->action = MOULT_ACTION_INSTALL;
    check(component_world_settle(&cw)); /* it fails once more, and only once */
    check_equal(world_count(w, MOULT_REPORT_FAILED), 2);
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 0);
    cw.motor_error = 0;
    memset(cw.bits + cw.places[4].at, 0, 100);
    world_deployment(w, '3');
    w->action = MOULT_ACTION_INSTALL;
    check(component_world_settle(&cw));
    check(has(2, 2, 2));
    check_equal(world_count(w, MOULT_REPORT_CONFIRMED), 1);
    check_equal(w->report_count > 0 ? w->reports[w->report_count - 1].deployment[15] : 0,
                '3');
}

static void test_a_release_whose_application_runs_without_its_data_is_no_success(void)
{
    begin();
    component_world_offer(&cw, &w->old, 2, ALL);
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_hears(w, MOULT_D_COMPONENT));
    check(strcmp(world_report_with(w, MOULT_D_COMPONENT)->text, "component 1") == 0);
    check(has(1, 1, 1));
}

/* --- faults --- */

static void test_bytes_that_are_not_the_signed_ones_arm_nothing(void)
{
    begin();
    w->transfer = WORLD_FLIPPED;
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_hears(w, MOULT_D_XFER_DIGEST));
    const struct world_report *report = world_report_with(w, MOULT_D_XFER_DIGEST);
    check(strcmp(report->text, "component 1") == 0);
    check(world_runs(w, &w->old) && has(1, 1, 1));
    check(!world_slot_boots(w, 1));
}

static void rot_staging(struct world *world)
{
    (void)world;
    cw.bits[cw.places[1].at + 4100] ^= 4;
}

static void test_staged_bytes_that_rot_are_never_copied(void)
{
    begin();
    w->hook_state = "APPLY";
    w->hook = rot_staging;
    check(runs_through());
    check(world_runs(w, &w->new) && has(1, 2, 2));
    const struct world_report *report = world_report_with(w, MOULT_D_RESULT_DIGEST);
    check(report && report->kind == MOULT_REPORT_FAILED);
    struct moult_component_info info;
    moult_component_look(&cw.components[CW_WWW], &info);
    check(info.state == MOULT_COMPONENT_WAITING && info.size == 0); /* wholly old */
}

static void test_staged_bytes_that_rot_before_the_reboot_arm_nothing(void)
{
    begin();
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_until(w, "ARM"));
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON)); /* what is staged is a claim */
    cw.bits[cw.places[1].at + 4100] ^= 4;
    check(component_world_settle(&cw));
    check(world_runs(w, &w->new) && has(2, 2, 2)); /* fetched again */
    check(w->artifact_bytes > size_of_all());
}

static void test_a_bad_sector_in_its_place_leaves_it_known_to_be_incomplete(void)
{
    begin();
    cw.flash.defects[0] = (struct moult_sim_defect){
        .kind = MOULT_SIM_BAD_PROGRAM, .offset = cw.places[0].at + MOULT_SECTOR_SIZE};
    check(runs_through());
    check(world_runs(w, &w->new));
    const struct world_report *report = world_report_with(w, MOULT_D_FLASH_WRITE);
    check(report && report->kind == MOULT_REPORT_FAILED);
    check(strcmp(report->text, "component 1") == 0);
    struct moult_component_info info;
    moult_component_look(&cw.components[CW_WWW], &info);
    check_equal(info.state, MOULT_COMPONENT_INCOMPLETE);
    check_equal(component_world_version(&cw, CW_MOTOR, 0), 2); /* the others arrive */
    cw.flash.defects[0].kind = MOULT_SIM_DEFECT_NONE;
    check(runs_through()); /* a reset later it is tried again */
    check(has(2, 2, 2));
}

static void test_a_sector_that_only_says_it_was_erased_is_found_out(void)
{
    begin();
    cw.flash.defects[0] =
        (struct moult_sim_defect){.kind = MOULT_SIM_DEAD_ERASE, .offset = cw.places[1].at};
    memset(cw.bits + cw.places[1].at, 0, 64); /* something old stands there */
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_hears(w, MOULT_D_ERASE));
    check(strcmp(world_report_with(w, MOULT_D_ERASE)->text, "component 1") == 0);
    check(world_runs(w, &w->old) && has(1, 1, 1));
}

static void test_a_program_that_only_says_it_was_done_is_found_out(void)
{
    begin();
    cw.flash.defects[0] = (struct moult_sim_defect){
        .kind = MOULT_SIM_DEAD_PROGRAM, .offset = cw.places[0].at + MOULT_SECTOR_SIZE};
    check(runs_through());
    const struct world_report *report = world_report_with(w, MOULT_D_FLASH_WRITE);
    check(report && report->kind == MOULT_REPORT_FAILED);
    struct moult_component_info info;
    moult_component_look(&cw.components[CW_WWW], &info);
    check_equal(info.state, MOULT_COMPONENT_INCOMPLETE);
}

/* Step 15: what is staged is compared with the release once more. */
static void other_staged(struct world *world)
{
    (void)world;
    cw.components[CW_WWW].work.staged.size--;
}

static void other_sequence(struct world *world)
{
    (void)world;
    cw.components[CW_WWW].work.staged.sequence++;
}

static void unstaged(struct world *world)
{
    (void)world;
    cw.components[CW_MOTOR].work.is_staged = false;
    cw.components[CW_MOTOR].work.is_wanted = false;
}

static void test_what_is_staged_must_be_what_the_release_says(void)
{
    static void (*const spoil[])(struct world *) = {other_staged, other_sequence, unstaged};
    for (unsigned i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
        begin();
        w->hook_state = "RECHECK";
        w->hook = spoil[i];
        check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
        check(world_hears(w, MOULT_D_RECHECK));
        check(world_runs(w, &w->old) && has(1, 1, 1));
        check(!world_slot_boots(w, 1));
    }
}

/* The activation is lost to a power cut, and what was staged for it has rotted since. */
static void test_an_activation_is_not_repeated_with_rotten_data(void)
{
    begin();
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_until(w, "SWITCH"));
    while (w->session.plan.stage != MOULT_STAGE_ARMED) {
        check(component_world_step(&cw));
    }
    rot_staging(w);
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_hears(w, MOULT_D_RESULT_DIGEST));
    check(world_runs(w, &w->old) && has(1, 1, 1));
    check(!world_slot_boots(w, 1));
}

static void test_an_activation_is_repeated_when_the_data_is_right(void)
{
    begin();
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_until(w, "SWITCH"));
    while (w->session.plan.stage != MOULT_STAGE_ARMED) {
        check(component_world_step(&cw));
    }
    uint64_t bytes = w->artifact_bytes;
    check(runs_through());
    check(world_runs(w, &w->new) && has(2, 2, 2));
    check_equal(w->artifact_bytes, bytes);
}

static bool holds_sectors_of(unsigned version, unsigned count)
{
    const struct cw_file *file = &cw.files[CW_WWW][version];
    return memcmp(cw.bits + cw.places[0].at, file->data, count * MOULT_SECTOR_SIZE) == 0;
}

/* Into the middle of copying www: `count` of its three sectors are new. */
static bool copies(unsigned count)
{
    if (!component_world_boot(&cw, MOULT_RESET_POWER_ON)) { return false; }
    for (unsigned i = 0; i < WORLD_STEPS_MAX && !holds_sectors_of(2, count); i++) {
        if (!component_world_step(&cw)) { return false; }
    }
    return holds_sectors_of(2, count) && !holds_sectors_of(2, count + 1);
}

static void test_what_rots_while_the_rest_is_copied_is_copied_again(void)
{
    begin();
    check(copies(1));
    cw.bits[cw.places[0].at + 77] ^= 0x10;
    check(component_world_settle(&cw));
    check(world_runs(w, &w->new) && has(2, 2, 2));
    check_equal(cw.broken, 0);
}

/* Power goes right behind a program: the sector reads right, and may be so only just. */
static void test_the_sector_in_work_at_a_cut_is_written_again_although_it_reads_right(void)
{
    static uint16_t erases[CW_SECTORS];
    memset(erases, 0, sizeof erases);
    begin();
    cw.flash.erase_count = erases;
    check(copies(2));
    check_equal(erases[1], 1);
    check(runs_through());
    check(has(2, 2, 2));
    check_equal(erases[0], 1);
    check_equal(erases[1], 2);
    check_equal(erases[2], 1);
}

/* Power goes right behind an erase: what reads as erased is erased again. */
static void test_the_sector_erased_at_a_cut_is_erased_again(void)
{
    static uint16_t erases[CW_SECTORS];
    const uint8_t *second = cw.bits + cw.places[0].at + MOULT_SECTOR_SIZE;
    memset(erases, 0, sizeof erases);
    begin();
    cw.flash.erase_count = erases;
    check(copies(1));
    while (!moult_bytes_all(second, MOULT_SECTOR_SIZE, 0xff)) {
        check(component_world_step(&cw));
    }
    check_equal(erases[1], 1);
    check(runs_through());
    check(has(2, 2, 2));
    check_equal(erases[1], 2);
}

static unsigned times_told(const char *text)
{
    unsigned count = 0;
    for (unsigned i = 0; i < w->report_count; i++) {
        count += strcmp(w->reports[i].text, text) == 0;
    }
    return count;
}

static void test_what_is_in_place_stays_so_and_is_told_once(void)
{
    begin();
    check(runs_through());
    check_equal(times_told("component 1 applied"), 1);
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    struct moult_component_info info = {.state = MOULT_COMPONENT_UNKNOWN};
    while (info.state == MOULT_COMPONENT_UNKNOWN) {
        check(component_world_step(&cw));
        moult_component_look(&cw.components[CW_WWW], &info);
    }
    check_equal(info.state, MOULT_COMPONENT_READY);
    check_equal(info.sequence, 2);
    check(component_world_settle(&cw));
    check_equal(times_told("component 1 applied"), 1);
    check_equal(cw.asked, 1);
}

static void test_a_journal_that_cannot_be_written_arms_nothing(void)
{
    begin();
    w->kv_fails = "parts";
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_hears(w, MOULT_D_PLAN_WRITE));
    check(world_runs(w, &w->old) && has(1, 1, 1));
    check(!world_slot_boots(w, 1));
}

static void forget_parts(struct world *world)
{
    world->kv_fails = "parts";
}

/* The journal's plan is lost in the trial: nobody will confirm, so nothing may follow. */
static void test_nothing_is_applied_on_trial_without_a_plan(void)
{
    begin();
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_until(w, "REBOOT"));
    while (!world_runs(w, &w->new)) {
        check(component_world_step(&cw));
    }
    check(w->port.kv_erase(w->port.context, "plan.0") == 0);
    check(w->port.kv_erase(w->port.context, "plan.1") == 0);
    for (unsigned boots = w->boots; w->boots == boots;) { /* the engine ends it itself */
        check(component_world_step(&cw));
        check_equal(component_world_version(&cw, CW_WWW, 0), 1);
        check_equal(component_world_version(&cw, CW_MOTOR, 0), 1);
    }
    check(component_world_settle(&cw)); /* and makes the update once more */
    check(world_runs(w, &w->new) && has(2, 2, 2));
    check_equal(cw.broken, 0);
}

static void no_way_back(struct world *world)
{
    world->mark_invalid_error = world->set_boot_error = 1;
    world->is_down = true; /* an order would end the plan: what runs counts then */
}

/* A bootloader without rollback, and no slot to go back to: the condemned image stays. */
static void test_nothing_is_applied_for_an_image_that_failed_and_stays(void)
{
    begin();
    w->device.build.has_rollback = false;
    w->health[2] = MOULT_HEALTH_FAILED;
    w->hook_state = "ROLLBACK";
    w->hook = no_way_back;
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_until(w, "ROLLBACK"));
    for (unsigned i = 0; i < 400; i++) {
        check(component_world_step(&cw));
    }
    check(world_runs(w, &w->new) && has(1, 2, 1));
}

static void test_nothing_live_is_touched_before_it_is_journalled(void)
{
    begin();
    w->hook_state = "APPLY";
    w->hook = forget_parts;
    check(component_world_boot(&cw, MOULT_RESET_POWER_ON));
    check(world_hears(w, MOULT_D_PLAN_WRITE));
    check(world_runs(w, &w->new) && has(1, 2, 1));
    w->kv_fails = NULL;
    check(runs_through());
    check(has(2, 2, 2));
}

int main(void)
{
    component_world_make(&fresh);
    check_run(test_application_filesystem_bank_and_peripheral_arrive_together);
    check_run(test_what_does_not_fit_is_refused_before_anything_is_fetched);
    check_run(test_a_build_without_components_takes_the_application_only);
    check_run(test_registering_checks_its_arguments);
    check_run(test_unchanged_components_are_not_fetched_and_a_bank_is_carried_over);
    check_run(test_what_a_release_leaves_out_stays);
    check_run(test_a_transfer_goes_on_within_4_kb_of_where_it_was);
    check_run(test_a_device_that_is_behind_takes_the_release_between_first);
    check_run(test_a_rolled_back_application_finds_its_data_and_the_next_release_arrives);
    check_run(test_live_bytes_wait_for_the_application_and_so_does_the_result);
    check_run(test_nothing_is_applied_while_paused);
    check_run(test_a_busy_peripheral_is_waited_for);
    check_run(test_a_peripheral_that_is_busy_for_ever_is_given_up);
    check_run(test_a_peripheral_that_fails_is_begun_again);
    check_run(test_a_component_that_cannot_be_applied_fails_the_deployment_until_a_reset);
    check_run(test_the_same_release_ordered_again_tries_what_was_given_up_again);
    check_run(test_a_release_whose_application_runs_without_its_data_is_no_success);
    check_run(test_bytes_that_are_not_the_signed_ones_arm_nothing);
    check_run(test_staged_bytes_that_rot_are_never_copied);
    check_run(test_staged_bytes_that_rot_before_the_reboot_arm_nothing);
    check_run(test_a_bad_sector_in_its_place_leaves_it_known_to_be_incomplete);
    check_run(test_a_sector_that_only_says_it_was_erased_is_found_out);
    check_run(test_a_program_that_only_says_it_was_done_is_found_out);
    check_run(test_what_is_staged_must_be_what_the_release_says);
    check_run(test_an_activation_is_not_repeated_with_rotten_data);
    check_run(test_an_activation_is_repeated_when_the_data_is_right);
    check_run(test_what_rots_while_the_rest_is_copied_is_copied_again);
    check_run(test_the_sector_in_work_at_a_cut_is_written_again_although_it_reads_right);
    check_run(test_the_sector_erased_at_a_cut_is_erased_again);
    check_run(test_what_is_in_place_stays_so_and_is_told_once);
    check_run(test_a_journal_that_cannot_be_written_arms_nothing);
    check_run(test_nothing_is_applied_on_trial_without_a_plan);
    check_run(test_nothing_is_applied_for_an_image_that_failed_and_stays);
    check_run(test_nothing_live_is_touched_before_it_is_journalled);
    world_forget(w);
    component_world_free(&fresh);
    return check_report();
}
