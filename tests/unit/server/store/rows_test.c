/* rows_test.c - typed rows come back as they went in, and the schema refuses what must not
 * be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "server/store/store_admin.h"
#include "server/store/store_device.h"
#include "server/store/store_event.h"
#include "server/store/store_release.h"
#include "server/store/store_rollout.h"
#include "tests/support/unit.h"

static struct store *store;
static struct store_db *db;
static char path[64];

static int open_store(void **state)
{
    (void)state;
    static int number;
    struct store_error error;
    snprintf(path, sizeof path, "rows_test.%d.%d.db", (int)getpid(), number++);
    struct store_options options = {.path = path};
    if (store_open(&options, &store, &error) != MOULT_OK) { return -1; }
    db = store_setup_db(store);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    char command[160];
    store_close(store);
    snprintf(command, sizeof command, "rm -f %s*", path);
    return system(command);
}

static struct store_device device_of(uint8_t n)
{
    struct store_device d = {.state = 2, .first_seen_ms = 1000};
    memset(d.id, n, sizeof d.id);
    memset(d.spki, n, sizeof d.spki);
    memset(d.class_id, 7, sizeof d.class_id);
    return d;
}

static struct store_device add_device(uint8_t n)
{
    struct store_device d = device_of(n);
    assert_int_equal(store_device_insert(db, &d), MOULT_OK);
    return d;
}

static struct store_release add_release(uint64_t sequence)
{
    static struct store_release r;
    memset(&r, 0, sizeof r);
    r.sequence = sequence;
    r.state = STORE_RELEASE_PUBLISHED;
    r.created_ms = 5;
    r.envelope_size = 300;
    memset(r.envelope, 0xd8, 300);
    memset(r.id, (int)sequence, sizeof r.id);
    memset(r.payload_sha256, (int)sequence, 32);
    snprintf(r.version, sizeof r.version, "1.0.%d", (int)sequence);
    r.component_count = 2;
    for (uint8_t i = 0; i < 2; i++) {
        r.components[i] = (struct store_component){
            .id = i, .chip_id = 5, .revision_max = 199, .size = 1000u + i};
        memset(r.components[i].sha256, (int)(sequence + i), 32);
        assert_int_equal(store_artifact_put(db, r.components[i].sha256, 1000, 1), MOULT_OK);
    }
    assert_int_equal(store_release_insert(db, &r), MOULT_OK);
    return r;
}

static struct store_rollout *add_rollout(int64_t release, const char *name)
{
    static struct store_rollout r;
    memset(&r, 0, sizeof r);
    r.release = release;
    snprintf(r.name, sizeof r.name, "%s", name);
    memset(r.id, name[0], sizeof r.id);
    snprintf(r.selector, sizeof r.selector, "all");
    snprintf(r.reason, sizeof r.reason, "started");
    snprintf(r.created_by, sizeof r.created_by, "anna");
    r.state = 3;
    r.mode = 1;
    r.revision = 1;
    r.phase_count = 2;
    for (uint32_t i = 0; i < STORE_COUNTER_COUNT; i++) {
        r.phases[1].counters[i] = UINT32_MAX - i;
    }
    r.phases[1].gates[0] = 9500;
    r.phases[1].needs_approval = true;
    assert_int_equal(store_rollout_insert(db, &r), MOULT_OK);
    return &r;
}

static void test_a_device_comes_back_whole(void **state)
{
    (void)state;
    struct store_device d = add_device(3), found;
    snprintf(d.name, sizeof d.name, "meter \"3\"");
    snprintf(d.serial, sizeof d.serial, "SN3");
    snprintf(d.group, sizeof d.group, "north");
    assert_int_equal(store_device_save_labels(db, &d), MOULT_OK);
    d.has_running = true;
    memset(d.running_digest, 0x11, 32);
    d.running_sequence = UINT64_MAX - 1;
    d.keyset_version = 4;
    assert_int_equal(store_device_save_running(db, &d), MOULT_OK);
    d.has_chip = true;
    d.chip_id = 5;
    assert_int_equal(store_device_save_facts(db, &d, "{\"chip\":\"esp32c3\"}"), MOULT_OK);
    d.fail_reason = 806;
    d.fail_ms = 77;
    snprintf(d.fail_text, sizeof d.fail_text, "sensor");
    assert_int_equal(store_device_save_failure(db, &d), MOULT_OK);
    assert_int_equal(store_device_by_spki(db, d.spki, &found), MOULT_OK);
    d.has_facts = true;
    assert_memory_equal(&found, &d, sizeof d);
    assert_int_equal(store_device_by_name(db, "SN3", &found), MOULT_OK);
    assert_int_equal(found.num, d.num);
    uint8_t facts[64];
    size_t size = 0;
    assert_int_equal(store_device_facts(db, d.num, facts, sizeof facts, &size), MOULT_OK);
    assert_memory_equal(facts, "{\"chip\":\"esp32c3\"}", size);
    assert_int_equal(store_device_facts(db, d.num, facts, 3, &size), MOULT_E_SPACE);
}

static void test_keys_and_ids_are_unique_and_names_are_not(void **state)
{
    (void)state;
    add_device(1);
    struct store_device other = device_of(1), found;
    assert_int_equal(store_device_insert(db, &other), MOULT_E_EXISTS);
    memset(other.id, 9, sizeof other.id); /* another id, the same key */
    assert_int_equal(store_device_insert(db, &other), MOULT_E_EXISTS);
    struct store_device a = add_device(2), b = add_device(4);
    snprintf(a.name, sizeof a.name, "twin");
    snprintf(b.serial, sizeof b.serial, "twin");
    assert_int_equal(store_device_save_labels(db, &a), MOULT_OK);
    assert_int_equal(store_device_save_labels(db, &b), MOULT_OK);
    assert_int_equal(store_device_by_name(db, "twin", &found), MOULT_E_CONFLICT);
    assert_int_equal(store_device_by_name(db, "nobody", &found), MOULT_E_NOENT);
    a.num = 999;
    assert_int_equal(store_device_save_state(db, &a), MOULT_E_NOENT);
}

static void test_seen_never_goes_back(void **state)
{
    (void)state;
    struct store_device d = add_device(1), found;
    uint8_t rhythm[STORE_RHYTHM_SIZE] = {9};
    struct store_seen seen = {.num = d.num,
                              .last_seen_ms = 5000,
                              .counter = 800,
                              .next_s = 60,
                              .rhythm = rhythm,
                              .address = "192.0.2.1"};
    assert_int_equal(store_device_save_seen(db, &seen), MOULT_OK);
    seen.last_seen_ms = 4000;
    seen.counter = 700;
    assert_int_equal(store_device_save_seen(db, &seen), MOULT_OK);
    assert_int_equal(store_device_by_num(db, d.num, &found), MOULT_OK);
    assert_int_equal(found.last_seen_ms, 5000);
    assert_int_equal(found.counter, 800);
    assert_int_equal(found.rhythm[0], 9);
    assert_string_equal(found.last_address, "192.0.2.1");
}

static bool take_attribute(void *context, enum store_space space, const char *name,
                           const char *value)
{
    char *out = context;
    size_t at = strlen(out);
    snprintf(out + at, 200 - at, "%d.%s=%s;", (int)space, name, value);
    return true;
}

static void test_device_and_operator_have_their_own_words(void **state)
{
    (void)state;
    struct store_device d = add_device(1);
    char all[200] = "";
    assert_int_equal(store_attribute_set(db, d.num, STORE_META, "site", "berlin", 1),
                     MOULT_OK);
    assert_int_equal(store_attribute_set(db, d.num, STORE_ATTR, "site", "moon", 1),
                     MOULT_OK);
    assert_int_equal(store_attribute_set(db, d.num, STORE_ATTR, "site", "mars", 2),
                     MOULT_OK);
    assert_int_equal(store_attribute_set(db, d.num, STORE_TAG, "dev", "", 1), MOULT_OK);
    assert_int_equal(store_attribute_each(db, d.num, take_attribute, all), MOULT_OK);
    assert_string_equal(all, "1.site=mars;2.site=berlin;3.dev=;");
    assert_int_equal(store_attribute_clear(db, d.num, STORE_ATTR), MOULT_OK);
    assert_int_equal(store_attribute_set(db, d.num, STORE_TAG, "dev", NULL, 1), MOULT_OK);
    all[0] = '\0';
    assert_int_equal(store_attribute_each(db, d.num, take_attribute, all), MOULT_OK);
    assert_string_equal(all, "2.site=berlin;");
    assert_int_equal(store_device_delete(db, d.num), MOULT_OK); /* and they go with it */
    all[0] = '\0';
    assert_int_equal(store_attribute_each(db, d.num, take_attribute, all), MOULT_OK);
    assert_string_equal(all, "");
}

static bool take_release(void *context, const struct store_release *release)
{
    *(struct store_release *)context = *release;
    return true;
}

static void test_a_release_comes_back_with_its_components(void **state)
{
    (void)state;
    struct store_release put = add_release(100), got;
    assert_int_equal(store_release_each(db, take_release, &got), MOULT_OK);
    assert_memory_equal(&got, &put, sizeof got);
    put.num = 0;
    assert_int_equal(store_release_insert(db, &put), MOULT_E_EXISTS);
    memset(put.id, 1, 16);
    memset(put.payload_sha256, 1, 32);
    assert_int_equal(store_release_insert(db, &put), MOULT_E_EXISTS); /* class, sequence */
    put.sequence = 101;
    memset(put.components[1].sha256, 0xee, 32); /* no such artifact */
    assert_int_equal(store_release_insert(db, &put), MOULT_E_EXISTS);
}

static bool take_rollout(void *context, const struct store_rollout *rollout)
{
    *(struct store_rollout *)context = *rollout;
    return true;
}

static void test_a_rollout_comes_back_with_gates_and_counters(void **state)
{
    (void)state;
    static struct store_rollout got;
    struct store_rollout *put = add_rollout(add_release(1).num, "spring");
    assert_int_equal(store_rollout_each(db, take_rollout, &got), MOULT_OK);
    assert_memory_equal(&got, put, sizeof got);
    put->state = 5;
    put->revision = 2;
    put->phases[0].state = 6;
    snprintf(put->reason, sizeof put->reason, "paused");
    assert_int_equal(store_rollout_save(db, put), MOULT_OK);
    assert_int_equal(store_rollout_each(db, take_rollout, &got), MOULT_OK);
    assert_memory_equal(&got, put, sizeof got);
    memset(put->id, 1, 16);
    assert_int_equal(store_rollout_insert(db, put), MOULT_E_EXISTS); /* the name */
}

static struct store_assignment planned(int64_t rollout, int64_t device)
{
    return (struct store_assignment){.rollout = rollout,
                                     .device = device,
                                     .state = 1,
                                     .generation = 1,
                                     .flags = 128,
                                     .updated_ms = 9,
                                     .entered_ms = 9,
                                     .deadline_ms = INT64_MAX};
}

static void test_a_device_has_one_slot(void **state)
{
    (void)state;
    int64_t release = add_release(1).num;
    int64_t a = add_rollout(release, "a")->num, b = add_rollout(release, "b")->num;
    struct store_device d = add_device(1);
    struct store_assignment first = planned(a, d.num), second = planned(b, d.num), got;
    assert_int_equal(store_assignment_insert(db, &first), MOULT_OK);
    assert_int_equal(store_assignment_insert(db, &first), MOULT_E_EXISTS);
    assert_int_equal(store_assignment_insert(db, &second), MOULT_E_EXISTS);
    first.state = 10; /* confirmed: the slot is free */
    assert_int_equal(store_assignment_save(db, &first, 1, 1), MOULT_OK);
    assert_int_equal(store_assignment_active(db, d.num, &got), MOULT_E_NOENT);
    assert_int_equal(store_assignment_insert(db, &second), MOULT_OK);
    assert_int_equal(store_assignment_active(db, d.num, &got), MOULT_OK);
    assert_int_equal(got.rollout, b);
    first.state = 9; /* coming back: the slot is taken */
    assert_int_equal(store_assignment_save(db, &first, 1, 10), MOULT_E_EXISTS);
}

static void test_an_assignment_is_saved_by_compare_and_set(void **state)
{
    (void)state;
    int64_t rollout = add_rollout(add_release(1).num, "a")->num;
    struct store_device d = add_device(1);
    struct store_assignment put = planned(rollout, d.num), got;
    assert_int_equal(store_assignment_insert(db, &put), MOULT_OK);
    assert_int_equal(store_assignment_of(db, rollout, d.num, &got), MOULT_OK);
    assert_memory_equal(&got, &put, sizeof got);
    put.state = 4;
    put.generation = 2;
    put.has_deployment = put.has_from_digest = true;
    memset(put.deployment, 5, 16);
    memset(put.from_digest, 6, 32);
    put.tries[6] = 3;
    put.bytes = UINT32_MAX;
    put.deadline_ms = 1234;
    snprintf(put.message, sizeof put.message, "words");
    assert_int_equal(store_assignment_save(db, &put, 9, 1), MOULT_E_CONFLICT);
    assert_int_equal(store_assignment_save(db, &put, 1, 3), MOULT_E_CONFLICT);
    assert_int_equal(store_assignment_save(db, &put, 1, 1), MOULT_OK);
    assert_int_equal(store_assignment_by_deployment(db, put.deployment, &got), MOULT_OK);
    assert_memory_equal(&got, &put, sizeof got);
}

static bool count_row(void *context, const struct store_assignment *row)
{
    (void)row;
    (*(int *)context)++;
    return true;
}

static void test_due_ones_are_found_and_an_outage_moves_them(void **state)
{
    (void)state;
    int64_t rollout = add_rollout(add_release(1).num, "a")->num;
    for (uint8_t n = 1; n <= 3; n++) {
        struct store_assignment a = planned(rollout, add_device(n).num);
        assert_int_equal(store_assignment_insert(db, &a), MOULT_OK);
        a.state = n == 3 ? 2 : 7; /* two reboot, one is only offered */
        a.deadline_ms = 1000 * n;
        assert_int_equal(store_assignment_save(db, &a, 1, 1), MOULT_OK);
    }
    int count = 0;
    assert_int_equal(store_assignment_each_due(db, 3000, 10, count_row, &count), MOULT_OK);
    assert_int_equal(count, 3);
    assert_int_equal(store_assignment_extend(db, 5000), MOULT_OK);
    count = 0;
    assert_int_equal(store_assignment_each_due(db, 3000, 10, count_row, &count), MOULT_OK);
    assert_int_equal(count, 1);
}

static bool take_reason(void *context, uint16_t reason, uint32_t count)
{
    char *out = context;
    size_t at = strlen(out);
    snprintf(out + at, 100 - at, "%d:%u ", reason, (unsigned)count);
    return true;
}

static void test_reasons_are_counted_most_frequent_first(void **state)
{
    (void)state;
    static const uint16_t reasons[] = {306, 806, 806};
    int64_t rollout = add_rollout(add_release(1).num, "a")->num;
    for (uint8_t n = 0; n < 3; n++) {
        struct store_assignment a = planned(rollout, add_device(n + 1).num);
        assert_int_equal(store_assignment_insert(db, &a), MOULT_OK);
        a.state = 13;
        a.reason = reasons[n];
        assert_int_equal(store_assignment_save(db, &a, 1, 1), MOULT_OK);
    }
    char all[100] = "";
    assert_int_equal(store_assignment_reasons(db, rollout, take_reason, all), MOULT_OK);
    assert_string_equal(all, "806:2 306:1 ");
}

static void test_poison_counts_up(void **state)
{
    (void)state;
    int64_t release = add_release(1).num, device = add_device(1).num;
    uint32_t count = 0;
    uint16_t reason = 0;
    assert_int_equal(store_poison_find(db, device, release, &count, &reason),
                     MOULT_E_NOENT);
    assert_int_equal(store_poison_add(db, device, release, 806, 1), MOULT_OK);
    assert_int_equal(store_poison_add(db, device, release, 801, 2), MOULT_OK);
    assert_int_equal(store_poison_find(db, device, release, &count, &reason), MOULT_OK);
    assert_int_equal(count, 2);
    assert_int_equal(reason, 801);
}

static void test_a_report_is_stored_once(void **state)
{
    (void)state;
    int64_t device = add_device(1).num, other = add_device(2).num, num = 0;
    struct store_event event = {.time_ms = 1,
                                .device = device,
                                .has_key = true,
                                .boot_id = UINT64_MAX,
                                .sequence = 1,
                                .kind = "report.event",
                                .text = "x",
                                .data = "{}"};
    assert_int_equal(store_event_insert(db, &event, &num), MOULT_OK);
    assert_int_equal(store_event_insert(db, &event, NULL), MOULT_E_EXISTS);
    event.sequence = 2;
    assert_int_equal(store_event_insert(db, &event, NULL), MOULT_OK);
    event.device = other;
    assert_int_equal(store_event_insert(db, &event, NULL), MOULT_OK);
    event.has_key = false; /* the server's own events may repeat */
    assert_int_equal(store_event_insert(db, &event, NULL), MOULT_OK);
    assert_int_equal(store_event_insert(db, &event, NULL), MOULT_OK);
}

static void test_settings_keep_large_numbers(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_int_equal(store_setting_get(db, "x", &value), MOULT_E_NOENT);
    assert_int_equal(store_setting_put(db, "x", INT64_MIN), MOULT_OK);
    assert_int_equal(store_setting_put(db, "x", INT64_MAX), MOULT_OK);
    assert_int_equal(store_setting_get(db, "x", &value), MOULT_OK);
    assert_true(value == INT64_MAX);
}

#define ROW_TEST(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW_TEST(test_a_device_comes_back_whole),
        ROW_TEST(test_keys_and_ids_are_unique_and_names_are_not),
        ROW_TEST(test_seen_never_goes_back),
        ROW_TEST(test_device_and_operator_have_their_own_words),
        ROW_TEST(test_a_release_comes_back_with_its_components),
        ROW_TEST(test_a_rollout_comes_back_with_gates_and_counters),
        ROW_TEST(test_a_device_has_one_slot),
        ROW_TEST(test_an_assignment_is_saved_by_compare_and_set),
        ROW_TEST(test_due_ones_are_found_and_an_outage_moves_them),
        ROW_TEST(test_reasons_are_counted_most_frequent_first),
        ROW_TEST(test_poison_counts_up),
        ROW_TEST(test_a_report_is_stored_once),
        ROW_TEST(test_settings_keep_large_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
