/* operator_api_test.c - /api/v1 as a whole: who may call what, limits, problems, dry runs,
 * conditions, and requests that come twice. */
#include "server/http/operator_api.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "server/base/buffer.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/support_api.h"

enum { VIEWER, OPERATOR, RELEASER, APPROVER, AUDITOR, ADMIN, DEVICES = 6 };
#define DAY_MS ((uint64_t)24 * 3600 * 1000)

static struct api api;
static struct world_release v100, v110, v120;
static struct api_reply reply;
static char device_path[96], artifact_path[128], csv[200];

static int set_up(void **state)
{
    (void)state; /* cmocka's signature */
    char hex[65];
    api_open(&api, &(struct api_options){.without_signer = true});
    world_release(api.w, "1.0.0", 100, &v100);
    world_release(api.w, "1.1.0", 110, &v110);
    world_make_image(api.w, "1.2.0", 120, &v120); /* neither uploaded nor posted */
    world_toys(api.w, DEVICES, &v100);
    moult_hex_encode(api.w->toys[0].id, 16, hex);
    snprintf(device_path, sizeof device_path, "/api/v1/devices/%s", hex);
    moult_hex_encode(v120.digest, 32, hex);
    snprintf(artifact_path, sizeof artifact_path, "/api/v1/artifacts/%s", hex);
    moult_hex_encode(v120.digest, 32, hex); /* any 32 bytes are a key's digest */
    snprintf(csv, sizeof csv, "spki_sha256,name\n%s,imported\n", hex);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_close(&api);
    return 0;
}

static void call(int role, const char *method, const char *path, const char *body,
                 const char *fields)
{
    struct api_request request = {
        .role = role, .method = method, .path = path, .body = body, .fields = fields};
    api_ask(&api, &request, &reply);
}

static long long audit_count(const char *where)
{
    char sql[400];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM audit WHERE %s", where);
    return world_sql(api.w, sql);
}

/* --- roles ---------------------------------------------------------------------------- */

#define ALL "vorpua" /* first letters; u: auditor */

/* Who may call what. Written here anew: a row added to the server needs one here. */
static const struct {
    const char *method, *path, *roles;
} rights[] = {
    {"GET", "/api/v1/version", NULL}, /* nobody need say who he is */
    {"GET", "/api/v1/status", ALL},
    {"GET", "/api/v1/products", ALL},
    {"GET", "/api/v1/devices", ALL},
    {"POST", "/api/v1/devices/actions?dry_run=true", "o"},
    {"POST", "/api/v1/devices/import?dry_run=true", "o"},
    {"GET", "/api/v1/devices/export", ALL},
    {"GET", "/api/v1/devices/0", ALL},
    {"GET", "/api/v1/devices/0/history", ALL},
    {"GET", "/api/v1/devices/0/why", ALL},
    {"POST", "/api/v1/devices/0/accept", "o"},
    {"PUT", "/api/v1/artifacts/0", "r"},
    {"POST", "/api/v1/releases?dry_run=true", "r"},
    {"GET", "/api/v1/releases", ALL},
    {"GET", "/api/v1/releases/0", ALL},
    {"GET", "/api/v1/releases/0/statement", ALL},
    {"POST", "/api/v1/rollouts?dry_run=true", "o"},
    {"GET", "/api/v1/rollouts", ALL},
    {"GET", "/api/v1/rollouts/0", ALL},
    {"GET", "/api/v1/rollouts/0/devices", ALL},
    {"POST", "/api/v1/rollouts/0/abort", "o"},
    {"GET", "/api/v1/events", ALL},
    {"GET", "/api/v1/audit", "ua"},
    {"GET", "/api/v1/keysets/1", ALL},
    {"GET", "/metrics", ALL},
};
enum { RIGHTS = sizeof rights / sizeof rights[0] };

static bool may(const char *roles, int role)
{
    static const char letters[] = "vorpua";
    return !roles || strchr(roles, letters[role]);
}

static void test_each_role_may_do_its_share(void **state)
{
    (void)state;
    assert_int_equal(RIGHTS, operator_routes.count);
    for (unsigned i = 0; i < RIGHTS; i++) {
        for (int role = VIEWER; role <= ADMIN; role++) {
            call(role, rights[i].method, rights[i].path, NULL, NULL);
            bool is_refused = reply.status == 403 || reply.status == 401;
            if (is_refused == may(rights[i].roles, role)) {
                fail_msg("%s %s as role %d: %d", rights[i].method, rights[i].path, role,
                         reply.status);
            }
            if (is_refused) {
                api_expect(&reply, 403, "E2010");
            } else {
                api_reply_free(&reply);
            }
        }
    }
}

static void test_without_a_token_only_the_version_is_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RIGHTS; i++) {
        call(API_NO_TOKEN, rights[i].method, rights[i].path, NULL, NULL);
        if (rights[i].roles) {
            assert_string_equal(api_field(&reply, "WWW-Authenticate"), "Bearer");
            api_expect(&reply, 401, "E2009");
        } else {
            api_expect(&reply, 200, NULL);
        }
    }
    static const char *const wrong[] = {
        "Authorization: Bearer moult_wrong\r\n", "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer \r\n", "Authorization: bearer\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        call(API_NO_TOKEN, "GET", "/api/v1/status", NULL, wrong[i]);
        api_expect(&reply, 401, "E2009");
    }
}

static void test_metrics_may_be_open_to_this_machine(void **state)
{
    (void)state;
    api.env.metrics_open = true;
    call(API_NO_TOKEN, "GET", "/metrics", NULL, NULL);
    assert_non_null(strstr(reply.body, "moult_checkins_total"));
    api_expect(&reply, 200, NULL);
    call(API_NO_TOKEN, "GET", "/api/v1/status", NULL, NULL);
    api_expect(&reply, 401, "E2009");
}

/* --- limits and problems -------------------------------------------------------------- */

static void send_sized(const char *method, const char *path, int role, size_t size)
{
    char *body = calloc(1, size);
    assert_non_null(body);
    memset(body, ' ', size);
    struct api_request request = {
        .role = role, .method = method, .path = path, .body = body, .body_size = size};
    api_ask(&api, &request, &reply);
    free(body);
}

static void test_bodies_have_a_limit_for_each_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        int role;
        size_t most;
        int status; /* of a body of blanks that is just not too long */
    } limits[] = {
        {"POST", "/api/v1/rollouts", OPERATOR, 65536, 400},
        {"POST", "/api/v1/rollouts/r/pause", OPERATOR, 65536, 400},
        {"POST", "/api/v1/devices/actions", OPERATOR, 65536, 400},
        {"POST", "/api/v1/devices/import", OPERATOR, 8u << 20, 422},
        {"POST", "/api/v1/releases", RELEASER, MOULT_STATEMENT_SIZE_MAX, 422},
        {"PUT", artifact_path, RELEASER, ARTIFACT_SIZE_MAX, 422},
        {"GET", "/api/v1/status", VIEWER, 0, 200},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        send_sized(limits[i].method, limits[i].path, limits[i].role, limits[i].most + 1);
        api_expect(&reply, 413, "E2004");
        if (limits[i].most == 0) { continue; }
        send_sized(limits[i].method, limits[i].path, limits[i].role, limits[i].most);
        if (reply.status == 413) { fail_msg("%s at its limit", limits[i].path); }
        assert_int_equal(reply.status, limits[i].status);
        api_reply_free(&reply);
    }
}

static void test_heads_have_a_limit(void **state)
{
    (void)state;
    static char fields[9000];
    memset(fields, 'x', sizeof fields - 1);
    memcpy(fields, "X-Long: ", 8);
    memcpy(fields + sizeof fields - 3, "\r\n", 3);
    call(VIEWER, "GET", "/api/v1/status", NULL, fields);
    api_expect(&reply, 431, "E2005");
}

static void test_problems_say_where_and_what(void **state)
{
    (void)state;
    static const struct {
        int role;
        const char *method, *path, *body;
        int status;
        const char *code, *field;
    } bad[] = {
        {OPERATOR, "POST", "/api/v1/rollouts", "{", 400, "E2006", ""},
        {OPERATOR, "POST", "/api/v1/rollouts", "[]", 400, "E2006", ""},
        {OPERATOR, "POST", "/api/v1/rollouts", "{\"a\":1,\"a\":2}", 400, "E2006", ""},
        {OPERATOR, "POST", "/api/v1/rollouts", "{\"release\":\"9\"}", 404, "E2021",
         "release"},
        {OPERATOR, "POST", "/api/v1/rollouts",
         "{\"release\":\"1.1.0\",\"phases\":[{\"percent\":101}]}", 422, "E2007",
         "phases[0].percent"},
        {OPERATOR, "POST", "/api/v1/rollouts", "{\"relase\":\"1.1.0\"}", 422, "E2007",
         "relase"},
        {OPERATOR, "POST", "/api/v1/rollouts/none/pause", "{}", 404, "E2021", "rollout"},
        {OPERATOR, "POST", "/api/v1/devices/actions",
         "{\"verb\":\"retire\",\"selector\":\"all\",\"expect_count\":1}", 409, "E2109",
         "expect_count"},
        {OPERATOR, "POST", "/api/v1/devices/actions",
         "{\"verb\":\"retire\",\"selector\":\"al\",\"expect_count\":1}", 422, "E2102",
         "selector"},
        {OPERATOR, "POST", "/api/v1/devices/actions", "{\"verb\":\"retire\"}", 422, "E2007",
         "selector"},
        {VIEWER, "GET", "/api/v1/devices?limit=0", NULL, 400, "E2022", ""},
        {VIEWER, "GET", "/api/v1/devices?limit=501", NULL, 400, "E2022", ""},
        {VIEWER, "GET", "/api/v1/devices?colour=red", NULL, 400, "E2022", "colour"},
        {VIEWER, "GET", "/api/v1/devices?limit=1&limit=2", NULL, 400, "E2022", "limit"},
        {VIEWER, "GET", "/api/v1/devices?state=odd", NULL, 400, "E2022", "state"},
        {VIEWER, "GET", "/api/v1/rollouts?state=odd", NULL, 400, "E2022", "state"},
        {VIEWER, "GET", "/api/v1/devices/00", NULL, 404, "E2021", "device"},
        {VIEWER, "GET", "/api/v1/events?after=evt", NULL, 400, "E2022", "cursor"},
        {VIEWER, "GET", "/api/v1/nothing", NULL, 404, "E2002", ""},
        {VIEWER, "DELETE", "/api/v1/devices", NULL, 405, "E2003", ""},
        {OPERATOR, "POST", "/api/v1/rollouts?dry_run=yes", "{}", 400, "E2022", ""},
        {RELEASER, "PUT", "/api/v1/artifacts/12", "x", 422, "E2007", ""},
        {RELEASER, "POST", "/api/v1/releases", "x", 422, NULL, ""},
        {RELEASER, "POST", "/api/v1/releases", NULL, 400, "E2006", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        call(bad[i].role, bad[i].method, bad[i].path, bad[i].body, NULL);
        if (strcmp(world_text(reply.json, "field"), bad[i].field) != 0) {
            fail_msg("%s %s: field %s", bad[i].path, bad[i].body ? bad[i].body : "",
                     world_text(reply.json, "field"));
        }
        api_expect(&reply, bad[i].status, bad[i].code);
    }
}

/* --- dry runs ------------------------------------------------------------------------- */

/* What a change of any kind would show in; the audit is told of dry runs too. */
static void take_picture(long long out[12])
{
    static const char *const sums[12] = {
        "SELECT count(*) FROM device",
        "SELECT sum(state * num) FROM device",
        "SELECT count(*) FROM attribute",
        "SELECT count(*) FROM artifact",
        "SELECT count(*) FROM release",
        "SELECT count(*) FROM rollout",
        "SELECT sum(state * 100 + revision) FROM rollout",
        "SELECT sum(state * 10 + acknowledged + (closed > 0)) FROM phase",
        "SELECT sum(state * 100 + generation) FROM assignment",
        "SELECT count(*) FROM event",
        "SELECT count(*) FROM idempotency",
        "SELECT count(*) FROM poison",
    };
    for (unsigned i = 0; i < 12; i++) {
        out[i] = world_sql(api.w, sums[i]);
    }
}

/* The same request: dry, where it changes nothing, then in earnest, where it does. */
static void try_both(int role, const char *method, const char *path,
                     struct api_request body)
{
    long long before[12], after[12];
    char dry_path[200];
    struct api_request request = body;
    long long audited = audit_count("detail LIKE '%\"dry_run\":true%'");
    snprintf(dry_path, sizeof dry_path, "%s?dry_run=true", path);
    request.role = role;
    request.method = method;
    request.path = dry_path;
    take_picture(before);
    api_ask(&api, &request, &reply);
    if (!json_is_true(world_at(reply.json, "dry_run"))) {
        fail_msg("%s: %d %s", dry_path, reply.status, reply.body);
    }
    api_expect(&reply, 200, NULL);
    take_picture(after);
    assert_memory_equal(before, after, sizeof before);
    assert_true(audit_count("detail LIKE '%\"dry_run\":true%'") > audited);

    request.path = path;
    long long count = audit_count("1");
    api_ask(&api, &request, &reply);
    if (reply.status != 200 && reply.status != 201) {
        fail_msg("%s: %d %s", path, reply.status, reply.body);
    }
    assert_null(world_at(reply.json, "dry_run"));
    api_reply_free(&reply);
    assert_true(audit_count("1") > count);
}

static void try_text(int role, const char *path, const char *body)
{
    long long before[12], after[12];
    take_picture(before);
    try_both(role, "POST", path, (struct api_request){.body = body});
    take_picture(after);
    assert_memory_not_equal(before, after, sizeof before);
}

static void try_device(const char *verb)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", device_path, verb);
    try_text(OPERATOR, path, NULL);
}

static void test_a_dry_run_of_anything_changes_nothing(void **state)
{
    (void)state;
    static const char *const verbs[] = {"quarantine", "release", "reject",
                                        "accept",     "retire",  "unretire"};
    for (unsigned i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        try_device(verbs[i]);
    }
    try_text(OPERATOR, "/api/v1/devices/actions",
             "{\"verb\":\"quarantine\",\"selector\":\"all\",\"expect_count\":6}");
    try_text(OPERATOR, "/api/v1/devices/actions",
             "{\"verb\":\"release\",\"selector\":\"all\",\"expect_count\":6}");
    try_text(OPERATOR, "/api/v1/devices/import", csv);
    try_text(OPERATOR, "/api/v1/rollouts",
             "{\"name\":\"r\",\"release\":\"1.1.0\",\"start\":false,"
             "\"phases\":[{\"count\":2},{\"rest\":true}]}");
    try_text(OPERATOR, "/api/v1/rollouts/r/start", NULL);
    try_text(OPERATOR, "/api/v1/rollouts/r/pause", NULL);
    try_text(OPERATOR, "/api/v1/rollouts/r/resume", NULL);
    try_text(OPERATOR, "/api/v1/rollouts/r/advance", "{\"remark\":\"enough\"}");
    world_update(api.w, &api.w->toys[0], &v110, false);
    try_text(OPERATOR, "/api/v1/rollouts/r/retry", NULL);
    try_text(OPERATOR, "/api/v1/rollouts/r/abort", NULL);
}

static bool artifact_is_there(void)
{
    char hex[65], file[160];
    moult_hex_encode(v120.digest, 32, hex);
    snprintf(file, sizeof file, "%s/artifacts/%.2s/%.2s/%s", api.w->folder, hex, hex + 2,
             hex);
    return access(file, F_OK) == 0;
}

static void test_a_dry_run_of_an_upload_keeps_nothing(void **state)
{
    (void)state;
    struct api_request put = {
        .role = RELEASER, .method = "PUT", .body = v120.image, .body_size = v120.size};
    char dry[160], other[160], where[300];
    snprintf(dry, sizeof dry, "%s?dry_run=true", artifact_path);
    snprintf(other, sizeof other, "%s", artifact_path);
    other[20] = other[20] == '0' ? '1' : '0';
    put.path = dry;
    api_ask(&api, &put, &reply);
    assert_true(json_is_true(world_at(reply.json, "dry_run")));
    assert_int_equal(world_number(reply.json, "size"), v120.size);
    api_expect(&reply, 200, NULL);
    assert_false(artifact_is_there());

    put.path = other; /* refused: the bytes are not what the path says */
    api_ask(&api, &put, &reply);
    api_expect(&reply, 422, "E2211");
    snprintf(other + strlen(other), 20, "?dry_run=true");
    api_ask(&api, &put, &reply);
    api_expect(&reply, 422, "E2211");

    put.path = artifact_path;
    for (int status = 201; status >= 200; status--) { /* the second time it is there */
        api_ask(&api, &put, &reply);
        assert_null(world_at(reply.json, "dry_run"));
        api_expect(&reply, status, NULL);
        assert_true(artifact_is_there());
    }
    /* Five calls, five entries, each saying what became of it. */
    assert_int_equal(audit_count("action = 'artifact.put' AND actor = 'releaser'"), 5);
    assert_int_equal(audit_count("action = 'artifact.put' AND detail LIKE "
                                 "'%\"dry_run\":true%'"),
                     2);
    assert_int_equal(audit_count("action = 'artifact.put' AND detail LIKE "
                                 "'%\"refused\":\"E2211\"%'"),
                     2);
    snprintf(where, sizeof where,
             "action = 'artifact.put' AND object = '%s' AND detail LIKE '%%\"new\":true%%' "
             "AND detail NOT LIKE '%%dry_run%%'",
             artifact_path + strlen("/api/v1/artifacts/"));
    assert_int_equal(audit_count(where), 1);
}

static void test_a_dry_run_of_a_release_keeps_nothing(void **state)
{
    (void)state;
    world_sign(api.w, &v120);
    struct api_request post = {.body = v120.envelope.data, .body_size = v120.envelope.size};
    struct api_request early = post;
    early.role = RELEASER;
    early.method = "POST";
    early.path = "/api/v1/releases";
    api_ask(&api, &early, &reply); /* its artifact is not there yet */
    api_expect(&reply, 404, "E2210");
    assert_int_equal(audit_count("action = 'release.create' AND detail LIKE "
                                 "'%\"refused\":\"E2210\"%'"),
                     1);
    assert_true(world_put_artifact(api.w, &v120));
    try_both(RELEASER, "POST", "/api/v1/releases", post);
    assert_int_equal(world_sql(api.w, "SELECT count(*) FROM release"), 3);
}

/* Before a byte is served: which devices have said that it does not fit. */
static void test_an_upload_tells_of_slots_that_are_too_small(void **state)
{
    (void)state;
    const uint32_t slots[] = {v120.size - 1, v120.size, 0, 100, 50};
    for (unsigned i = 0; i < 5; i++) {
        struct toy *toy = world_toy(api.w, DEVICES + i, &v100);
        toy->slot_size = slots[i];
        assert_int_equal(world_checkin(api.w, toy, NULL, 0).status, 200);
    }
    json_decref(world_device_verb(api.w, &api.w->toys[DEVICES + 4], "reject"));
    world_sign(api.w, &v120);
    assert_true(world_put_artifact(api.w, &v120));
    struct api_request post = {.role = RELEASER,
                               .method = "POST",
                               .path = "/api/v1/releases",
                               .body = v120.envelope.data,
                               .body_size = v120.envelope.size};
    api_ask(&api, &post, &reply);
    assert_int_equal(json_array_size(world_at(reply.json, "warnings")), 1);
    assert_string_equal(world_text(reply.json, "warnings.0.reason"), "R109");
    assert_int_equal(world_number(reply.json, "warnings.0.devices"), 2);
    assert_non_null(strstr(world_text(reply.json, "warnings.0.words"), "2 of 3 devices"));
    assert_non_null(strstr(world_text(reply.json, "warnings.0.words"), "smallest has 100"));
    api_expect(&reply, 201, NULL);
    post.body = v110.envelope.data; /* the same again is told again */
    post.body_size = v110.envelope.size;
    api_ask(&api, &post, &reply);
    assert_int_equal(world_number(reply.json, "warnings.0.devices"), 2);
    api_expect(&reply, 200, NULL);
    world_sql(api.w, "UPDATE device SET facts = NULL");
    api_ask(&api, &post, &reply);
    assert_int_equal(json_array_size(world_at(reply.json, "warnings")), 0);
    api_expect(&reply, 200, NULL);
}

/* --- conditions ----------------------------------------------------------------------- */

static const char *const new_rollout =
    "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":[{\"count\":2},{\"rest\":true}]}";

static void test_a_stale_etag_changes_nothing(void **state)
{
    (void)state;
    char first[80], fields[100];
    call(OPERATOR, "POST", "/api/v1/rollouts", new_rollout, NULL);
    snprintf(first, sizeof first, "%s", api_field(&reply, "ETag"));
    assert_true(first[0] == '"');
    api_expect(&reply, 201, NULL);
    call(VIEWER, "GET", "/api/v1/rollouts/r", NULL, NULL);
    assert_string_equal(api_field(&reply, "ETag"), first);
    api_expect(&reply, 200, NULL);

    snprintf(fields, sizeof fields, "If-Match: %s\r\n", first);
    call(OPERATOR, "POST", "/api/v1/rollouts/r/pause", NULL, fields);
    assert_string_not_equal(api_field(&reply, "ETag"), first);
    api_expect(&reply, 200, NULL);
    static const char *const verbs[] = {"resume", "abort", "advance", "retry", "start"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/api/v1/rollouts/r/%s", verbs[i]);
        call(OPERATOR, "POST", path, NULL, fields);
        assert_string_equal(world_text(reply.json, "field"), "If-Match");
        api_expect(&reply, 412, "E2018");
    }
    call(VIEWER, "GET", "/api/v1/rollouts/r", NULL, NULL);
    assert_string_equal(world_text(reply.json, "state"), "paused");
    api_expect(&reply, 200, NULL);
}

/* --- Idempotency-Key ------------------------------------------------------------------ */

/* The same key with one byte more. */
static void expect_conflict(struct api_request request)
{
    size_t size = request.body_size;
    if (size == 0 && request.body) { size = strlen(request.body); }
    char *longer = malloc(size + 1);
    if (size > 0) { memcpy(longer, request.body, size); }
    longer[size] = '\n';
    request.body = longer;
    request.body_size = size + 1;
    api_ask(&api, &request, &reply);
    free(longer);
    assert_string_equal(world_text(reply.json, "field"), "Idempotency-Key");
    api_expect(&reply, 422, "E2019");
}

/* Sends it twice with one key: one change, one answer. */
static void expect_once(int role, const char *path, struct api_request body, int status)
{
    char *first;
    struct api_request request = body;
    request.role = role;
    request.method = "POST";
    request.path = path;
    request.fields = "Idempotency-Key: one\r\n";
    world_sql(api.w, "DELETE FROM idempotency"); /* each endpoint for itself */
    api_ask(&api, &request, &reply);
    if (reply.status != status) { fail_msg("%s: %d %s", path, reply.status, reply.body); }
    first = strdup(reply.body);
    char etag[80];
    snprintf(etag, sizeof etag, "%s", api_field(&reply, "ETag"));
    api_reply_free(&reply);
    long long audited = audit_count("1"), before[12], after[12];
    take_picture(before);
    for (int i = 0; i < 2; i++) {
        api_ask(&api, &request, &reply);
        assert_int_equal(reply.status, status);
        assert_string_equal(reply.body, first);
        assert_string_equal(api_field(&reply, "ETag"), etag);
        api_reply_free(&reply);
    }
    take_picture(after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(audit_count("1"), audited);
    free(first);
    expect_conflict(request);
}

static void test_every_post_that_comes_twice_is_done_once(void **state)
{
    (void)state;
    char path[128];
    world_sign(api.w, &v120);
    assert_true(world_put_artifact(api.w, &v120));
    struct api_request nothing = {0}, import = {.body = csv};
    struct api_request release = {.body = v120.envelope.data,
                                  .body_size = v120.envelope.size};
    struct api_request rollout = {.body = new_rollout};
    struct api_request actions = {
        .body = "{\"verb\":\"quarantine\",\"selector\":\"all\",\"expect_count\":7}"};
    snprintf(path, sizeof path, "%s/quarantine", device_path);
    expect_once(OPERATOR, path, nothing, 200);
    snprintf(path, sizeof path, "%s/release", device_path);
    expect_once(OPERATOR, path, nothing, 200);
    expect_once(OPERATOR, "/api/v1/devices/import", import, 200);
    expect_once(RELEASER, "/api/v1/releases", release, 201);
    expect_once(OPERATOR, "/api/v1/rollouts", rollout, 201);
    expect_once(OPERATOR, "/api/v1/rollouts/r/pause", nothing, 200);
    expect_once(OPERATOR, "/api/v1/devices/actions", actions, 200);
    unsigned posts = 0;
    for (size_t i = 0; i < operator_routes.count; i++) {
        posts += operator_routes.rows[i].method == HTTP_POST;
    }
    assert_int_equal(posts, 6); /* a new one belongs above */
}

/* An import large enough to be spooled, in several jobs. */
static void test_a_large_import_is_done_once(void **state)
{
    (void)state;
    enum { ROWS = 1500 };
    char row[100];
    struct buffer body;
    buffer_init(&body, ROWS * sizeof row);
    buffer_text(&body, "spki_sha256,name\n");
    for (unsigned i = 0; i < ROWS; i++) {
        snprintf(row, sizeof row, "%08x%056x,meter-%04u\n", i + 1, 0u, i);
        buffer_text(&body, row);
    }
    struct api_request import = {.body = body.data, .body_size = body.size};
    expect_once(OPERATOR, "/api/v1/devices/import", import, 200);
    assert_int_equal(world_sql(api.w, "SELECT count(*) FROM device"), DEVICES + ROWS);
    buffer_release(&body);
}

static void pause_with_key(int role, const char *key, int status, const char *code)
{
    char fields[200];
    snprintf(fields, sizeof fields, "Idempotency-Key: %s\r\n", key);
    call(role, "POST", "/api/v1/rollouts/r/pause", NULL, fields);
    api_expect(&reply, status, code);
}

static void resume(void)
{
    call(OPERATOR, "POST", "/api/v1/rollouts/r/resume", NULL, NULL);
    api_expect(&reply, 200, NULL);
}

static void test_a_key_is_forgotten_after_a_day(void **state)
{
    (void)state;
    call(OPERATOR, "POST", "/api/v1/rollouts", new_rollout, NULL);
    api_expect(&reply, 201, NULL);
    pause_with_key(OPERATOR, "k", 200, NULL);
    resume();
    pause_with_key(OPERATOR, "k", 200, NULL); /* the old answer; nothing is done */
    pause_with_key(OPERATOR, "l", 200, NULL); /* so this can be */
    resume();
    world_wait(api.w, DAY_MS + 1);
    pause_with_key(OPERATOR, "k", 200, NULL); /* done anew */
    pause_with_key(OPERATOR, "m", 409, "E2101");
}

static void test_a_refusal_and_a_dry_run_use_no_key(void **state)
{
    (void)state;
    pause_with_key(OPERATOR, "k", 404, "E2021");
    call(OPERATOR, "POST", "/api/v1/rollouts?dry_run=true", new_rollout,
         "Idempotency-Key: k\r\n");
    api_expect(&reply, 200, NULL);
    call(OPERATOR, "POST", "/api/v1/rollouts", new_rollout, "Idempotency-Key: k\r\n");
    api_expect(&reply, 201, NULL);
    char key[140];
    memset(key, 'k', sizeof key);
    key[129] = '\0';
    pause_with_key(OPERATOR, key, 422, "E2007");
    key[128] = '\0';
    pause_with_key(OPERATOR, key, 200, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_role_may_do_its_share),
        TEST(test_without_a_token_only_the_version_is_told),
        TEST(test_metrics_may_be_open_to_this_machine),
        TEST(test_bodies_have_a_limit_for_each_endpoint),
        TEST(test_heads_have_a_limit),
        TEST(test_problems_say_where_and_what),
        TEST(test_a_dry_run_of_anything_changes_nothing),
        TEST(test_a_dry_run_of_an_upload_keeps_nothing),
        TEST(test_a_dry_run_of_a_release_keeps_nothing),
        TEST(test_an_upload_tells_of_slots_that_are_too_small),
        TEST(test_a_stale_etag_changes_nothing),
        TEST(test_every_post_that_comes_twice_is_done_once),
        TEST(test_a_large_import_is_done_once),
        TEST(test_a_key_is_forgotten_after_a_day),
        TEST(test_a_refusal_and_a_dry_run_use_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
