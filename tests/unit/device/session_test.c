/* session_test.c - device/src/session.c: a whole update, configuration, displays. */
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static void begin(void)
{
    world_copy(&w, &fresh);
}

static bool boots(void)
{
    return world_boot(&w, MOULT_RESET_POWER_ON);
}

/* --- the good way --- */

static void test_an_update_is_installed_confirmed_and_told_stage_by_stage(void)
{
    static const uint8_t stages[] = {
        MOULT_REPORT_DOWNLOADING, MOULT_REPORT_WRITTEN, MOULT_REPORT_VERIFIED,
        MOULT_REPORT_REBOOTING,   MOULT_REPORT_TRIAL,   MOULT_REPORT_CONFIRMED,
    };
    begin();
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(w.report_count, sizeof stages);
    for (unsigned i = 0; i < sizeof stages; i++) {
        check_equal(w.reports[i].kind, stages[i]);
        check_equal(w.reports[i].copies, 1);
        check_equal(w.reports[i].detail, 0);
        check(memcmp(w.reports[i].deployment, "deployment-00001", 16) == 0);
    }
    check_equal(w.reboots_told, 1);
    check_equal(w.artifact_bytes, w.new.size);
    check_equal(w.last_checkin.running_sequence, 2);
    check_equal(w.last_checkin.running_state, MOULT_RUNNING_CONFIRMED);
}

static void test_facts_come_with_the_first_check_in_and_when_asked(void)
{
    begin();
    static const struct moult_attribute site = {"site", "north"};
    w.action = MOULT_ACTION_NONE;
    w.config.serial = "EM-0007";
    w.config.attributes = &site;
    w.config.attribute_count = 1;
    check(boots());
    check(world_until(&w, "ORDER"));
    uint32_t present = 1u << MOULT_FACTS_CHIP | 1u << MOULT_FACTS_SLOT_SIZE |
                       1u << MOULT_FACTS_VERSION | 1u << MOULT_FACTS_SERIAL |
                       1u << MOULT_FACTS_ENCODINGS | 1u << MOULT_FACTS_ATTRIBUTES;
    check_equal(w.last_facts & present, present);
    check_equal(w.last_checkin.facts.slot_size, SIM_SLOT_SIZE);
    check_equal(w.last_checkin.facts.attributes.count, 1);
    check(world_settle(&w));
    check_equal(w.last_facts, 0);
}

/* --- a factory app --- */

static int32_t no_slot_runs(void *context, struct moult_boot_info *out)
{
    int32_t native = w.sim.boot_info(context, out);
    out->running = out->selected = MOULT_SLOT_NONE;
    return native;
}

static int32_t read_factory(void *context, uint32_t offset, uint8_t *out, size_t size)
{
    return w.sim.flash_read(context, 0, offset, out, size);
}

static void test_a_factory_app_is_read_where_the_port_can(void)
{
    begin();
    check(boots());
    w.port.boot_info = no_slot_runs;
    check(world_until(&w, "CHECKIN"));
    check(!w.session.running.is_managed);
    check_equal(w.session.disabled, MOULT_D_ANCHOR);
    begin();
    check(boots());
    w.port.boot_info = no_slot_runs;
    w.port.running_read = read_factory;
    check(world_until(&w, "SOURCE"));
    check(w.session.running.is_managed);
    check_bytes(w.session.running.digest, w.old.digest, 32);
    check_equal(w.session.offer.slot, 0);
    check_equal(w.session.offer.from, MOULT_SLOT_NONE);
}

/* --- configuration --- */

static void no_base(struct moult_config *c)
{
    c->base_url = NULL;
}
static void plain_http(struct moult_config *c)
{
    c->base_url = "http://moult.test";
}
static void slash_at_the_end(struct moult_config *c)
{
    c->base_url = "https://moult.test/";
}
static void odd_window(struct moult_config *c)
{
    c->window = 5000;
}
static void large_piece(struct moult_config *c)
{
    c->piece = 4097;
}
static void cap_below_first(struct moult_config *c)
{
    c->backoff_first_ms = 2000;
    c->backoff_max_ms = 1000;
}
static void serial_not_ascii(struct moult_config *c)
{
    c->serial = "\xc3\xa9";
}
static void too_many_attributes(struct moult_config *c)
{
    c->attribute_count = MOULT_ATTRIBUTES_MAX + 1;
}
static void bad_trigger(struct moult_config *c)
{
    c->trigger = (enum moult_trigger)7;
}

static void test_a_bad_configuration_is_refused(void)
{
    static const struct {
        const char *name;
        void (*spoil)(struct moult_config *c);
    } bad[] = {
        {"no base URL", no_base},     {"plain http", plain_http},
        {"slash", slash_at_the_end},  {"odd window", odd_window},
        {"large piece", large_piece}, {"cap below first", cap_below_first},
        {"serial", serial_not_ascii}, {"attributes", too_many_attributes},
        {"trigger", bad_trigger},
    };
    begin();
    check(boots());
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        static struct moult_session session;
        struct moult_config config = w.config;
        check_row(bad[i].name);
        check_equal(moult_session_init(&session, &w.port, &config), MOULT_OK);
        bad[i].spoil(&config);
        check_equal(moult_session_init(&session, &w.port, &config), MOULT_E_ARG);
    }
    struct moult_port port = w.port;
    port.kv_set = NULL;
    static struct moult_session session;
    check_equal(moult_session_init(&session, &port, &w.config), MOULT_E_ARG);
}

static void test_health_checks_have_a_limit(void)
{
    begin();
    check(boots());
    struct moult_health_check check = {.name = NULL};
    check_equal(moult_health_add(&w.session, &check), MOULT_E_ARG);
    check = w.session.trial.checks[0];
    for (unsigned i = 1; i < MOULT_HEALTH_MAX; i++) {
        check_equal(moult_health_add(&w.session, &check), MOULT_OK);
    }
    check_equal(moult_health_add(&w.session, &check), MOULT_E_SPACE);
}

static void test_progress_for_displays(void)
{
    struct moult_progress p;
    begin();
    check(boots());
    check(world_until(&w, "CLEAN"));
    moult_progress(&w.session, &p);
    check_equal(p.offset, w.new.size);
    check_equal(p.size, w.new.size);
    check_equal(p.sequence, 1);
    check_equal(p.offered, 2);
    check(!p.on_trial);
}

int main(void)
{
    world_make(&fresh);
    check_run(test_an_update_is_installed_confirmed_and_told_stage_by_stage);
    check_run(test_a_factory_app_is_read_where_the_port_can);
    check_run(test_facts_come_with_the_first_check_in_and_when_asked);
    check_run(test_a_bad_configuration_is_refused);
    check_run(test_health_checks_have_a_limit);
    check_run(test_progress_for_displays);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
