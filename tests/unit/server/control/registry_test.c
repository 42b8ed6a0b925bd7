/* registry_test.c - devices as operators list, change and import them; and the audit of it
 * all. */
#include <stdio.h>
#include <string.h>
#include "server/store/store_event.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

static struct world_release v100, v110;

static struct world *open_fleet(unsigned count)
{
    struct world *w = world_open(NULL);
    world_release(w, "1.0.0", 100, &v100);
    world_release(w, "1.1.0", 110, &v110);
    world_toys(w, count, &v100);
    return w;
}

/* --- lists ---------------------------------------------------------------------------- */

struct list_request {
    struct control_device_filter filter;
    struct control_page page;
};

static enum moult_status list_devices(struct world_call *c)
{
    const struct list_request *request = c->argument;
    return control_device_list(&c->call, &request->filter, &request->page, &c->reply);
}

static size_t count_listed(struct world *w, const char *selector, const char *state,
                           const char *q)
{
    struct list_request request = {.filter = {selector, state, q}};
    struct world_call c = {.run = list_devices, .argument = &request};
    if (world_run(w, &c) != MOULT_OK) { return 9999; }
    size_t count = json_array_size(world_at(c.reply, "items"));
    json_decref(c.reply);
    return count;
}

static void test_devices_are_listed_by_state_selector_and_prefix(void **state)
{
    (void)state;
    struct world *w = open_fleet(6);
    json_decref(world_device_verb(w, &w->toys[0], "quarantine"));
    world_checkin(w, world_toy(w, 9, &v100), NULL, 0);
    char id[33];
    moult_hex_encode(w->toys[3].id, 16, id);
    id[9] = '\0';
    assert_int_equal(count_listed(w, NULL, NULL, NULL), 7);
    assert_int_equal(count_listed(w, NULL, "accepted", NULL), 5);
    assert_int_equal(count_listed(w, NULL, "pending", NULL), 1);
    assert_int_equal(count_listed(w, NULL, NULL, id), 1);
    assert_int_equal(count_listed(w, "version = 1.0.0 and state = accepted", NULL, NULL),
                     5);
    assert_int_equal(count_listed(w, "not chip = esp32c3", NULL, NULL), 0);
    assert_int_equal(count_listed(w, NULL, "asleep", NULL), 9999);
    assert_string_equal(w->problem.field, "state");
    assert_int_equal(count_listed(w, "chip =", NULL, NULL), 9999);
    assert_string_equal(w->problem.field, "selector");
    world_close(w);
}

static void test_pages_cover_every_device_once(void **state)
{
    (void)state;
    struct world *w = open_fleet(7);
    struct list_request request = {.page = {.limit = 3}};
    char cursor[32];
    size_t total = 0;
    for (int i = 0; i < 3; i++) {
        struct world_call c = {.run = list_devices, .argument = &request};
        assert_int_equal(world_run(w, &c), MOULT_OK);
        total += json_array_size(world_at(c.reply, "items"));
        snprintf(cursor, sizeof cursor, "%s", world_text(c.reply, "next"));
        assert_int_equal(cursor[0] == '\0', i == 2);
        request.page.cursor = cursor;
        json_decref(c.reply);
    }
    assert_int_equal(total, 7);
    world_close(w);
}

static enum moult_status show_named(struct world_call *c)
{
    return control_device_show(&c->call, c->argument, &c->reply);
}

static void test_unknown_devices_are_not_found(void **state)
{
    (void)state;
    struct world *w = open_fleet(1);
    static const char *const names[] = {"nobody", "00000000000000000000000000000000", ""};
    for (size_t i = 0; i < 3; i++) {
        struct world_call c = {.run = show_named, .argument = names[i]};
        assert_int_equal(world_run(w, &c), MOULT_E_NOENT);
        assert_int_equal(w->problem.detail, MOULT_D_API_NOT_FOUND);
    }
    world_close(w);
}

/* --- many at once --------------------------------------------------------------------- */

static enum moult_status actions(struct world_call *c)
{
    return control_device_actions(&c->call, c->argument, &c->reply);
}

static json_t *act(struct world *w, const char *body_json, bool dry_run)
{
    json_t *body = json_loads(body_json, 0, NULL);
    struct world_call c = {.run = actions, .argument = body};
    c.call.dry_run = dry_run;
    enum moult_status st = world_run(w, &c);
    assert_int_equal(st == MOULT_OK, c.reply != NULL);
    json_decref(body);
    return c.reply;
}

static void test_a_verb_for_many_needs_the_right_count(void **state)
{
    (void)state;
    struct world *w = open_fleet(0);
    for (unsigned i = 0; i < 5; i++) {
        world_checkin(w, world_toy(w, i, &v100), NULL, 0);
    }
    static const char five[] =
        "{\"verb\":\"accept\",\"selector\":\"state = pending\",\"expect_count\":5}";
    assert_null(
        act(w, "{\"verb\":\"accept\",\"selector\":\"all\",\"expect_count\":4}", false));
    assert_int_equal(w->problem.detail, MOULT_D_ROLLOUT_COUNT);
    assert_null(act(w, "{\"verb\":\"accept\",\"selector\":\"all\"}", false));
    assert_string_equal(w->problem.field, "expect_count");
    json_t *reply = act(w, five, true);
    assert_int_equal(world_number(reply, "changed"), 5);
    json_decref(reply);
    assert_int_equal(count_listed(w, NULL, "pending", NULL), 5);
    assert_int_equal(world_checkin(w, &w->toys[0], NULL, 0).has_order, false);
    reply = act(w, five, false);
    assert_int_equal(world_number(reply, "matched"), 5);
    json_decref(reply);
    assert_int_equal(count_listed(w, NULL, "accepted", NULL), 5);
    assert_true(world_checkin(w, &w->toys[0], NULL, 0).has_order);
    world_close(w);
}

/* --- import --------------------------------------------------------------------------- */

struct import_run {
    struct control_import *import;
    bool is_done;
};

static enum moult_status import_step(struct world_call *c)
{
    struct import_run *run = (struct import_run *)(uintptr_t)c->argument;
    return control_import_step(&c->call, run->import, &run->is_done);
}

static json_t *import_csv(struct world *w, const char *csv, bool dry_run)
{
    struct import_run run = {0};
    struct moult_bytes bytes = {(const uint8_t *)csv, strlen(csv)};
    if (control_import_begin(w->control, bytes, &run.import, &w->problem) != MOULT_OK) {
        return NULL;
    }
    while (!run.is_done) {
        struct world_call c = {.run = import_step, .argument = &run};
        c.call.dry_run = dry_run;
        if (world_run(w, &c) != MOULT_OK) { break; }
    }
    json_t *result = control_import_result(run.import);
    control_import_end(run.import);
    return result;
}

static void test_a_preauthorised_device_is_accepted_at_first_contact(void **state)
{
    (void)state;
    struct world *w = open_fleet(0);
    struct toy *toy = world_toy(w, 3, &v100);
    char csv[400], spki[65];
    moult_hex_encode(toy->spki, 32, spki);
    snprintf(csv, sizeof csv,
             "spki_sha256,name,tag:site,meta:room\n%s,meter-3,berlin,\"hall, left\"\n"
             "zz,bad,,\n",
             spki);
    json_t *dry = import_csv(w, csv, true);
    assert_int_equal(world_number(dry, "created"), 1);
    assert_int_equal(json_array_size(world_at(dry, "errors")), 1);
    json_decref(dry);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device"), 0);

    json_t *done = import_csv(w, csv, false);
    assert_int_equal(world_number(done, "created"), 1);
    assert_string_equal(world_text(done, "errors.0.field"), "spki_sha256");
    json_decref(done);
    assert_true(world_checkin(w, toy, NULL, 0).has_order);
    assert_int_equal(
        count_listed(w, "tag(site = berlin) and meta.room ~ \"hall*\"", NULL, NULL), 1);
    done = import_csv(w, csv, false); /* again: nothing to do */
    assert_int_equal(world_number(done, "unchanged"), 1);
    json_decref(done);
    assert_null(import_csv(w, "name,wheels\nx,4\n", false));
    world_close(w);
}

static void test_an_imported_device_joins_a_rollout_when_it_comes(void **state)
{
    (void)state;
    struct world *w = open_fleet(1);
    json_decref(world_rollout(w,
                              "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":"
                              "[{\"rest\":true,\"soak_s\":0}]}",
                              false));
    struct toy *toy = world_toy(w, 8, &v100);
    char csv[120], spki[65];
    moult_hex_encode(toy->spki, 32, spki);
    snprintf(csv, sizeof csv, "spki_sha256\n%s\n", spki);
    json_decref(import_csv(w, csv, false));
    assert_int_equal(world_checkin(w, toy, NULL, 0).order.action, MOULT_ACTION_INSTALL);
    assert_true(world_recounts(w));
    world_close(w);
}

/* --- what is left behind -------------------------------------------------------------- */

static enum moult_status verify_audit(struct world_call *c)
{
    return control_audit_verify(&c->call);
}

static enum moult_status history(struct world_call *c)
{
    struct control_page page = {0};
    return control_device_history(&c->call, c->argument, &page, &c->reply);
}

static void test_everything_is_audited_and_the_chain_holds(void **state)
{
    (void)state;
    struct world *w = open_fleet(3);
    json_decref(world_device_verb(w, &w->toys[0], "quarantine"));
    assert_null(world_device_verb(w, &w->toys[0], "accept"));
    struct world_call c = {.run = verify_audit};
    assert_int_equal(world_run(w, &c), MOULT_OK);
    assert_int_equal(
        world_sql(w, "SELECT count(*) FROM audit WHERE action = 'device.quarantine'"), 1);
    assert_int_equal(world_sql(w,
                               "SELECT count(*) FROM audit WHERE action = "
                               "'device.accept' AND detail LIKE '%\"refused\":\"E2217\"%'"),
                     1);
    world_sql(w, "UPDATE audit SET actor = 'nobody' WHERE idx = 2 RETURNING 1");
    assert_int_equal(world_run(w, &c), MOULT_E_DIGEST);
    world_close(w);
}

static void test_a_devices_history_is_told_newest_first(void **state)
{
    (void)state;
    struct world *w = open_fleet(1);
    json_decref(world_rollout(w,
                              "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":"
                              "[{\"rest\":true,\"soak_s\":0}]}",
                              false));
    assert_true(world_update(w, &w->toys[0], &v110, true));
    char id[33];
    moult_hex_encode(w->toys[0].id, 16, id);
    struct world_call c = {.run = history, .argument = id};
    assert_int_equal(world_run(w, &c), MOULT_OK);
    const json_t *items = world_at(c.reply, "items");
    size_t count = json_array_size(items);
    assert_string_equal(world_text(json_array_get(items, count - 1), "kind"),
                        "device.enrolled");
    assert_string_equal(world_text(items, "0.kind"), "assignment.confirmed");
    size_t reports = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *event = json_array_get(items, i);
        if (strncmp(world_text(event, "kind"), "report.", 7) != 0) { continue; }
        reports++;
        assert_int_equal(strlen(world_text(event, "data.boot")), 16);
        assert_true(world_number(event, "data.number") >= 1);
        assert_non_null(world_at(event, "rollout"));
    }
    assert_int_equal(reports, 5);
    json_decref(c.reply);
    world_close(w);
}

static enum moult_status status_call(struct world_call *c)
{
    return control_status(&c->call, &c->reply);
}

static void test_status_counts_devices_by_state(void **state)
{
    (void)state;
    struct world *w = open_fleet(4);
    json_decref(world_device_verb(w, &w->toys[1], "retire"));
    struct world_call c = {.run = status_call};
    assert_int_equal(world_run(w, &c), MOULT_OK);
    assert_int_equal(world_number(c.reply, "devices.accepted"), 3);
    assert_int_equal(world_number(c.reply, "devices.retired"), 1);
    assert_int_equal(world_number(c.reply, "keyset_version"), 1);
    json_decref(c.reply);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices_are_listed_by_state_selector_and_prefix),
        cmocka_unit_test(test_pages_cover_every_device_once),
        cmocka_unit_test(test_unknown_devices_are_not_found),
        cmocka_unit_test(test_a_verb_for_many_needs_the_right_count),
        cmocka_unit_test(test_a_preauthorised_device_is_accepted_at_first_contact),
        cmocka_unit_test(test_an_imported_device_joins_a_rollout_when_it_comes),
        cmocka_unit_test(test_everything_is_audited_and_the_chain_holds),
        cmocka_unit_test(test_a_devices_history_is_told_newest_first),
        cmocka_unit_test(test_status_counts_devices_by_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
