/* releases_test.c - what may become a release, and the exact reason when it may not. */
#include <stdio.h>
#include <string.h>
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

static struct world_release image;

static struct world *open_with_image(void)
{
    struct world *w = world_open(NULL);
    world_make_image(w, "1.0.0", 100, &image);
    world_sign(w, &image);
    return w;
}

static void assert_refused(struct world *w, const struct statements_bytes *envelope,
                           uint16_t detail)
{
    json_t *reply = world_post_release(w, envelope);
    assert_null(reply);
    assert_int_equal(w->problem.detail, detail);
    assert_true(w->problem.text[0]);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM release"), 0);
}

static void test_a_whole_release_is_published_once(void **state)
{
    (void)state;
    struct world *w = open_with_image();
    assert_true(world_put_artifact(w, &image));
    json_t *first = world_post_release(w, &image.envelope);
    assert_non_null(first);
    assert_string_equal(world_text(first, "version"), "1.0.0");
    assert_string_equal(world_text(first, "state"), "published");
    assert_string_equal(world_text(first, "components.0.chip"), "esp32c3");
    assert_int_equal(world_number(first, "sequence"), 100);
    assert_int_equal(json_array_size(world_at(first, "signers")), 1);
    json_t *again = world_post_release(w, &image.envelope); /* the same bytes: no fault */
    assert_string_equal(world_text(again, "id"), world_text(first, "id"));
    assert_int_equal(world_sql(w, "SELECT count(*) FROM release"), 1);
    json_decref(first);
    json_decref(again);
    world_restart(w, 0);
    uint8_t envelope[1024];
    size_t size = 0;
    assert_int_equal(control_release_read(w->control, image.payload_sha256, envelope,
                                          sizeof envelope, &size),
                     MOULT_OK);
    assert_memory_equal(envelope, image.envelope.data, size);
    world_close(w);
}

static void test_signatures_must_reach_the_threshold(void **state)
{
    (void)state;
    struct world *w = open_with_image();
    assert_true(world_put_artifact(w, &image));
    struct moult_release release = statements_release(&w->fleet, 100);
    struct statements_bytes payload = statements_release_payload(&release);
    struct statements_bytes by_root =
        statements_sign(&w->fleet, payload, 1u << STATEMENTS_ROOT);
    assert_refused(w, &by_root, MOULT_D_RELEASE_SIG);
    struct statements_bytes flipped = image.envelope;
    flipped.data[flipped.size - 1] ^= 1;
    assert_refused(w, &flipped, MOULT_D_RELEASE_SIG);
    flipped.size = 3;
    json_t *reply = world_post_release(w, &flipped);
    assert_null(reply);
    world_close(w);
}

static void test_every_artifact_must_be_there(void **state)
{
    (void)state;
    struct world *w = open_with_image();
    assert_refused(w, &image.envelope, MOULT_D_ARTIFACT_MISSING);
    assert_string_equal(w->problem.field, "components[0]");
    world_close(w);
}

static void test_size_must_be_the_signed_one(void **state)
{
    (void)state;
    struct world *w = open_with_image();
    assert_true(world_put_artifact(w, &image));
    struct moult_release release = statements_release(&w->fleet, 100);
    release.version = (struct moult_bytes){(const uint8_t *)"1.0.0", 5};
    release.components[0].digest = image.digest;
    release.components[0].size = image.size + 1;
    release.components[0].secure_version = 0;
    struct statements_bytes envelope = statements_signed_release(&w->fleet, &release);
    assert_refused(w, &envelope, MOULT_D_ARTIFACT_SIZE);
    world_close(w);
}

/* The image says one thing, the statement another. */
static void test_the_image_must_say_the_same_of_itself(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t sequence;
        const char *version;
        uint8_t secure_version;
        uint16_t chip_id;
    } rows[] = {
        {"sequence", 101, "1.0.0", 0, 5},
        {"version", 100, "1.0.1", 0, 5},
        {"secure version", 100, "1.0.0", 1, 5},
        {"chip", 100, "1.0.0", 0, 9},
    };
    struct world *w = open_with_image();
    assert_true(world_put_artifact(w, &image));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_release release = statements_release(&w->fleet, rows[i].sequence);
        release.version =
            (struct moult_bytes){(const uint8_t *)rows[i].version, strlen(rows[i].version)};
        release.rollback_floor = rows[i].sequence;
        release.components[0].digest = image.digest;
        release.components[0].size = image.size;
        release.components[0].secure_version = rows[i].secure_version;
        release.components[0].chip_id = rows[i].chip_id;
        struct statements_bytes envelope = statements_signed_release(&w->fleet, &release);
        assert_refused(w, &envelope, MOULT_D_ESP_INFO_MISMATCH);
    }
    world_close(w);
}

static void test_bytes_that_are_no_image_are_refused(void **state)
{
    (void)state;
    struct world *w = open_with_image();
    struct world_release broken = image;
    broken.image[40] ^= 0x10; /* in the descriptor: checksum and digest are off */
    assert_int_equal(
        moult_sha256_once(&w->fleet.crypto, broken.image, broken.size, broken.digest),
        MOULT_OK);
    world_sign(w, &broken);
    assert_true(world_put_artifact(w, &broken));
    assert_refused(w, &broken.envelope, MOULT_D_ESP_CHECKSUM);
    memset(broken.image, 'x', broken.size);
    assert_int_equal(
        moult_sha256_once(&w->fleet.crypto, broken.image, broken.size, broken.digest),
        MOULT_OK);
    world_sign(w, &broken);
    assert_true(world_put_artifact(w, &broken));
    assert_refused(w, &broken.envelope, MOULT_D_ESP_MAGIC);
    world_close(w);
}

static void test_a_class_has_one_release_per_sequence(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    struct world_release first, second;
    world_release(w, "1.0.0", 100, &first);
    world_make_image(w, "1.0.0b", 100, &second);
    world_sign(w, &second);
    assert_true(world_put_artifact(w, &second));
    assert_null(world_post_release(w, &second.envelope));
    assert_int_equal(w->problem.detail, MOULT_D_RELEASE_DUPLICATE);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM release"), 1);
    world_close(w);
}

static void test_another_class_is_refused(void **state)
{
    (void)state;
    struct world *w = open_with_image();
    assert_true(world_put_artifact(w, &image));
    static const uint8_t other[16] = {0xaa};
    struct moult_release release = statements_release(&w->fleet, 100);
    release.class_id = other;
    struct statements_bytes envelope = statements_signed_release(&w->fleet, &release);
    assert_refused(w, &envelope, MOULT_D_RELEASE_CLASS);
    world_close(w);
}

static enum moult_status list_releases(struct world_call *c)
{
    return control_release_list(&c->call, NULL, c->argument, &c->reply);
}

static void test_lists_are_newest_first_and_paged(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    struct world_release release;
    for (unsigned i = 0; i < 5; i++) {
        char version[16];
        snprintf(version, sizeof version, "1.%u.0", i);
        world_release(w, version, 100 + i, &release);
    }
    struct control_page page = {.limit = 2};
    char cursor[32];
    for (unsigned i = 0; i < 3; i++) {
        struct world_call c = {.run = list_releases, .argument = &page};
        assert_int_equal(world_run(w, &c), MOULT_OK);
        const json_t *items = world_at(c.reply, "items");
        assert_int_equal(json_array_size(items), i < 2 ? 2 : 1);
        assert_int_equal(world_number(items, "0.sequence"), 104 - 2 * i);
        snprintf(cursor, sizeof cursor, "%s", world_text(c.reply, "next"));
        assert_int_equal(cursor[0] == '\0', i == 2);
        page.cursor = cursor;
        json_decref(c.reply);
    }
    page.cursor = "x1";
    struct world_call c = {.run = list_releases, .argument = &page};
    assert_int_equal(world_run(w, &c), MOULT_E_ARG);
    assert_string_equal(w->problem.field, "cursor");
    world_close(w);
}

static void test_the_next_keyset_is_taken_and_a_foreign_one_is_not(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    struct control_call call = {.control = w->control,
                                .now_ms = world_now(w),
                                .actor = {.name = "test"},
                                .problem = &w->problem};
    struct moult_keyset next = statements_keyset(&w->fleet, 2);
    struct statements_bytes envelope =
        statements_sign(&w->fleet, statements_keyset_payload(&next), 3u << STATEMENTS_ROOT);
    struct statements_fleet other;
    statements_fleet_make(&other, NULL);
    store_stop(w->store);
    call.db = store_setup_db(w->store);
    assert_int_equal(control_keyset_add(&call, statements_view(&w->fleet.envelope)),
                     MOULT_OK);
    assert_int_equal(control_keyset_newest(w->control), 1);
    assert_true(control_keyset_add(&call, statements_view(&other.envelope)) != MOULT_OK);
    assert_true(w->problem.detail != 0);
    assert_int_equal(control_keyset_add(&call, statements_view(&envelope)), MOULT_OK);
    statements_fleet_free(&other);
    world_restart(w, 0);
    assert_int_equal(control_keyset_newest(w->control), 2);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_release_is_published_once),
        cmocka_unit_test(test_signatures_must_reach_the_threshold),
        cmocka_unit_test(test_every_artifact_must_be_there),
        cmocka_unit_test(test_size_must_be_the_signed_one),
        cmocka_unit_test(test_the_image_must_say_the_same_of_itself),
        cmocka_unit_test(test_bytes_that_are_no_image_are_refused),
        cmocka_unit_test(test_a_class_has_one_release_per_sequence),
        cmocka_unit_test(test_another_class_is_refused),
        cmocka_unit_test(test_lists_are_newest_first_and_paged),
        cmocka_unit_test(test_the_next_keyset_is_taken_and_a_foreign_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
