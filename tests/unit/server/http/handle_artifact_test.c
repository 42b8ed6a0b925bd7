/* handle_artifact_test.c - files and statements as devices fetch them: whole, in ranges,
 * and not again what they have. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/support_api.h"

static struct api api;
static struct world_release v100;
static struct api_reply reply;
static char path[128], etag[96], field[256];

static int set_up(void **state)
{
    (void)state; /* cmocka's signature */
    char hex[65];
    api_open(&api, NULL);
    world_release(api.w, "1.0.0", 100, &v100);
    moult_hex_encode(v100.digest, 32, hex);
    snprintf(path, sizeof path, "/device/v1/artifact/%s", hex);
    snprintf(etag, sizeof etag, "\"%s\"", hex);
    for (unsigned i = 0; i < 2; i++) { /* 0 accepted, 1 pending */
        struct toy *toy = api_toy(&api, i, &v100);
        assert_int_equal(world_checkin(api.w, toy, NULL, 0).status, 200);
    }
    json_decref(world_device_verb(api.w, &api.w->toys[0], "accept"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_close(&api);
    return 0;
}

static void fetch(const char *method, const char *from, const char *fields,
                  bool is_headless)
{
    struct api_request request = {
        .method = method, .path = from, .fields = fields, .is_headless = is_headless};
    api_device_ask(&api, 0, &request, &reply);
}

static void expect_bytes(int status, const void *bytes, size_t size)
{
    assert_int_equal(reply.status, status);
    assert_int_equal(reply.body_size, size);
    assert_memory_equal(reply.body, bytes, size);
    assert_string_equal(api_field(&reply, "ETag"), etag);
    api_reply_free(&reply);
}

static void test_an_artifact_is_served_whole_by_its_digest(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) { /* hashed the first time, known the second */
        fetch("GET", path, NULL, false);
        assert_string_equal(api_field(&reply, "Content-Type"), "application/octet-stream");
        assert_string_equal(api_field(&reply, "Accept-Ranges"), "bytes");
        expect_bytes(200, v100.image, v100.size);
    }
}

static void test_head_is_get_without_the_bytes(void **state)
{
    (void)state;
    fetch("HEAD", path, NULL, true);
    assert_int_equal(reply.status, 200);
    assert_int_equal(strtoul(api_field(&reply, "Content-Length"), NULL, 10), v100.size);
    assert_string_equal(api_field(&reply, "ETag"), etag);
    api_reply_free(&reply);
}

/* What a device asks for when it goes on where it stopped. */
static void test_a_range_is_served_from_any_offset(void **state)
{
    (void)state;
    const uint32_t first[] = {0, 1, 31, 32, v100.size / 2, v100.size - 1};
    for (unsigned i = 0; i < sizeof first / sizeof first[0]; i++) {
        char fields[200], want[64];
        snprintf(fields, sizeof fields, "Range: bytes=%u-\r\nIf-Range: %s\r\n", first[i],
                 etag);
        snprintf(want, sizeof want, "bytes %u-%u/%u", first[i], v100.size - 1, v100.size);
        fetch("GET", path, fields, false);
        assert_string_equal(api_field(&reply, "Content-Range"), want);
        expect_bytes(206, v100.image + first[i], v100.size - first[i]);
    }
    fetch("GET", path, "Range: bytes=10-19\r\n", false);
    expect_bytes(206, v100.image + 10, 10);
    fetch("GET", path, "Range: bytes=-5\r\n", false);
    expect_bytes(206, v100.image + v100.size - 5, 5);
}

static void test_another_file_than_the_one_begun_is_sent_whole(void **state)
{
    (void)state;
    fetch("GET", path, "Range: bytes=5-\r\nIf-Range: \"another\"\r\n", false);
    expect_bytes(200, v100.image, v100.size);
    snprintf(field, sizeof field, "Range: bytes=5-\r\nIf-Range: W/%s\r\n", etag);
    fetch("GET", path, field, false); /* a weak tag proves nothing about bytes */
    expect_bytes(200, v100.image, v100.size);
}

static void test_a_range_behind_the_end_is_refused_with_the_size(void **state)
{
    (void)state;
    char want[64];
    snprintf(field, sizeof field, "Range: bytes=%u-\r\n", v100.size);
    snprintf(want, sizeof want, "bytes */%u", v100.size);
    fetch("GET", path, field, false);
    assert_string_equal(api_field(&reply, "Content-Range"), want);
    api_expect(&reply, 416, NULL);
}

static void test_what_the_device_has_is_not_sent_again(void **state)
{
    (void)state;
    snprintf(field, sizeof field, "If-None-Match: %s\r\n", etag);
    fetch("GET", path, field, true);
    assert_string_equal(api_field(&reply, "ETag"), etag);
    api_expect(&reply, 304, NULL);
    fetch("GET", path, "If-None-Match: \"other\"\r\n", false);
    expect_bytes(200, v100.image, v100.size);
}

static void test_what_is_not_there_is_not_found(void **state)
{
    (void)state;
    static const struct {
        const char *path, *code;
    } absent[] = {
        {"/device/v1/artifact/"
         "0000000000000000000000000000000000000000000000000000000000000000",
         "E2210"},
        {"/device/v1/artifact/00", "E2021"},
        {"/device/v1/artifact/"
         "zz00000000000000000000000000000000000000000000000000000000000000",
         "E2021"},
        {"/device/v1/release/"
         "0000000000000000000000000000000000000000000000000000000000000000",
         "E2021"},
        {"/device/v1/keyset/3", "E2021"},
        {"/device/v1/keyset/0", "E2021"},
        {"/device/v1/keyset/1x", "E2021"},
        {"/device/v1/keyset/4294967297", "E2021"}, /* not version 1 */
        {"/device/v1/endpoints/1", "E2021"},       /* none is configured */
        {"/device/v1/endpoints/0", "E2021"},
    };
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        fetch("GET", absent[i].path, NULL, false);
        api_expect(&reply, 404, absent[i].code);
    }
}

/* Bytes rotted on the disk: never served, whatever they are called. */
static void test_a_damaged_file_is_not_served(void **state)
{
    (void)state;
    char hex[65], file[160];
    moult_hex_encode(v100.digest, 32, hex);
    snprintf(file, sizeof file, "%s/artifacts/%.2s/%.2s/%s", api.w->folder, hex, hex + 2,
             hex);
    world_restart(api.w, 1000); /* a new process has not hashed it yet */
    api.env.control = api.w->control;
    api.env.store = api.w->store;
    api.env.artifacts = api.w->artifacts;
    chmod(file, 0600);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xff", 1, 100), 1);
    close(fd);
    fetch("GET", path, NULL, false);
    api_expect(&reply, 422, "E2211");
    fetch("GET", path, NULL, false); /* it was set aside */
    api_expect(&reply, 404, "E2210");
}

static void test_statements_are_served_and_kept(void **state)
{
    (void)state;
    char hex[65], release[128];
    moult_hex_encode(v100.payload_sha256, 32, hex);
    snprintf(release, sizeof release, "/device/v1/release/%s", hex);
    snprintf(etag, sizeof etag, "\"%s\"", hex);
    fetch("GET", release, NULL, false);
    assert_string_equal(api_field(&reply, "Content-Type"), "application/cose");
    expect_bytes(200, v100.envelope.data, v100.envelope.size);
    snprintf(field, sizeof field, "If-None-Match: %s\r\n", etag);
    fetch("GET", release, field, true);
    api_expect(&reply, 304, NULL);
    snprintf(etag, sizeof etag, "\"2\"");
    fetch("GET", "/device/v1/keyset/2", NULL, false);
    expect_bytes(200, api.keyset.data, api.keyset.size);
}

static void test_only_accepted_devices_fetch(void **state)
{
    (void)state;
    struct api_request request = {.method = "GET", .path = path};
    api_device_ask(&api, 1, &request, &reply);
    api_expect(&reply, 403, "E2028");
    api_device_ask(&api, 2, &request, &reply);
    api_expect(&reply, 403, "E2028");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_artifact_is_served_whole_by_its_digest),
        TEST(test_head_is_get_without_the_bytes),
        TEST(test_a_range_is_served_from_any_offset),
        TEST(test_another_file_than_the_one_begun_is_sent_whole),
        TEST(test_a_range_behind_the_end_is_refused_with_the_size),
        TEST(test_what_the_device_has_is_not_sent_again),
        TEST(test_what_is_not_there_is_not_found),
        TEST(test_a_damaged_file_is_not_served),
        TEST(test_statements_are_served_and_kept),
        TEST(test_only_accepted_devices_fetch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
