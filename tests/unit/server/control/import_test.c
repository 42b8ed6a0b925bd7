/* import_test.c - server/control/import.c: devices from a CSV and back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "server/control/internal.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

/* --- an import as the handler runs it ------------------------------------------------- */

struct import_run {
    struct control_import *import;
    bool is_done;
};

static enum moult_status step(struct world_call *c)
{
    struct import_run *run =
        (struct import_run *)(uintptr_t)c->argument; /* the test's own */
    return control_import_step(&c->call, run->import, &run->is_done);
}

/* {"created":...}; NULL: the header was refused, w->problem says why. steps may be NULL. */
static json_t *import(struct world *w, const char *csv, bool dry_run, unsigned *steps)
{
    struct import_run run = {0};
    struct moult_bytes text = {(const uint8_t *)csv, strlen(csv)};
    w->problem = (struct control_problem){0};
    if (control_import_begin(w->control, text, &run.import, &w->problem) != MOULT_OK) {
        assert_int_equal(w->problem.detail, MOULT_D_IMPORT_ROW);
        return NULL;
    }
    unsigned count = 0;
    while (!run.is_done) {
        struct world_call c = {.run = step, .argument = &run};
        c.call.dry_run = dry_run;
        assert_int_equal(world_run(w, &c), MOULT_OK);
        count++;
    }
    json_t *result = control_import_result(run.import);
    assert_non_null(result);
    control_import_end(run.import);
    if (steps) { *steps = count; }
    return result;
}

/* Imports, and compares the counts. */
static void check_import(struct world *w, const char *csv, unsigned created,
                         unsigned updated, unsigned unchanged)
{
    json_t *result = import(w, csv, false, NULL);
    if (!result) { fail_msg("%s: %s", csv, w->problem.text); }
    if (json_array_size(world_at(result, "errors")) != 0) {
        fail_msg("%s: %s", csv, world_text(result, "errors.0.message"));
    }
    assert_int_equal(world_number(result, "created"), created);
    assert_int_equal(world_number(result, "updated"), updated);
    assert_int_equal(world_number(result, "unchanged"), unchanged);
    json_decref(result);
}

/* --- fingerprints --------------------------------------------------------------------- */

static const struct world_release nothing;

/* Fingerprint of the n-th toy. */
static const char *spki(struct world *w, unsigned n)
{
    static char text[8][65];
    static unsigned turn;
    char *out = text[turn++ % 8];
    moult_hex_encode(world_toy(w, n, &nothing)->spki, 32, out);
    return out;
}

static const char *id(struct world *w, unsigned n)
{
    static char text[8][33];
    static unsigned turn;
    char *out = text[turn++ % 8];
    moult_hex_encode(world_toy(w, n, &nothing)->id, 16, out);
    return out;
}

static char csv[400000];

MOULT_PRINTF(1, 2)
static const char *csv_of(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(csv, sizeof csv, format, arguments);
    va_end(arguments);
    assert_true(n > 0 && n < (int)sizeof csv);
    return csv;
}

static void two_classes(struct control_config *config)
{
    snprintf(config->classes[1].name, sizeof config->classes[1].name, "meter-s3");
    config->classes[1].id[0] = 0x53;
    config->classes[1].chip_id = 9;
    config->class_count = 2;
}

/* --- tests ---------------------------------------------------------------------------- */

static void test_every_column_arrives(void **state)
{
    (void)state; /* cmocka's signature */
    struct world *w = world_open(two_classes);
    check_import(
        w,
        csv_of("spki_sha256,name,serial,product,class,group,state,tag:site,"
               "meta:contract\n"
               "%s,Cellar,SN-1,meter,meter-s3,north,accepted,Ulm,\"a, \"\"b\"\"\"\n",
               spki(w, 1)),
        1, 0, 0);
    json_t *device = world_show_device(w, &w->toys[1]);
    assert_non_null(device);
    assert_string_equal(world_text(device, "id"), id(w, 1));
    assert_string_equal(world_text(device, "name"), "Cellar");
    assert_string_equal(world_text(device, "serial"), "SN-1");
    assert_string_equal(world_text(device, "class"), "meter-s3");
    assert_string_equal(world_text(device, "group"), "north");
    assert_string_equal(world_text(device, "state"), "accepted");
    assert_string_equal(world_text(device, "tags.site"), "Ulm");
    assert_string_equal(world_text(device, "meta.contract"), "a, \"b\"");
    json_decref(device);
    world_close(w);
}

static void test_the_same_import_again_changes_nothing(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    csv_of("spki_sha256,name,tag:site,meta:contract\n%s,A,x,1\n%s,B,,2\n%s,C,z,\n",
           spki(w, 1), spki(w, 2), spki(w, 3));
    check_import(w, csv, 3, 0, 0);
    long long events = world_sql(w, "SELECT count(*) FROM event");
    check_import(w, csv, 0, 0, 3);
    world_restart(w, 1000);
    check_import(w, csv, 0, 0, 3);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM event"), events);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device"), 3);
    world_close(w);
}

static void test_only_named_columns_are_changed(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    check_import(w, csv_of("spki_sha256,name,serial,tag:a\n%s,A,S,1\n", spki(w, 1)), 1, 0,
                 0);
    check_import(w, csv_of("id,name,tag:b\n%s,New,2\n", id(w, 1)), 0, 1, 0);
    check_import(w, csv_of("id,tag:b\n%s,3\n", id(w, 1)), 0, 1, 0);
    check_import(w, csv_of("id,tag:b\n%s,\n", id(w, 1)), 0, 0, 1); /* nothing is said */
    json_t *device = world_show_device(w, &w->toys[1]);
    assert_string_equal(world_text(device, "name"), "New");
    assert_string_equal(world_text(device, "serial"), "S");
    assert_string_equal(world_text(device, "tags.a"), "1");
    assert_string_equal(world_text(device, "tags.b"), "3");
    json_decref(device);
    world_close(w);
}

static void test_a_dry_run_says_the_same_and_leaves_only_its_audit_entry(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    world_checkin(w, world_toy(w, 3, &nothing), NULL, 0); /* pending */
    check_import(w, csv_of("spki_sha256,name\n%s,A\n", spki(w, 1)), 1, 0, 0);
    static char text[1000];
    snprintf(text, sizeof text,
             "spki_sha256,name,tag:t\n%s,Changed,\n%s,B,1\n%s,C,\nxx,D,\n", spki(w, 1),
             spki(w, 2), spki(w, 3));
    long long events = world_sql(w, "SELECT count(*) FROM event");
    long long audit = world_sql(w, "SELECT count(*) FROM audit");
    json_t *dry = import(w, text, true, NULL);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device"), 2);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM event"), events);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device WHERE name = 'A'"), 1);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM audit"), audit + 1);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM audit WHERE action = "
                                  "'device.import' AND detail LIKE '%\"dry_run\":true%'"),
                     1);
    assert_int_equal(device_table_count(w->control->devices), 2);
    assert_int_equal(device_table_state_count(w->control->devices, DEVICE_PENDING), 1);
    struct told told = world_checkin(w, world_toy(w, 2, &nothing), NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_NONE);
    assert_int_equal(device_table_state_count(w->control->devices, DEVICE_PENDING), 2);

    struct world *other = world_open(NULL); /* the same, for good, in a world as before */
    world_checkin(other, world_toy(other, 3, &nothing), NULL, 0);
    static char first[200];
    snprintf(first, sizeof first, "spki_sha256,name\n%s,A\n", spki(other, 1));
    check_import(other, first, 1, 0, 0);
    json_t *real = import(other, text, false, NULL);
    assert_true(json_equal(dry, real));
    assert_int_equal(world_number(real, "created"), 1);
    assert_int_equal(world_number(real, "updated"), 2);
    assert_int_equal(json_array_size(world_at(real, "errors")), 1);
    json_decref(dry);
    json_decref(real);
    world_close(other);
    world_close(w);
}

/* A row that is refused, and the field that its error names. %s: a fingerprint. */
static const struct {
    const char *row, *field;
} bad_rows[] = {
    {"%s,n", ""},
    {"%s,n,meter,meter-c3,accepted,1,more", ""},
    {"12,n,meter,meter-c3,accepted,1", "spki_sha256"},
    {"g%.63s,n,meter,meter-c3,accepted,1", "spki_sha256"},
    {",n,meter,meter-c3,accepted,1", "spki_sha256"},
    {"%s,n,gas,meter-c3,accepted,1", "product"},
    {"%s,n,meter,meter-c4,accepted,1", "class"},
    {"%s,n,meter,meter-c3,asleep,1", "state"},
    {"%s,01234567890123456789012345678901234567890123456789012345678901234,,,,", "name"},
    {"%s,,,,,01234567890123456789012345678901234567890123456789012345678901234", "site"},
    {"%s,\"n\"x,,,,", ""},
};

static void test_a_bad_row_is_reported_and_the_others_go_in(void **state)
{
    (void)state;
    enum { COUNT = sizeof bad_rows / sizeof bad_rows[0] };
    struct world *w = world_open(NULL);
    static char text[8000];
    size_t size = (size_t)snprintf(text, sizeof text,
                                   "spki_sha256,name,product,class,state,tag:site\n");
    for (unsigned i = 0; i < COUNT; i++) {
        char row[300];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
        snprintf(row, sizeof row, bad_rows[i].row, spki(w, 100 + i));
#pragma GCC diagnostic pop
        size += (size_t)snprintf(text + size, sizeof text - size, "%s\n%s,good %u,,,,\n",
                                 row, spki(w, i), i);
    }
    json_t *result = import(w, text, false, NULL);
    const json_t *errors = world_at(result, "errors");
    assert_int_equal(json_array_size(errors), COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        const json_t *error = json_array_get(errors, i);
        if (world_number(error, "row") != 2 + 2 * i ||
            strcmp(world_text(error, "field"), bad_rows[i].field) != 0 ||
            strncmp(world_text(error, "message"), "expected ", 9) != 0) {
            fail_msg("%s: row %lld, field %s: %s", bad_rows[i].row,
                     world_number(error, "row"), world_text(error, "field"),
                     world_text(error, "message"));
        }
    }
    assert_int_equal(world_number(result, "created"), COUNT);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device WHERE name LIKE 'good %'"),
                     COUNT);
    json_decref(result);
    world_close(w);
}

/* The one error of an import of one row. */
static void check_refused(struct world *w, const char *text, const char *field)
{
    json_t *result = import(w, text, false, NULL);
    assert_non_null(result);
    assert_int_equal(json_array_size(world_at(result, "errors")), 1);
    if (strcmp(world_text(result, "errors.0.field"), field) != 0) {
        fail_msg("%s: %s", text, world_text(result, "errors.0.message"));
    }
    assert_int_equal(world_number(result, "created") + world_number(result, "updated"), 0);
    json_decref(result);
}

static void test_what_a_device_is_cannot_be_changed_by_import(void **state)
{
    (void)state;
    struct world *w = world_open(two_classes);
    check_import(
        w, csv_of("spki_sha256,class\n%s,meter-c3\n%s,meter-c3\n", spki(w, 1), spki(w, 2)),
        2, 0, 0);
    check_refused(w, csv_of("id,spki_sha256\n%s,%s\n", id(w, 1), spki(w, 3)),
                  "spki_sha256"); /* another key */
    check_refused(w, csv_of("id,spki_sha256\n%s,%s\n", id(w, 3), spki(w, 1)),
                  "spki_sha256"); /* another name for its key */
    check_refused(w, csv_of("id,state\n%s,quarantined\n", id(w, 1)), "state");
    check_refused(w, csv_of("id,state\n%s,pending\n", id(w, 1)), "state");
    check_refused(w, csv_of("id,class\n%s,meter-s3\n", id(w, 1)), "class");
    check_refused(w, csv_of("id\n%s\n", id(w, 5)), "spki_sha256"); /* nobody */
    check_import(w, csv_of("id,class,state\n%s,meter-c3,accepted\n", id(w, 1)), 0, 0, 1);
    world_close(w);
}

static void test_a_pending_device_is_accepted_by_its_fingerprint(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    for (unsigned i = 0; i < 4; i++) {
        world_checkin(w, world_toy(w, i, &nothing), NULL, 0);
    }
    assert_int_equal(device_table_state_count(w->control->devices, DEVICE_PENDING), 4);
    /* By its id alone it is only named: an id is no proof of who it is. */
    check_import(w, csv_of("id,name\n%s,Named\n", id(w, 0)), 0, 1, 0);
    assert_int_equal(device_table_state_count(w->control->devices, DEVICE_PENDING), 4);
    check_import(w,
                 csv_of("spki_sha256,state\n%s,\n%s,rejected\n%s,pending\n", spki(w, 1),
                        spki(w, 2), spki(w, 3)),
                 0, 2, 1);
    assert_int_equal(device_table_state_count(w->control->devices, DEVICE_PENDING), 2);
    assert_int_equal(world_checkin(w, world_toy(w, 1, &nothing), NULL, 0).status, 200);
    assert_int_equal(world_checkin(w, world_toy(w, 2, &nothing), NULL, 0).status, 401);
    assert_int_equal(
        world_sql(w, "SELECT count(*) FROM event WHERE kind = 'device.accepted'"), 1);
    assert_int_equal(
        world_sql(w, "SELECT count(*) FROM event WHERE kind = 'device.rejected'"), 1);
    world_restart(w, 1000);
    assert_int_equal(device_table_state_count(w->control->devices, DEVICE_ACCEPTED), 1);
    assert_int_equal(device_table_state_count(w->control->devices, DEVICE_REJECTED), 1);
    assert_int_equal(device_table_state_count(w->control->devices, DEVICE_PENDING), 2);
    world_close(w);
}

static struct world_release v100, v110;

/* A device that waited before it was named must not be passed over afterwards. */
static void test_who_starts_to_match_joins_the_rollouts_that_go_on(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    world_release(w, "1.0.0", 100, &v100);
    world_release(w, "1.1.0", 110, &v110);
    for (unsigned i = 0; i < 3; i++) {
        world_checkin(w, world_toy(w, i, &v100), NULL, 0); /* pending, running 1.0.0 */
    }
    check_import(w, csv_of("spki_sha256,tag:site\n%s,Ulm\n", spki(w, 3)), 1, 0, 0);
    world_checkin(w, world_toy(w, 3, &v100), NULL, 0); /* the rollout is for somebody */
    static const char body[] = "{\"name\":\"r\",\"release\":\"1.1.0\",\"selector\":"
                               "\"tag(site = Ulm)\",\"phases\":[{\"percent\":100}]}";
    json_t *rollout = world_rollout(w, body, false);
    if (!rollout) { fail_msg("%s", w->problem.text); }
    json_decref(rollout);
    static char text[1000];
    char spki_of[3][65], id_of_0[33];
    for (unsigned i = 0; i < 3; i++) {
        moult_hex_encode(w->toys[i].spki, 32, spki_of[i]);
    }
    moult_hex_encode(w->toys[0].id, 16, id_of_0);
    snprintf(text, sizeof text, "spki_sha256,tag:site\n%s,Bonn\n%s,Ulm\n%s,Ulm\n",
             spki_of[0], spki_of[1], spki_of[2]);
    json_decref(import(w, text, true, NULL)); /* only tried */
    assert_int_equal(world_sql(w, "SELECT count(*) FROM assignment"), 1);
    assert_true(world_recounts(w));
    check_import(w, text, 0, 3, 0);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM assignment"), 3);
    assert_int_equal(world_checkin(w, &w->toys[0], NULL, 0).order.action,
                     MOULT_ACTION_NONE);
    assert_int_equal(world_checkin(w, &w->toys[1], NULL, 0).order.action,
                     MOULT_ACTION_INSTALL);
    assert_true(world_update(w, &w->toys[2], &v110, true));
    snprintf(text, sizeof text, "id,tag:site\n%s,Ulm\n", id_of_0); /* it moves */
    check_import(w, text, 0, 1, 0);
    assert_int_equal(world_checkin(w, &w->toys[0], NULL, 0).order.action,
                     MOULT_ACTION_INSTALL);
    assert_true(world_recounts(w));
    world_restart(w, 1000);
    assert_true(world_recounts(w));
    world_close(w);
}

static void test_a_pending_device_is_given_its_class(void **state)
{
    (void)state;
    struct world *w = world_open(two_classes);
    world_checkin(w, world_toy(w, 1, &nothing), NULL, 0); /* an ESP32-C3, as it says */
    check_import(w, csv_of("spki_sha256,class\n%s,meter-s3\n", spki(w, 1)), 0, 1, 0);
    for (int i = 0; i < 2; i++) {
        json_t *device = world_show_device(w, &w->toys[1]);
        assert_string_equal(world_text(device, "class"), "meter-s3");
        assert_string_equal(world_text(device, "state"), "accepted");
        json_decref(device);
        world_restart(w, 1000);
    }
    world_close(w);
}

/* The image that a device runs says what it is; that must outlast a restart. */
static void test_the_class_of_the_running_release_is_kept(void **state)
{
    (void)state;
    static struct world_release other;
    struct world *w = world_open(two_classes);
    memcpy(w->fleet.class_id, w->config.classes[1].id, 16);
    world_release(w, "3.0.0", 300, &other);
    world_toys(w, 1, &other);
    for (int i = 0; i < 2; i++) {
        json_t *device = world_show_device(w, &w->toys[0]);
        assert_string_equal(world_text(device, "class"), "meter-s3");
        assert_string_equal(world_text(device, "running.version"), "3.0.0");
        json_decref(device);
        world_restart(w, 1000);
    }
    world_close(w);
}

static void test_headers_that_are_not_understood_are_refused_whole(void **state)
{
    (void)state;
    static const struct {
        const char *csv, *field;
    } rows[] = {
        {"", ""},
        {"\n\n", ""},
        {"name,serial\nA,1\n", ""},
        {"spki_sha256,colour\n", "colour"},
        {"spki_sha256,tag:\n", "tag:"},
        {"spki_sha256,Tag:x\n", "Tag:x"},
        {"spki_sha256,name,name\n", "name"},
        {"spki_sha256,tag:a,meta:a,tag:a\n", "tag:a"},
        {"spki_sha256, name\n", " name"},
    };
    struct world *w = world_open(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *result = import(w, rows[i].csv, false, NULL);
        if (result || strcmp(w->problem.field, rows[i].field) != 0) {
            fail_msg("\"%s\": %s", rows[i].csv, w->problem.text);
        }
    }
    check_import(w, "spki_sha256,tag:a,meta:a\n", 0, 0, 0); /* no rows is no mistake */
    world_close(w);
}

/* --- many ----------------------------------------------------------------------------- */

static const char *many(struct world *w, unsigned from, unsigned count)
{
    size_t size = (size_t)snprintf(csv, sizeof csv, "spki_sha256,name,tag:n\n");
    for (unsigned i = from; i < from + count; i++) {
        uint8_t seed[4], digest[32];
        char text[65];
        put_be32(seed, i + 1000000u);
        assert_int_equal(moult_sha256_once(&w->fleet.crypto, seed, 4, digest), MOULT_OK);
        moult_hex_encode(digest, 32, text);
        size +=
            (size_t)snprintf(csv + size, sizeof csv - size, "%s,dev-%u,%u\n", text, i, i);
        assert_true(size < sizeof csv);
    }
    return csv;
}

static void much_room(struct control_config *config)
{
    config->devices_max = 10000;
}

static void test_three_thousand_rows_go_in_by_thousands(void **state)
{
    (void)state;
    struct world *w = world_open(much_room);
    unsigned steps = 0;
    json_t *result = import(w, many(w, 0, 3000), false, &steps);
    assert_int_equal(world_number(result, "created"), 3000);
    assert_true(steps == 3 || steps == 4); /* that all is done may be seen one step later */
    json_decref(result);
    assert_int_equal(device_table_count(w->control->devices), 3000);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device WHERE state = 2"), 3000);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM attribute"), 3000);
    check_import(w, many(w, 1000, 3000), 1000, 0, 2000);
    world_restart(w, 1000);
    assert_int_equal(device_table_count(w->control->devices), 4000);
    world_close(w);
}

static void little_room(struct control_config *config)
{
    config->devices_max = 5;
}

static void test_no_more_devices_than_the_configuration_allows(void **state)
{
    (void)state;
    struct world *w = world_open(little_room);
    json_t *result = import(w, many(w, 0, 12), false, NULL);
    assert_int_equal(world_number(result, "created"), 5);
    assert_int_equal(json_array_size(world_at(result, "errors")), 7);
    json_decref(result);
    assert_int_equal(device_table_count(w->control->devices), 5);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device"), 5);
    result = import(w, many(w, 4, 2), true, NULL); /* also when it is only tried */
    assert_int_equal(world_number(result, "unchanged"), 1);
    assert_int_equal(json_array_size(world_at(result, "errors")), 1);
    json_decref(result);
    world_restart(w, 1000); /* the database holds what memory can */
    assert_int_equal(device_table_count(w->control->devices), 5);
    assert_int_equal(world_checkin(w, world_toy(w, 0, &nothing), NULL, 0).status, 503);
    world_close(w);
}

/* A trial and the real thing in one transaction, as a group commit may put them. */
static enum moult_status both(struct world_call *c)
{
    for (int i = 0; i < 2; i++) {
        struct import_run run = {0};
        struct moult_bytes text = {(const uint8_t *)csv, strlen(csv)};
        c->call.dry_run = i == 0;
        if (control_import_begin(c->call.control, text, &run.import, c->call.problem) !=
                MOULT_OK ||
            control_import_step(&c->call, run.import, &run.is_done) != MOULT_OK) {
            return MOULT_E_INTERNAL;
        }
        json_t *result = control_import_result(run.import);
        control_import_end(run.import);
        if (world_number(result, "created") != 5) { c->status = MOULT_E_RANGE; }
        json_decref(result);
    }
    return c->status;
}

static void test_a_dry_run_takes_no_room(void **state)
{
    (void)state;
    struct world *w = world_open(little_room);
    many(w, 0, 5);
    struct world_call c = {.run = both};
    assert_int_equal(world_run(w, &c), MOULT_OK);
    assert_int_equal(device_table_count(w->control->devices), 5);
    world_close(w);
}

/* At most a thousand errors are told, whatever the number of bad rows; none of it goes
 * in. */
static void test_many_errors_are_told_up_to_a_limit(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    size_t size = (size_t)snprintf(csv, sizeof csv, "spki_sha256\n");
    for (int i = 0; i < 2500; i++) {
        size += (size_t)snprintf(csv + size, sizeof csv - size, "bad%d\n", i);
    }
    json_t *result = import(w, csv, false, NULL);
    assert_int_equal(json_array_size(world_at(result, "errors")), 1000);
    assert_int_equal(world_number(result, "errors.999.row"), 1001);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM audit WHERE detail LIKE "
                                  "'%\"errors\":2500%'"),
                     1);
    json_decref(result);
    world_close(w);
}

/* --- and back ------------------------------------------------------------------------- */

static enum moult_status export_all(struct world_call *c)
{
    struct buffer *out = (struct buffer *)(uintptr_t)c->argument; /* the test's own */
    return control_device_export(&c->call, out);
}

static char *exported(struct world *w)
{
    struct buffer out;
    buffer_init(&out, 1u << 20);
    struct world_call c = {.run = export_all, .argument = &out};
    assert_int_equal(world_run(w, &c), MOULT_OK);
    buffer_append(&out, "", 1);
    assert_false(out.failed);
    char *text = strdup((const char *)out.data);
    buffer_release(&out);
    return text;
}

static void test_what_is_exported_can_be_imported(void **state)
{
    (void)state;
    struct world *w = world_open(two_classes);
    check_import(w,
                 csv_of("spki_sha256,name,serial,class,group,state\n"
                        "%s,plain,S1,meter-c3,g,accepted\n"
                        "%s,\"comma, \"\"quote\"\" and\nline\",,meter-s3,,quarantined\n"
                        "%s,\"\xc3\xbc \r\",,,,rejected\n"
                        "%s,\"two\nlines\",,,,pending\n",
                        spki(w, 1), spki(w, 2), spki(w, 3), spki(w, 4)),
                 4, 0, 0);
    char *first = exported(w);
    check_import(w, first, 0, 0, 4);

    struct world *other = world_open(two_classes);
    check_import(other, first, 4, 0, 0);
    char *second = exported(other);
    assert_string_equal(first, second);
    assert_int_equal(
        strncmp(first, "id,spki_sha256,name,serial,product,class,group,state\n", 53), 0);
    assert_non_null(
        strstr(first, "\"comma, \"\"quote\"\" and\nline\",,meter,meter-s3,,quarantined\n"));
    free(first);
    free(second);
    world_close(other);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_column_arrives),
        cmocka_unit_test(test_the_same_import_again_changes_nothing),
        cmocka_unit_test(test_only_named_columns_are_changed),
        cmocka_unit_test(test_a_dry_run_says_the_same_and_leaves_only_its_audit_entry),
        cmocka_unit_test(test_a_bad_row_is_reported_and_the_others_go_in),
        cmocka_unit_test(test_what_a_device_is_cannot_be_changed_by_import),
        cmocka_unit_test(test_a_pending_device_is_accepted_by_its_fingerprint),
        cmocka_unit_test(test_who_starts_to_match_joins_the_rollouts_that_go_on),
        cmocka_unit_test(test_a_pending_device_is_given_its_class),
        cmocka_unit_test(test_the_class_of_the_running_release_is_kept),
        cmocka_unit_test(test_headers_that_are_not_understood_are_refused_whole),
        cmocka_unit_test(test_three_thousand_rows_go_in_by_thousands),
        cmocka_unit_test(test_no_more_devices_than_the_configuration_allows),
        cmocka_unit_test(test_a_dry_run_takes_no_room),
        cmocka_unit_test(test_many_errors_are_told_up_to_a_limit),
        cmocka_unit_test(test_what_is_exported_can_be_imported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
