/* admin_test.c - server/control/admin.c: answers given twice, and lists of events. */
#include "server/control/admin.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

/* --- idempotency ---------------------------------------------------------------------- */

struct use {
    struct control_idempotency use;
    uint16_t status;
    const char *reply; /* to be kept, as JSON */
};

static struct use use_of(const char *token, const char *key, uint8_t body)
{
    struct use use = {.use = {.token = token, .key = key}, .status = 201};
    use.use.body_sha256[31] = body;
    return use;
}

static enum moult_status find(struct world_call *c)
{
    struct use *use = (struct use *)(uintptr_t)c->argument; /* the test's own */
    return control_idempotency_find(&c->call, &use->use, &use->status, &c->reply);
}

static enum moult_status keep(struct world_call *c)
{
    const struct use *use = c->argument;
    struct moult_bytes reply = {(const uint8_t *)use->reply, strlen(use->reply)};
    return control_idempotency_store(&c->call, &use->use, use->status, reply);
}

static enum moult_status look(struct world *w, const char *token, const char *key,
                              uint8_t body, struct use *out, json_t **reply)
{
    *out = use_of(token, key, body);
    out->status = 0;
    struct world_call c = {.run = find, .argument = out};
    enum moult_status st = world_run(w, &c);
    if (reply) {
        *reply = c.reply;
    } else {
        json_decref(c.reply);
    }
    return st;
}

static void note(struct world *w, const char *token, const char *key, uint8_t body,
                 const char *reply)
{
    struct use use = use_of(token, key, body);
    use.reply = reply;
    struct world_call c = {.run = keep, .argument = &use};
    assert_int_equal(world_run(w, &c), MOULT_OK);
}

static void test_the_first_answer_is_given_again(void **state)
{
    (void)state; /* cmocka's signature */
    struct world *w = world_open(NULL);
    struct use use;
    json_t *reply = NULL;
    assert_int_equal(look(w, "anna", "k1", 1, &use, NULL), MOULT_E_NOENT);
    assert_int_equal(w->problem.detail, 0);
    note(w, "anna", "k1", 1, "{\"id\":\"rol_1\",\"n\":[1,2]}");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(look(w, "anna", "k1", 1, &use, &reply), MOULT_OK);
        assert_int_equal(use.status, 201);
        assert_string_equal(world_text(reply, "id"), "rol_1");
        assert_int_equal(world_number(reply, "n.1"), 2);
        json_decref(reply);
        world_restart(w, 1000);
    }
    world_close(w);
}

static void test_a_key_belongs_to_one_token_and_one_request(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    struct use use;
    note(w, "anna", "k1", 1, "{}");
    assert_int_equal(look(w, "bert", "k1", 1, &use, NULL), MOULT_E_NOENT);
    assert_int_equal(look(w, "anna", "k2", 1, &use, NULL), MOULT_E_NOENT);
    assert_int_equal(look(w, "anna", "k1", 2, &use, NULL), MOULT_E_CONFLICT);
    assert_int_equal(w->problem.detail, MOULT_D_API_IDEMPOTENCY);
    assert_string_equal(w->problem.field, "Idempotency-Key");
    assert_int_equal(moult_detail_info(MOULT_D_API_IDEMPOTENCY)->http, 422);
    note(w, "bert", "k1", 2, "{\"mine\":true}"); /* both at the same time */
    json_t *reply = NULL;
    assert_int_equal(look(w, "bert", "k1", 2, &use, &reply), MOULT_OK);
    assert_true(json_is_true(world_at(reply, "mine")));
    json_decref(reply);
    assert_int_equal(look(w, "anna", "k1", 1, &use, NULL), MOULT_OK);
    world_close(w);
}

static void test_ten_thousand_answers_are_the_limit(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    struct use use;
    char sql[300];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
             "10000) INSERT INTO idempotency SELECT 'ci', i, zeroblob(32), 200, '{}', %lld "
             "FROM n",
             (long long)world_now(w));
    world_sql(w, sql);
    assert_int_equal(look(w, "anna", "k1", 1, &use, NULL), MOULT_E_BUSY);
    assert_int_equal(w->problem.detail, MOULT_D_API_BUSY);
    assert_true(w->problem.hint[0] != '\0');
    assert_int_equal(look(w, "ci", "77", 0, &use, NULL), MOULT_OK); /* kept ones are */
    world_wait(w, DAY_MS + 1);
    assert_int_equal(look(w, "anna", "k1", 1, &use, NULL), MOULT_E_NOENT);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM idempotency"), 0);
    world_close(w);
}

static void test_answers_are_kept_for_a_day(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    struct use use;
    note(w, "anna", "k1", 1, "{}");
    world_wait(w, DAY_MS);
    assert_int_equal(look(w, "anna", "k1", 1, &use, NULL), MOULT_OK);
    world_wait(w, 1);
    assert_int_equal(look(w, "anna", "k1", 1, &use, NULL), MOULT_E_NOENT);
    assert_int_equal(look(w, "anna", "k1", 2, &use, NULL), MOULT_E_NOENT); /* free again */
    note(w, "anna", "k1", 2, "{}");
    assert_int_equal(look(w, "anna", "k1", 2, &use, NULL), MOULT_OK);

    /* Old ones do not pile up. */
    for (int i = 0; i < 5; i++) {
        char key[16];
        snprintf(key, sizeof key, "many%d", i);
        note(w, "anna", key, 1, "{}");
    }
    world_wait(w, 1000);
    note(w, "anna", "other", 1, "{}"); /* which forgets the old, and only these */
    assert_int_equal(look(w, "anna", "many0", 1, &use, NULL), MOULT_OK);
    world_wait(w, DAY_MS + 1);
    note(w, "anna", "newest", 1, "{}");
    assert_int_equal(world_sql(w, "SELECT count(*) FROM idempotency"), 1);
    world_close(w);
}

/* --- events --------------------------------------------------------------------------- */

struct event_request {
    struct control_event_filter filter;
    struct control_page page;
};

static enum moult_status list_events(struct world_call *c)
{
    const struct event_request *request = c->argument;
    return control_event_list(&c->call, &request->filter, &request->page, &c->reply);
}

static json_t *events(struct world *w, const char *rollout, const char *device,
                      const char *after)
{
    struct event_request request = {.filter = {rollout, device, after},
                                    .page = {.limit = 500}};
    struct world_call c = {.run = list_events, .argument = &request};
    if (world_run(w, &c) != MOULT_OK) { return NULL; }
    return c.reply;
}

static size_t count_of(json_t *list)
{
    assert_non_null(list);
    return json_array_size(world_at(list, "items"));
}

static struct world *open_busy_world(void)
{
    static struct world_release v100, v110;
    struct world *w = world_open(NULL);
    world_release(w, "1.0.0", 100, &v100);
    world_release(w, "1.1.0", 110, &v110);
    world_toys(w, 4, &v100);
    json_decref(world_rollout(
        w, "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":[{\"percent\":100}]}", false));
    for (unsigned i = 0; i < 3; i++) {
        assert_true(world_update(w, &w->toys[i], &v110, i != 2));
    }
    return w;
}

static void test_events_come_by_pages_oldest_first_and_each_once(void **state)
{
    (void)state;
    struct world *w = open_busy_world();
    size_t all = (size_t)world_sql(w, "SELECT count(*) FROM event"), seen = 0;
    char cursor[40] = "", last[40] = "", time[40] = "";
    do {
        struct event_request request = {
            .page = {.limit = 7, .cursor = cursor[0] ? cursor : NULL}};
        struct world_call c = {.run = list_events, .argument = &request};
        assert_int_equal(world_run(w, &c), MOULT_OK);
        const json_t *items = world_at(c.reply, "items");
        assert_true(json_array_size(items) <= 7);
        for (size_t i = 0; i < json_array_size(items); i++, seen++) {
            const json_t *event = json_array_get(items, i);
            assert_true(strcmp(world_text(event, "time"), time) >= 0);
            assert_string_not_equal(world_text(event, "id"), last);
            snprintf(time, sizeof time, "%s", world_text(event, "time"));
            snprintf(last, sizeof last, "%s", world_text(event, "id"));
        }
        snprintf(cursor, sizeof cursor, "%s", world_text(c.reply, "next"));
        json_decref(c.reply);
    } while (cursor[0]);
    assert_int_equal(seen, all);
    json_t *rest = events(w, NULL, NULL, last); /* a follower asks so, again and again */
    assert_int_equal(count_of(rest), 0);
    json_decref(rest);
    json_decref(world_device_verb(w, &w->toys[3], "quarantine"));
    rest = events(w, NULL, NULL, last);
    assert_true(count_of(rest) >= 1);
    assert_string_equal(world_text(rest, "items.0.kind"), "device.quarantined");
    json_decref(rest);
    world_close(w);
}

static void test_events_are_filtered_by_device_and_rollout(void **state)
{
    (void)state;
    struct world *w = open_busy_world();
    char id[33];
    moult_hex_encode(w->toys[2].id, 16, id);
    json_t *list = events(w, NULL, id, NULL);
    size_t of_device = count_of(list), failed = 0;
    for (size_t i = 0; i < of_device; i++) {
        const json_t *event = json_array_get(world_at(list, "items"), i);
        assert_string_equal(world_text(event, "device"), id);
        failed += strcmp(world_text(event, "kind"), "report.rolled_back") == 0;
    }
    assert_int_equal(failed, 1);
    json_decref(list);

    list = events(w, "r", NULL, NULL);
    size_t of_rollout = count_of(list);
    for (size_t i = 0; i < of_rollout; i++) {
        assert_non_null(world_at(json_array_get(world_at(list, "items"), i), "rollout"));
    }
    json_decref(list);
    list = events(w, "r", id, NULL);
    size_t of_both = count_of(list);
    assert_true(of_both > 0 && of_both < of_device && of_both < of_rollout);
    json_decref(list);
    assert_int_equal(
        of_rollout,
        world_sql(w,
                  "SELECT count(*) FROM event WHERE rollout IS NOT NULL AND rollout > 0"));
    world_close(w);
}

static void test_what_a_list_of_events_cannot_mean_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rollout, *device, *after;
        uint16_t detail;
    } rows[] = {
        {"nobody's", NULL, NULL, MOULT_D_API_NOT_FOUND},
        {NULL, "nobody", NULL, MOULT_D_API_NOT_FOUND},
        {NULL, "00000000000000000000000000000000", NULL, MOULT_D_API_NOT_FOUND},
        {NULL, NULL, "evt_1", MOULT_D_API_QUERY},
        {NULL, NULL, "rol_00000000000000000000000000", MOULT_D_API_QUERY},
        {NULL, NULL, "", MOULT_D_API_QUERY},
    };
    struct world *w = world_open(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_null(events(w, rows[i].rollout, rows[i].device, rows[i].after));
        assert_int_equal(w->problem.detail, rows[i].detail);
    }
    world_close(w);
}

/* --- products ------------------------------------------------------------------------- */

static enum moult_status products(struct world_call *c)
{
    return control_products(&c->call, &c->reply);
}

static void test_products_are_those_of_the_configuration(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    struct world_call c = {.run = products};
    char id[33];
    moult_hex_encode(w->fleet.class_id, 16, id);
    assert_int_equal(world_run(w, &c), MOULT_OK);
    assert_int_equal(json_array_size(world_at(c.reply, "items")), 1);
    assert_string_equal(world_text(c.reply, "items.0.name"), "meter");
    assert_string_equal(world_text(c.reply, "items.0.classes.0.name"), "meter-c3");
    assert_string_equal(world_text(c.reply, "items.0.classes.0.class_id"), id);
    assert_string_equal(world_text(c.reply, "items.0.classes.0.chip"), "esp32c3");
    json_decref(c.reply);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_answer_is_given_again),
        cmocka_unit_test(test_a_key_belongs_to_one_token_and_one_request),
        cmocka_unit_test(test_ten_thousand_answers_are_the_limit),
        cmocka_unit_test(test_answers_are_kept_for_a_day),
        cmocka_unit_test(test_events_come_by_pages_oldest_first_and_each_once),
        cmocka_unit_test(test_events_are_filtered_by_device_and_rollout),
        cmocka_unit_test(test_what_a_list_of_events_cannot_mean_is_refused),
        cmocka_unit_test(test_products_are_those_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
