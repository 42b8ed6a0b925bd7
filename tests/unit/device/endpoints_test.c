/* endpoints_test.c - device/src/endpoints.c: which address a device talks to, and that no
 * list takes its way back away. */
#include "moult/endpoints.h"
#include <string.h>
#include "formats/codes.h"
#include "tests/support/cbor_edit.h"
#include "tests/support/check.h"
#include "tests/support/update_server.h"
#include "tests/support/update_world.h"

#define BUILT_IN "https://moult.test"
#define A "https://a.test"
#define B "https://b.test"
#define C "https://c.test"

enum { RELEASE_0 = 1u << STATEMENTS_RELEASE, RELEASE_1 = 2u << STATEMENTS_RELEASE };
enum { DAY_MS = 86400000 };

static struct world w, fresh;
static struct moult_routes routes;

/* --- several servers: one behind every address, as far as it is up --- */

static struct {
    const char *dead[6];  /* refuse connections */
    const char *stranger; /* answers, but signs nothing: does not know the device */
    const char *empty;    /* has no artifacts: 404 */
    char checkin[MOULT_ENDPOINT_URL_MAX + 1];  /* address of the newest check-in */
    char artifact[MOULT_ENDPOINT_URL_MAX + 1]; /* and of the newest artifact request */
    unsigned checkins;                         /* tries, also in vain */
} net;

static bool is_host(const char *host, const char *base)
{
    return host && strcmp(host, base) == 0;
}

static bool is_dead(const char *base)
{
    for (unsigned i = 0; i < sizeof net.dead / sizeof net.dead[0]; i++) {
        if (is_host(net.dead[i], base)) { return true; }
    }
    return false;
}

static void keep(char *out, const char *base)
{
    memcpy(out, base, strlen(base) + 1);
}

static int32_t start(void *context, const struct moult_http_request *request)
{
    bool is_artifact = strstr(request->path, "/artifact/") != NULL;
    const char *base = request->base ? request->base : request->path;
    struct world *world = update_world_of(context);
    if (is_artifact) { keep(net.artifact, base); }
    if (strcmp(request->path, "/device/v1/checkin") == 0) {
        keep(net.checkin, base);
        net.checkins++;
    }
    world->is_down = is_dead(base);
    world->is_pending = is_host(net.stranger, base);
    bool is_empty = is_artifact && is_host(net.empty, base);
    world->transfer = is_empty ? WORLD_STATUS : WORLD_GOOD;
    world->transfer_at = 404;
    return update_server_start(context, request);
}

static void rewire(struct world *world)
{
    world->port.http_start = start;
}

static const char *region;

static void enable(struct world *world)
{
    check_equal(moult_endpoints_enable(&world->session, &routes, region), MOULT_OK);
}

static void begin(void)
{
    world_copy(&w, &fresh);
    memset(&net, 0, sizeof net);
    region = NULL;
    w.rewire = rewire;
    w.begun = enable;
}

/* --- lists --- */

static struct moult_bytes text(const char *string)
{
    return (struct moult_bytes){(const uint8_t *)string, strlen(string)};
}

static void serve(const struct moult_endpoints *list, unsigned keys)
{
    w.endpoints = statements_sign(&w.fleet, statements_endpoints_payload(list), keys);
    w.endpoints_hint = list->version;
}

/* A list of two addresses, the first preferred. */
static void publish(uint32_t version, const char *first, const char *second)
{
    struct moult_endpoints list = statements_endpoints(&w.fleet, version);
    list.list[0].url = text(first);
    list.list[1].url = text(second);
    serve(&list, RELEASE_0);
}

static bool boots(void)
{
    return world_boot(&w, MOULT_RESET_POWER_ON);
}

/* Steps until the server has answered so many more check-ins. */
static bool answers(unsigned count)
{
    unsigned until = w.checkins + count;
    for (unsigned i = 0; i < WORLD_STEPS_MAX && w.checkins < until; i++) {
        if (!world_step(&w)) { return false; }
    }
    return w.checkins >= until && world_until(&w, "IDLE");
}

static uint32_t reported_version(void)
{
    return w.last_checkin.present & 1u << MOULT_CHECKIN_ENDPOINTS
               ? w.last_checkin.endpoints_version
               : 0;
}

/* Version 2 with a and b is in use; nothing to install. */
static void begin_on_a_list(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    publish(2, A, B);
    check(boots());
    check(answers(3));
    check_equal(reported_version(), 2);
    check(is_host(A, net.checkin));
}

/* --- adoption --- */

static void test_a_list_is_fetched_once_and_used_from_the_next_checkin_on(void)
{
    begin();
    publish(2, A, B);
    check(boots());
    check(answers(1));
    check(is_host(BUILT_IN, net.checkin));
    check(is_host(BUILT_IN, net.artifact) || w.artifact_requests == 0);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(is_host(A, net.checkin));
    check_equal(reported_version(), 2);
    check_equal(w.endpoints_requests, 1);
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

static void test_a_fleet_moves_and_the_compiled_in_url_may_go(void)
{
    begin_on_a_list();
    net.dead[0] = BUILT_IN;
    w.action = MOULT_ACTION_INSTALL;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(boots());
    check(answers(1));
    check(is_host(A, net.checkin));
    publish(3, C, B); /* and moves on */
    check(answers(3));
    check(is_host(C, net.checkin));
    check_equal(reported_version(), 3);
    check_equal(w.endpoints_requests, 2);
}

static void test_without_being_enabled_lists_are_nothing(void)
{
    begin();
    w.begun = NULL;
    publish(2, A, B);
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(is_host(BUILT_IN, net.checkin));
    check_equal(w.endpoints_requests, 0);
    check_equal(reported_version(), 0);
}

static void test_it_can_be_enabled_before_the_first_step_only(void)
{
    begin();
    region = "seventeen-letters";
    w.begun = NULL;
    check(boots());
    check_equal(moult_endpoints_enable(&w.session, &routes, region), MOULT_E_ARG);
    check_equal(moult_endpoints_enable(&w.session, &routes, ""), MOULT_E_ARG);
    check(world_step(&w));
    check_equal(moult_endpoints_enable(&w.session, &routes, "eu"), MOULT_E_STATE);
}

/* --- bad lists --- */

static void edit(const char *path, const char *hex)
{
    struct moult_endpoints list = statements_endpoints(&w.fleet, 2);
    struct statements_bytes payload = statements_endpoints_payload(&list);
    cbor_edit(&payload, path, hex);
    w.endpoints = statements_sign(&w.fleet, payload, RELEASE_0);
    w.endpoints_hint = 2;
}

static void nothing_there(void)
{
    w.endpoints_hint = 2;
}
static void too_long(void)
{
    static char hex[2 * 900 + 8];
    memcpy(hex, "590384", 6);
    memset(hex + 6, '0', 2 * 900);
    edit("64", hex);
}
static void longer_head(void)
{
    edit("4", "18 02");
}
static void other_shape(void)
{
    publish(2, A, B);
    w.endpoints.data[w.endpoints.size - 77] = 0x27;
}
static void by_the_server(void)
{
    struct moult_endpoints list = statements_endpoints(&w.fleet, 2);
    serve(&list, 1u << STATEMENTS_ASSIGN);
}
static void a_release(void)
{
    edit("1", "01");
}
static void format_2(void)
{
    edit("2", "02");
}
static void unknown_key(void)
{
    edit("7", "00");
}
static void no_endpoint(void)
{
    edit("5", "80");
}
static void other_fleet(void)
{
    edit("3", "50 000102030405060708090a0b0c0d0e0f");
}
static void unwritten(void)
{
    publish(2, A, B);
    w.kv_fails = "endpoints";
}

static void test_a_bad_list_never_stops_an_update(void)
{
    static const struct {
        const char *name;
        void (*spoil)(void);
        uint16_t detail;
    } rows[] = {
        {"nothing there", nothing_there, MOULT_D_ENDPOINT_FETCH},
        {"too long", too_long, MOULT_D_ENDPOINT_SIZE},
        {"longer head", longer_head, MOULT_D_ENDPOINT_CBOR},
        {"other shape", other_shape, MOULT_D_ENDPOINT_COSE},
        {"by the server", by_the_server, MOULT_D_ENDPOINT_SIG},
        {"a release", a_release, MOULT_D_ENDPOINT_TYPE},
        {"format 2", format_2, MOULT_D_ENDPOINT_FORMAT},
        {"unknown key", unknown_key, MOULT_D_ENDPOINT_UNKNOWN},
        {"no endpoint", no_endpoint, MOULT_D_ENDPOINT_FIELD},
        {"other fleet", other_fleet, MOULT_D_ENDPOINT_FLEET},
        {"unwritten", unwritten, MOULT_D_ENDPOINT_WRITE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        begin();
        rows[i].spoil();
        check(boots());
        check(world_settle(&w));
        check(world_runs(&w, &w.new));
        check(is_host(BUILT_IN, net.checkin));
        check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
        const struct world_report *report = world_report_with(&w, rows[i].detail);
        check(report && report->kind == MOULT_REPORT_EVENT);
        check_equal(reported_version(), 0);
    }
    check_row(NULL);
}

static unsigned count_detail(uint16_t detail)
{
    unsigned count = 0;
    for (unsigned i = 0; i < w.report_count; i++) {
        count += w.reports[i].detail == detail;
    }
    return count;
}

static void test_trouble_with_a_list_is_told_once_and_not_fetched_again_and_again(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    by_the_server();
    check(boots());
    check(answers(20));
    check_equal(count_detail(MOULT_D_ENDPOINT_SIG), 1);
    check_equal(w.endpoints_requests, 1);
    check(answers(2 * 1440)); /* two days, a check-in a minute */
    check(w.endpoints_requests == 2 || w.endpoints_requests == 3); /* once a day */
    check_equal(count_detail(MOULT_D_ENDPOINT_SIG), 1);
    uint64_t began_ms = w.now_ms;
    check(answers(60)); /* and nobody polls faster for it */
    check(w.now_ms - began_ms > 50 * 60000u);
}

static void test_an_older_or_equal_version_is_refused(void)
{
    begin_on_a_list();
    publish(2, C, B);
    w.endpoints_hint = 3; /* so it says; what it serves is another matter */
    check(answers(3));
    check(is_host(A, net.checkin));
    check_equal(count_detail(MOULT_D_ENDPOINT_VERSION), 1);
    check_equal(reported_version(), 2);
}

static void test_a_list_that_leads_nowhere_costs_minutes_and_no_way_back(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    net.dead[0] = A;
    net.dead[1] = B;
    publish(2, A, B);
    check(boots());
    check(answers(1));
    uint64_t began_ms = w.now_ms;
    check(answers(1));
    check(w.now_ms - began_ms < 3 * 60000u);
    check(is_host(BUILT_IN, net.checkin));
    check_equal(reported_version(), 0); /* never in use */
    check(answers(20));
    check(is_host(BUILT_IN, net.checkin));
    check_equal(w.endpoints_requests, 1);
    net.dead[0] = NULL; /* a day later it is tried again */
    check(answers(1440));
    check(is_host(A, net.checkin));
    check_equal(reported_version(), 2);
}

static void test_no_row_of_bad_lists_replaces_the_one_in_use(void)
{
    begin_on_a_list();
    net.dead[0] = BUILT_IN;
    net.dead[1] = C;
    for (uint32_t version = 3; version < 7; version++) {
        publish(version, C, C "/x");
        net.dead[2] = C "/x";
        check(answers(3));
        check(is_host(A, net.checkin));
        check_equal(reported_version(), 2);
        check(boots());
    }
    check_equal(w.endpoints_requests, 1 + 4);
    publish(9, C "/y", B);
    check(answers(4));
    check(is_host(C "/y", net.checkin));
    check_equal(reported_version(), 9);
}

static void test_who_answers_without_a_signed_order_is_left_again(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    net.stranger = A; /* e.g. the staging server, which does not know the device */
    publish(2, A, A "/x");
    net.dead[0] = A "/x";
    check(boots());
    check(answers(1 + 3)); /* three of them by the stranger */
    check(is_host(A, net.checkin));
    check(answers(1));
    check(is_host(BUILT_IN, net.checkin));
    check_equal(reported_version(), 0);
}

/* --- the order of addresses --- */

static void test_the_next_address_comes_after_three_failures(void)
{
    begin_on_a_list();
    net.dead[0] = A;
    unsigned tries = net.checkins;
    check(answers(1));
    check(is_host(B, net.checkin));
    check_equal(net.checkins - tries, 3 + 1);
    check(boots()); /* b is remembered */
    tries = net.checkins;
    check(answers(1));
    check(is_host(B, net.checkin));
    check_equal(net.checkins - tries, 1);
}

static void test_after_a_day_the_preferred_one_is_tried_again(void)
{
    begin_on_a_list();
    net.dead[0] = A;
    check(answers(2));
    check(is_host(B, net.checkin));
    uint64_t left_ms = w.now_ms;
    net.dead[0] = NULL;
    while (w.now_ms - left_ms < DAY_MS - 600000) {
        check(answers(1));
        check(is_host(B, net.checkin));
    }
    check(answers(20));
    check(is_host(A, net.checkin));
    check(boots());
    check(answers(1));
    check(is_host(A, net.checkin));
}

static void test_a_return_that_fails_is_tried_once_a_day(void)
{
    begin_on_a_list();
    net.dead[0] = A;
    check(answers(2));
    unsigned failed = net.checkins - w.checkins;
    check(answers(3 * 1440 + 20));
    check(is_host(B, net.checkin));
    check_equal(net.checkins - w.checkins - failed, 3 * 3);
}

static void test_region_and_weight_decide(void)
{
    begin();
    region = "eu";
    w.action = MOULT_ACTION_NONE;
    struct moult_endpoints list = statements_endpoints(&w.fleet, 2);
    list.count = 3;
    list.list[2] = (struct moult_endpoint){
        .url = text(C), .weight = 1, .region = text("eu"), .present = 1u << 4};
    serve(&list, RELEASE_0);
    check(boots());
    check(answers(3));
    check(is_host(C, net.checkin)); /* its own region, whatever the weight */
    net.dead[0] = C;
    check(answers(1));
    check(is_host(A, net.checkin)); /* then the heavier one */
    net.dead[1] = A;
    check(answers(1));
    check(is_host(B, net.checkin));
    net.dead[2] = B;
    check(answers(1));
    check(is_host(BUILT_IN, net.checkin));
    net.dead[0] = NULL;
    net.dead[3] = BUILT_IN;
    check(answers(1)); /* and round again */
    check(is_host(C, net.checkin));
}

static void test_a_list_in_use_may_ask_for_patience_of_a_day_at_most(void)
{
    static const struct {
        uint32_t after_s, least_s, most_s;
    } rows[] = {{600, 600, 1800}, {UINT32_MAX, 86400, 2 * 86400}, {0, 0, 60}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        w.action = MOULT_ACTION_NONE;
        struct moult_endpoints list = statements_endpoints(&w.fleet, 2);
        list.fallback_after_s = rows[i].after_s;
        list.present = 1u << MOULT_ENDPOINTS_FALLBACK;
        serve(&list, RELEASE_0);
        check(boots());
        check(answers(3));
        net.dead[0] = A;
        while (is_host(A, net.checkin) && !w.http.is_open) {
            check(world_step(&w));
            if (w.is_down) { break; }
        }
        uint64_t began_ms = w.now_ms;
        check(answers(1));
        check(is_host(B, net.checkin));
        uint64_t took_ms = w.now_ms - began_ms;
        check(took_ms >= rows[i].least_s * 1000ull && took_ms <= rows[i].most_s * 1000ull);
    }
}

static void test_a_list_that_never_worked_is_given_no_patience(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    net.dead[0] = A;
    net.dead[1] = B;
    struct moult_endpoints list = statements_endpoints(&w.fleet, 2);
    list.fallback_after_s = UINT32_MAX;
    list.present = 1u << MOULT_ENDPOINTS_FALLBACK;
    serve(&list, RELEASE_0);
    check(boots());
    check(answers(1));
    uint64_t began_ms = w.now_ms;
    check(answers(1));
    check(is_host(BUILT_IN, net.checkin));
    check(w.now_ms - began_ms < 3 * 60000u);
}

/* --- artifacts --- */

static void offer_artifact_hosts(void)
{
    struct moult_endpoints list = statements_endpoints(&w.fleet, 3);
    list.count = 3;
    list.list[2] = (struct moult_endpoint){
        .url = text(C), .weight = 99, .role = MOULT_ENDPOINT_ARTIFACT};
    serve(&list, RELEASE_0);
    check(answers(3));
    check_equal(reported_version(), 3);
    w.action = MOULT_ACTION_INSTALL;
}

static void test_artifacts_come_from_their_own_endpoint(void)
{
    begin_on_a_list();
    offer_artifact_hosts();
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(is_host(C, net.artifact));
    check(is_host(A, net.checkin));
}

static void test_another_artifact_endpoint_helps_out(void)
{
    begin_on_a_list();
    offer_artifact_hosts();
    net.dead[0] = C;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(is_host(A, net.artifact));
    begin_on_a_list();
    offer_artifact_hosts();
    net.empty = C; /* does not have it: no use in asking again */
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(is_host(A, net.artifact));
    check_equal(count_detail(MOULT_D_HTTP), 0);
}

static void test_absolute_urls_are_for_listed_hosts_only(void)
{
    begin_on_a_list();
    offer_artifact_hosts();
    w.second_url = C "/device/v1/artifact/new";
    net.empty = w.second_url;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(is_host(C, net.artifact)); /* the path: the URL, tried first, failed */
    check_equal(w.artifact_requests > 1, true);

    begin_on_a_list();
    offer_artifact_hosts();
    w.second_url = "https://evil.test/device/v1/artifact/new";
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(is_host(C, net.artifact));
}

/* --- keys, cuts --- */

static void test_a_stolen_release_key_nails_nobody_to_its_list(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    publish(UINT32_MAX, A, B); /* by release key 0, which is then withdrawn */
    check(boots());
    check(answers(3));
    check_equal(reported_version(), UINT32_MAX);

    struct moult_keyset next = statements_keyset(&w.fleet, 2);
    for (unsigned i = STATEMENTS_RELEASE; i + 1 < next.key_count; i++) {
        next.keys[i] = next.keys[i + 1];
    }
    next.key_count--;
    next.roles.of[MOULT_ROLE_RELEASE] =
        (struct moult_keyset_role){1, 1, {STATEMENTS_RELEASE}};
    next.roles.of[MOULT_ROLE_ASSIGN] =
        (struct moult_keyset_role){1, 2, {STATEMENTS_ASSIGN - 1, STATEMENTS_ASSIGN}};
    w.keysets[0] =
        statements_sign(&w.fleet, statements_keyset_payload(&next), 3u << STATEMENTS_ROOT);
    w.keyset_count = 1;
    w.keyset_hint = 2;
    struct moult_endpoints list = statements_endpoints(&w.fleet, 3);
    list.list[0].url = text(C);
    serve(&list, RELEASE_1);
    check(answers(4));
    check(is_host(C, net.checkin));
    check_equal(reported_version(), 3);
}

static void test_a_cut_at_any_operation_of_a_move_loses_no_address(void)
{
    static const enum moult_sim_fault faults[] = {MOULT_SIM_CUT_MIXED, MOULT_SIM_CUT_AFTER,
                                                  MOULT_SIM_CUT_BEFORE};
    unsigned cuts = 0;
    static struct world moving;
    begin_on_a_list();
    publish(3, C, B);
    net.dead[0] = BUILT_IN; /* what the list in use says is the only way */
    world_forget(&w);
    moving = w;
    for (unsigned fault = 0; fault < 3; fault++) {
        for (uint64_t at = 1;; at++) {
            world_copy(&w, &moving);
            bool is_up = boots();
            w.device.chip.flash.plans[0] =
                (struct moult_sim_plan){.fault = faults[fault],
                                        .at = w.device.chip.flash.operation_count + at,
                                        .seed = at};
            check_row("cut");
            if (is_up && answers(4)) { break; } /* beyond the last operation */
            cuts++;
            check(boots());
            check(answers(5));
            check(is_host(C, net.checkin));
            check_equal(reported_version(), 3);
        }
    }
    check_row(NULL);
    check(cuts > 20);
}

int main(void)
{
    world_make(&fresh);
    check_run(test_a_list_is_fetched_once_and_used_from_the_next_checkin_on);
    check_run(test_a_fleet_moves_and_the_compiled_in_url_may_go);
    check_run(test_without_being_enabled_lists_are_nothing);
    check_run(test_it_can_be_enabled_before_the_first_step_only);
    check_run(test_a_bad_list_never_stops_an_update);
    check_run(test_trouble_with_a_list_is_told_once_and_not_fetched_again_and_again);
    check_run(test_an_older_or_equal_version_is_refused);
    check_run(test_a_list_that_leads_nowhere_costs_minutes_and_no_way_back);
    check_run(test_no_row_of_bad_lists_replaces_the_one_in_use);
    check_run(test_who_answers_without_a_signed_order_is_left_again);
    check_run(test_the_next_address_comes_after_three_failures);
    check_run(test_after_a_day_the_preferred_one_is_tried_again);
    check_run(test_a_return_that_fails_is_tried_once_a_day);
    check_run(test_region_and_weight_decide);
    check_run(test_a_list_in_use_may_ask_for_patience_of_a_day_at_most);
    check_run(test_a_list_that_never_worked_is_given_no_patience);
    check_run(test_artifacts_come_from_their_own_endpoint);
    check_run(test_another_artifact_endpoint_helps_out);
    check_run(test_absolute_urls_are_for_listed_hosts_only);
    check_run(test_a_stolen_release_key_nails_nobody_to_its_list);
    check_run(test_a_cut_at_any_operation_of_a_move_loses_no_address);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
