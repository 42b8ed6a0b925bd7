/* endpoints.c - see moult/endpoints.h: which address to talk to, and newer lists of them
 * (state ENDPOINTS). */
#include "moult/endpoints.h"
#include <assert.h>
#include <string.h>
#include "device/src/contact.h"
#include "device/src/flow.h"
#include "device/src/outbox.h"
#include "device/src/pack.h"
#include "device/src/record.h"
#include "device/src/route.h"

enum { BANK_NONE = 2, ROUTE_SIZE = 13, DAY_S = 86400 };
enum { PLACE_NEWER, PLACE_OLDER, PLACE_BUILT_IN, PLACES };
enum { FAILURES_MAX = 3 }; /* in a row, before the next address is tried */

static struct moult_frame frame_of(struct moult_routes *r)
{
    return (struct moult_frame){r->frame, sizeof r->frame};
}

/* --- stored --- */

static enum moult_record kind_of(unsigned bank)
{
    assert(bank < BANK_NONE);
    return bank == 0 ? MOULT_RECORD_ENDPOINTS_0 : MOULT_RECORD_ENDPOINTS_1;
}

/* Which address works, and in which bank the list stands that must not be overwritten. If
 * it cannot be stored, the next boot begins with the first address. */
static void store(struct moult_session *s)
{
    const struct moult_routes *r = s->routes;
    struct moult_pack pack = moult_record_pack(moult_small_frame(s), ROUTE_SIZE);
    moult_put(&pack, r->in_use, 1);
    moult_put(&pack, r->home, 4);
    moult_put(&pack, r->away_s, 8);
    assert(!pack.is_bad && pack.at == pack.end);
    moult_unstored(
        s, moult_record_store(s, MOULT_RECORD_ROUTE, moult_small_frame(s), ROUTE_SIZE));
}

static void load_route(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    size_t size;
    bool is_damaged;
    r->in_use = BANK_NONE;
    if (moult_record_load(s, MOULT_RECORD_ROUTE, moult_small_frame(s), &size,
                          &is_damaged) != MOULT_OK ||
        size != ROUTE_SIZE) {
        return;
    }
    struct moult_pack pack = moult_record_pack(moult_small_frame(s), size);
    r->in_use = (uint8_t)moult_get(&pack, 1);
    r->home = (uint32_t)moult_get(&pack, 4);
    r->away_s = moult_get(&pack, 8);
    if (r->in_use > BANK_NONE) { r->in_use = BANK_NONE; }
}

/* The list of a bank into RAM. It was verified before it was stored; a key that has been
 * withdrawn since does not take the address away from a device that depends on it. */
static bool load_bank(struct moult_session *s, unsigned bank)
{
    struct moult_routes *r = s->routes;
    struct moult_cose cose;
    size_t size;
    bool is_damaged;
    if (r->bank == bank) { return true; }
    r->bank = BANK_NONE;
    if (moult_record_load(s, kind_of(bank), frame_of(r), &size, &is_damaged) != MOULT_OK) {
        return false;
    }
    struct moult_bytes envelope = {r->frame + MOULT_RECORD_HEADER, size};
    if (moult_cose_parse(MOULT_STATEMENT_ENDPOINTS, envelope, &cose, NULL) != MOULT_OK ||
        moult_endpoints_parse(cose.payload, &r->list, NULL) != MOULT_OK ||
        memcmp(r->list.fleet_id, s->running.info.fleet_id, 16) != 0) {
        return false;
    }
    r->bank = (uint8_t)bank;
    r->size = (uint16_t)size;
    return true;
}

/* Whether the release role of the keyset in force stands behind the list of a bank. */
static bool is_vouched(struct moult_session *s, unsigned bank)
{
    struct moult_routes *r = s->routes;
    if (r->version[bank] == 0 || !load_bank(s, bank)) { return false; }
    struct moult_bytes envelope = {r->frame + MOULT_RECORD_HEADER, r->size};
    return moult_endpoints_verify(s->port->crypto, envelope, &s->trust.keyset, 0,
                                  &s->scratch.endpoints, NULL) == MOULT_OK;
}

/* Both lists by the keyset in force: what a new one must exceed, and which comes first. A
 * list whose key was withdrawn counts as version 0 in both. */
static void judge(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    uint32_t counts[BANK_NONE];
    if (!s->trust.is_good || r->trusted == s->trust.keyset.version) { return; }
    r->trusted = s->trust.keyset.version;
    for (unsigned bank = 0; bank < BANK_NONE; bank++) {
        counts[bank] = is_vouched(s, bank) ? r->version[bank] : 0;
    }
    r->held = counts[0] > counts[1] ? counts[0] : counts[1];
    bool is_tie = r->held == 0; /* none or neither: the numbers must do */
    const uint32_t *by = is_tie ? r->version : counts;
    r->newer = by[1] > by[0] ? 1 : 0;
}

/* --- addresses in their order --- */

static struct moult_endpoint_query query_of(const struct moult_session *s, bool is_artifact)
{
    return (struct moult_endpoint_query){
        .role = is_artifact ? MOULT_ENDPOINT_ARTIFACT : MOULT_ENDPOINT_CHECKIN,
        .region = s->routes->region,
        .device_id = s->config.device_id,
    };
}

/* The check-in endpoint at place and rank, its list in RAM. NULL: there is none. */
static const struct moult_endpoint *look_up(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    if (r->place == PLACE_BUILT_IN) { return NULL; }
    unsigned bank = r->place == PLACE_NEWER ? r->newer : 1u - r->newer;
    struct moult_endpoint_query query = query_of(s, false);
    if (r->version[bank] == 0 || !load_bank(s, bank)) { return NULL; }
    return moult_endpoints_pick(&r->list, &query, r->rank);
}

/* On to the next place that has an address, from here. The compiled-in URL always is one.
 */
static void settle(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    while (r->place != PLACE_BUILT_IN && !look_up(s)) {
        r->place++;
        r->rank = 0;
    }
    r->artifact = 0;
    r->failures = 0;
    r->failed_ms = 0;
}

static void go_first(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    r->place = PLACE_NEWER;
    r->rank = 0;
    settle(s);
    r->first = r->place;
}

static bool is_first(const struct moult_routes *r)
{
    return r->place == r->first && r->rank == 0;
}

static void go_on(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    if (r->place == PLACE_BUILT_IN) {
        if (r->rounds < UINT8_MAX) { r->rounds++; }
        go_first(s);
        return;
    }
    r->rank++;
    settle(s);
}

static struct moult_bytes address(struct moult_session *s)
{
    const struct moult_endpoint *one = look_up(s);
    const char *built_in = s->config.base_url;
    if (one) { return one->url; }
    return (struct moult_bytes){(const uint8_t *)built_in, strlen(built_in)};
}

static uint32_t tag_of(struct moult_session *s)
{
    struct moult_bytes url = address(s);
    return crc32_le(0, url.data, url.size);
}

/* The address that worked before the reset; the first when it is in no list any more. */
static void go_home(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    r->rounds = 0;
    go_first(s);
    while (r->home != 0 && r->rounds == 0 && tag_of(s) != r->home) {
        go_on(s);
    }
    r->rounds = 0;
}

static void load(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    r->is_loaded = true;
    r->bank = BANK_NONE;
    load_route(s);
    for (unsigned bank = 0; bank < BANK_NONE; bank++) {
        r->version[bank] = load_bank(s, bank) ? r->list.version : 0;
    }
    judge(s);
    go_home(s);
}

/* --- what became of a contact --- */

/* A list in use may ask for patience; one that never worked is given none. */
static bool is_given_up(struct moult_session *s)
{
    const struct moult_routes *r = s->routes;
    bool is_patient = r->place != PLACE_BUILT_IN && r->bank == r->in_use &&
                      (r->list.present & 1u << MOULT_ENDPOINTS_FALLBACK);
    if (!is_patient) { return r->failures >= FAILURES_MAX; }
    uint32_t after_s = r->list.fallback_after_s;
    if (after_s > DAY_S) { after_s = DAY_S; }
    return s->now_ms - r->failed_ms >= (uint64_t)after_s * 1000;
}

static void count_failure(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    r->is_open = false;
    if (r->failures == 0) { r->failed_ms = s->now_ms; }
    if (r->failures < UINT8_MAX) { r->failures++; }
    if (!is_given_up(s)) { return; }
    /* First of all the preferred one again; then one after the other. */
    bool is_return = !r->is_searching && !is_first(r);
    r->is_searching = true;
    if (is_return) {
        go_first(s);
    } else {
        go_on(s);
    }
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_ENDPOINT, r->place, r->rank);
}

/* A day on another address than the first: is the first there again? */
static void look_back(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    uint64_t now_s = moult_now_s(s);
    if (r->home == 0 || now_s == 0 || now_s < r->away_s + DAY_S) { return; }
    r->away_s = now_s; /* whatever comes of it: once a day */
    store(s);
    go_first(s);
}

static uint32_t begin(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    if (!r->is_loaded) { load(s); }
    if (r->is_open) { count_failure(s); } /* answered, but by no order that verifies */
    r->is_open = !s->disabled;
    r->is_tried = false;
    uint8_t newer = r->newer;
    if (r->is_new) { r->bank = BANK_NONE; } /* of that bank RAM has the list before */
    judge(s);
    if (r->is_new || r->newer != newer) {
        r->is_new = false;
        go_first(s);
    } else {
        look_back(s);
    }
    return r->in_use < BANK_NONE ? r->version[r->in_use] : 0;
}

static void believed(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    r->is_open = r->is_searching = false;
    r->failures = r->rounds = 0;
    if (r->is_new) { return; } /* what RAM and bank say may differ: see next time */
    uint32_t tag = is_first(r) ? 0 : tag_of(s);
    bool is_of_list = r->place != PLACE_BUILT_IN;
    bool is_same = tag == r->home && (!is_of_list || r->bank == r->in_use);
    if (is_same) { return; }
    if (tag != r->home) { r->away_s = moult_now_s(s); }
    r->home = tag;
    if (is_of_list) { r->in_use = r->bank; }
    store(s);
}

static uint32_t failed(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    if (r->is_open) { count_failure(s); }
    /* In the first round each address is tried without delay from its predecessors. */
    bool is_first_round = r->is_searching && r->rounds == 0;
    return is_first_round ? r->failures + 1u : s->contact.failures;
}

/* --- requests --- */

static const char *base(struct moult_session *s, bool is_artifact)
{
    struct moult_routes *r = s->routes;
    const struct moult_endpoint *one = r->is_loaded ? look_up(s) : NULL;
    if (one && is_artifact) {
        struct moult_endpoint_query query = query_of(s, true);
        const struct moult_endpoint *other =
            moult_endpoints_pick(&r->list, &query, r->artifact);
        if (other) { one = other; }
    }
    if (!one) { return s->config.base_url; }
    assert(one->url.size < sizeof r->base);
    memcpy(r->base, one->url.data, one->url.size);
    r->base[one->url.size] = '\0';
    return r->base;
}

static bool next_artifact(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    struct moult_endpoint_query query = query_of(s, true);
    bool has_next = r->is_loaded && look_up(s) &&
                    moult_endpoints_pick(&r->list, &query, r->artifact + 1u);
    r->artifact = has_next ? (uint8_t)(r->artifact + 1) : 0;
    return has_next;
}

static bool covers(const struct moult_session *s, struct moult_bytes url)
{
    const struct moult_routes *r = s->routes;
    if (!r->is_loaded || r->bank == BANK_NONE) { return false; }
    for (unsigned i = 0; i < r->list.count; i++) {
        const struct moult_endpoint *one = &r->list.list[i];
        bool serves = one->role != MOULT_ENDPOINT_CHECKIN;
        if (serves && moult_endpoint_covers(one->url, url)) { return true; }
    }
    return false;
}

/* --- ENDPOINTS: a newer list --- */

static bool wants(struct moult_session *s)
{
    const struct moult_routes *r = s->routes;
    uint32_t hint = s->contact.endpoints_hint;
    bool is_able =
        r->is_loaded && !r->is_tried && s->trust.is_good && !s->disabled && !s->trial.is_on;
    bool was_refused =
        r->refused == hint && s->now_ms - r->refused_ms < (uint64_t)DAY_S * 1000;
    return is_able && hint > r->held && !was_refused;
}

/* Told once per version; the order that came along is judged all the same. */
static enum moult_state refused(struct moult_session *s, enum moult_detail detail,
                                int32_t native)
{
    struct moult_routes *r = s->routes;
    uint32_t hint = s->contact.endpoints_hint;
    moult_trouble(s, detail, native);
    if (detail != MOULT_D_ENDPOINT_FETCH) { /* that may come right at any time */
        r->refused = hint;
        r->refused_ms = s->now_ms;
    }
    if (r->told != hint) {
        r->told = hint;
        struct moult_news news = {.kind = MOULT_REPORT_EVENT, .trouble = &s->trouble};
        moult_outbox_add(s, &news);
    }
    return moult_after_keyset(s);
}

static enum moult_state fetch(struct moult_session *s)
{
    static const char prefix[] = "/device/v1/endpoints/";
    s->routes->is_tried = true;
    memcpy(s->url, prefix, sizeof prefix);
    moult_decimal(s->url + sizeof prefix - 1, s->contact.endpoints_hint);
    s->work_size = 0;
    s->phase = 1;
    if (moult_fetch_begin(s, s->url, (struct moult_bytes){NULL, 0})) {
        return MOULT_STATE_ENDPOINTS;
    }
    return refused(s, MOULT_D_ENDPOINT_FETCH, s->trouble.native);
}

static enum moult_state adopt(struct moult_session *s)
{
    struct moult_routes *r = s->routes;
    struct moult_bytes envelope = {s->work + MOULT_RECORD_HEADER, s->work_size};
    struct moult_endpoints *list = &s->scratch.endpoints;
    struct moult_finding why;
    if (moult_endpoints_verify(s->port->crypto, envelope, &s->trust.keyset, r->held, list,
                               &why) != MOULT_OK) {
        return refused(s, (enum moult_detail)why.detail, 0);
    }
    unsigned bank = r->in_use == 0 ? 1 : 0; /* never the one in use */
    if (moult_record_store(s, kind_of(bank), moult_work_frame(s), s->work_size) !=
        MOULT_OK) {
        r->version[bank] = 0; /* what it held before may be gone */
        return refused(s, MOULT_D_ENDPOINT_WRITE, s->trouble.native);
    }
    r->version[bank] = list->version;
    r->is_new = true; /* from the next check-in on: this one ends where it began */
    r->trusted = 0;
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_ENDPOINTS, list->version, bank);
    moult_contact_soon(s);
    return moult_after_keyset(s);
}

static enum moult_state work(struct moult_session *s)
{
    if (s->phase == 0) { return fetch(s); }
    enum moult_fetch got = moult_fetch_poll(s, s->work + MOULT_RECORD_HEADER,
                                            MOULT_STATEMENT_SIZE_MAX, &s->work_size);
    switch (got) {
    case MOULT_FETCH_BUSY:
        return MOULT_STATE_ENDPOINTS;
    case MOULT_FETCH_DONE:
        return adopt(s);
    case MOULT_FETCH_TOO_LARGE:
        return refused(s, MOULT_D_ENDPOINT_SIZE, 0);
    case MOULT_FETCH_FAILED:
        break;
    }
    return refused(s, MOULT_D_ENDPOINT_FETCH, s->trouble.native);
}

/* --- the way in --- */

enum moult_status moult_endpoints_enable(struct moult_session *s,
                                         struct moult_routes *routes, const char *region)
{
    static const struct moult_route_hooks hooks = {
        begin, believed, failed, base, next_artifact, covers, wants, work,
    };
    assert(s->port && routes);
    size_t size = region ? strlen(region) : 1;
    if (size == 0 || size > MOULT_ENDPOINT_REGION_MAX) { return MOULT_E_ARG; }
    if (s->state != MOULT_STATE_LOAD || s->phase != 0) { return MOULT_E_STATE; }
    *routes = (struct moult_routes){.hooks = &hooks, .region = region};
    s->routes = routes;
    return MOULT_OK;
}
