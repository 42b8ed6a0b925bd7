/* releases.c - see releases.h, and control_keyset_add() of control.h. */
#include "server/control/releases.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/base/mem.h"
#include "server/control/audit.h"
#include "server/control/dryrun.h"
#include "server/control/events.h"
#include "server/control/ids.h"
#include "server/control/page.h"
#include "server/control/problem.h"
#include "server/control/release_check.h"
#include "server/control/views.h"

/* --- keysets -------------------------------------------------------------------------- */

static enum moult_status verify_keyset(struct control *control, struct moult_bytes envelope,
                                       struct moult_keyset *out,
                                       struct moult_finding *finding)
{
    const struct moult_crypto *crypto = control->parts.crypto;
    const uint8_t *fleet = control->config.fleet_id;
    struct cached_keyset newest;
    struct moult_keyset current;
    enum moult_status st = moult_keyset_verify_first(crypto, envelope, fleet, out, finding);
    if (st != MOULT_OK || !statement_cache_keyset(&control->statements, 0, &newest)) {
        return st;
    }
    if (out->version <= newest.version) { return MOULT_OK; }
    struct moult_bytes bytes = {newest.envelope, newest.size};
    st = moult_keyset_verify_first(crypto, bytes, fleet, &current, finding);
    return st == MOULT_OK
               ? moult_keyset_verify_next(crypto, envelope, &current, out, finding)
               : st;
}

/* Whether this version is stored already. *is_same: with the same bytes. */
static bool is_stored(struct control *control, uint32_t version,
                      struct moult_bytes envelope, bool *is_same)
{
    struct cached_keyset stored;
    if (!statement_cache_keyset(&control->statements, version, &stored)) { return false; }
    *is_same = stored.size == envelope.size &&
               memcmp(stored.envelope, envelope.data, envelope.size) == 0;
    return true;
}

static enum moult_status put_keyset(const struct control_call *call, uint32_t version,
                                    struct moult_bytes envelope)
{
    struct control *control = call->control;
    enum moult_status st = store_keyset_put(call->db, version, envelope, call->now_ms);
    if (st != MOULT_OK) { return st; }
    struct cached_keyset *keyset = mem_alloc(sizeof *keyset);
    if (!keyset) { return MOULT_E_NOMEM; }
    keyset->version = version;
    keyset->size = envelope.size;
    memcpy(keyset->envelope, envelope.data, envelope.size);
    /* Before the store's threads run there is no COMMIT to wait for. */
    if (!control->is_live) {
        return statement_cache_add_keyset(&control->statements, keyset) ? MOULT_OK
                                                                        : MOULT_E_SPACE;
    }
    struct effect effect = {.kind = EFFECT_KEYSET, .data = keyset};
    effects_push(&control->effects, &effect);
    return effects_status(&control->effects);
}

enum moult_status control_keyset_add(const struct control_call *call,
                                     struct moult_bytes envelope)
{
    struct moult_keyset keyset;
    struct moult_finding finding = {0};
    call->problem->detail = 0;
    enum moult_status st = verify_keyset(call->control, envelope, &keyset, &finding);
    if (st != MOULT_OK) { return problem_finding(call->problem, st, &finding); }
    bool is_same = false;
    char version[16];
    snprintf(version, sizeof version, "%u", (unsigned)keyset.version);
    if (is_stored(call->control, keyset.version, envelope, &is_same)) {
        return is_same ? MOULT_OK
                       : problem_set(call->problem, MOULT_D_KEYSET_VERSION,
                                     "the keyset that is stored",
                                     "another one with its version");
    }
    st = put_keyset(call, keyset.version, envelope);
    return st == MOULT_OK ? control_audit(call, "keyset.add", version, NULL)
                          : problem_store(call, st);
}

enum moult_status control_artifact_note(const struct control_call *call,
                                        const struct control_artifact *artifact)
{
    json_t *detail = json_pack("{s:I, s:b}", "size", (json_int_t)artifact->size, "new",
                               (int)artifact->is_new);
    if (artifact->refused) {
        json_object_set_new(detail, "refused", json_detail(artifact->refused));
    }
    return control_audit(call, "artifact.put", artifact->sha256, detail);
}

/* --- storing a release ---------------------------------------------------------------- */

static void fill_component(const struct moult_component *from, struct store_component *to)
{
    *to = (struct store_component){
        .id = from->id,
        .format = from->format,
        .secure_version = from->secure_version,
        .chip_id = from->chip_id,
        .revision_min = from->revision_min,
        .revision_max = from->revision_max,
        .size = from->size,
    };
    memcpy(to->sha256, from->digest, sizeof to->sha256);
}

static enum moult_status fill_release(const struct control_call *call,
                                      const struct moult_release *r,
                                      struct moult_bytes envelope,
                                      struct store_release *out)
{
    struct control *control = call->control;
    struct moult_cose cose;
    enum moult_status st = moult_cose_parse(MOULT_STATEMENT_RELEASE, envelope, &cose, NULL);
    *out = (struct store_release){
        .sequence = r->sequence,
        .rollback_floor = r->rollback_floor,
        .source_sequence = r->source_sequence,
        .flags = r->flags,
        .state = STORE_RELEASE_PUBLISHED,
        .created_ms = call->now_ms,
        .component_count = r->component_count,
        .envelope_size = envelope.size,
    };
    if (st == MOULT_OK) {
        st = moult_sha256_once(control->parts.crypto, cose.payload.data, cose.payload.size,
                               out->payload_sha256);
    }
    if (st == MOULT_OK && !id_make(control->parts.random, call->now_ms, out->id)) {
        st = MOULT_E_INTERNAL;
    }
    memcpy(out->class_id, r->class_id, 16);
    memcpy(out->envelope, envelope.data, envelope.size);
    snprintf(out->version, sizeof out->version, "%.*s", (int)r->version.size,
             (const char *)r->version.data);
    for (unsigned i = 0; i < r->component_count; i++) {
        fill_component(&r->components[i], &out->components[i]);
    }
    return st;
}

struct sequence_want {
    const uint8_t *class_id;
    uint64_t sequence;
};

static bool has_sequence(const void *context, const struct store_release *release)
{
    const struct sequence_want *want = context;
    return release->sequence == want->sequence &&
           memcmp(release->class_id, want->class_id, 16) == 0;
}

static enum moult_status insert_release(const struct control_call *call,
                                        struct store_release *release)
{
    struct control *control = call->control;
    enum moult_status st = MOULT_OK;
    for (unsigned i = 0; i < release->component_count && st == MOULT_OK; i++) {
        st = store_artifact_put(call->db, release->components[i].sha256,
                                release->components[i].size, call->now_ms);
    }
    if (st == MOULT_OK) { st = store_release_insert(call->db, release); }
    if (st != MOULT_OK) { return st; }
    struct effect effect = {.kind = EFFECT_RELEASE,
                            .data = mem_copy(release, sizeof *release)};
    if (!effect.data) { return MOULT_E_NOMEM; }
    effects_push(&control->effects, &effect);
    return effects_status(&control->effects);
}

static enum moult_status refuse_sequence(const struct control_call *call, uint64_t sequence)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)sequence);
    return problem_field(call->problem, MOULT_D_RELEASE_DUPLICATE, "sequence", NULL, text);
}

static enum moult_status store_new(const struct control_call *call,
                                   struct store_release *release)
{
    struct sequence_want want = {release->class_id, release->sequence};
    if (statement_cache_find(&call->control->statements, has_sequence, &want, NULL)) {
        return refuse_sequence(call, release->sequence);
    }
    enum moult_status st = insert_release(call, release);
    return st == MOULT_E_EXISTS ? refuse_sequence(call, release->sequence) : st;
}

static enum moult_status view(const struct control_call *call,
                              const struct store_release *release, json_t **out)
{
    enum moult_status st = MOULT_OK;
    *out = view_release(call->control, call->db, release, &st);
    if (!*out && st == MOULT_OK) { st = MOULT_E_NOMEM; }
    return problem_store(call, st);
}

enum moult_status control_release_create(const struct control_call *call,
                                         struct moult_bytes envelope, bool *is_new,
                                         json_t **out)
{
    struct moult_release parsed;
    struct store_release release, stored;
    char object[ID_TEXT_SIZE] = "-";
    struct change change = {.action = "release.create", .object = object};
    *out = NULL;
    *is_new = false;
    enum moult_status st = change_begin(call);
    if (st != MOULT_OK) { return st; }
    st = release_check(call->control, envelope, &parsed, call->problem);
    if (st == MOULT_OK) { st = fill_release(call, &parsed, envelope, &release); }
    if (st == MOULT_OK && statement_cache_by_payload(&call->control->statements,
                                                     release.payload_sha256, &stored)) {
        release = stored; /* the same bytes again: nothing to do, and no fault */
    } else if (st == MOULT_OK) {
        *is_new = true;
        st = store_new(call, &release);
    }
    if (st == MOULT_OK) {
        id_write("rel", release.id, object);
        change.detail =
            json_pack("{s:s, s:b}", "version", release.version, "new", (int)*is_new);
        st = view(call, &release, out);
    }
    return change_end(call, &change, st, out);
}

/* --- reading -------------------------------------------------------------------------- */

struct before {
    int64_t num;
    const uint8_t *class_id; /* NULL: any */
};

static bool is_before(const void *context, const struct store_release *release)
{
    const struct before *before = context;
    return (before->num == 0 || release->num < before->num) &&
           (!before->class_id || memcmp(release->class_id, before->class_id, 16) == 0);
}

enum moult_status control_release_list(const struct control_call *call,
                                       const char *class_name,
                                       const struct control_page *page, json_t **out)
{
    struct page_builder builder;
    struct before before = {0};
    const struct control_config *config = &call->control->config;
    *out = NULL;
    enum moult_status st = page_number(call, page, &before.num);
    if (st != MOULT_OK) { return st; }
    for (size_t i = 0; class_name && i < config->class_count; i++) {
        if (strcmp(config->classes[i].name, class_name) == 0) {
            before.class_id = config->classes[i].id;
        }
    }
    if (class_name && !before.class_id) {
        return problem_field(call->problem, MOULT_D_API_QUERY, "class",
                             config->classes[0].name, class_name);
    }
    st = page_begin(page, &builder);
    struct store_release release;
    while (st == MOULT_OK &&
           statement_cache_find(&call->control->statements, is_before, &before, &release)) {
        json_t *item = view_release(call->control, call->db, &release, &st);
        if (!page_add_number(&builder, item, release.num)) { break; }
        before.num = release.num;
    }
    return problem_store(call, page_end(&builder, st, out));
}

struct name_want {
    const char *text;
    bool is_id;
    uint8_t id[ID_SIZE];
};

static bool is_named(const void *context, const struct store_release *release)
{
    const struct name_want *want = context;
    return want->is_id ? memcmp(release->id, want->id, ID_SIZE) == 0
                       : strcmp(release->version, want->text) == 0;
}

enum moult_status release_named(const struct control_call *call, const char *text,
                                struct store_release *out)
{
    struct name_want want = {.text = text};
    want.is_id = id_parse("rel", text, want.id);
    if (statement_cache_find(&call->control->statements, is_named, &want, out)) {
        return MOULT_OK;
    }
    return problem_field(call->problem, MOULT_D_API_NOT_FOUND, "release", "release", text);
}

enum moult_status control_release_show(const struct control_call *call, const char *id,
                                       json_t **out)
{
    struct store_release release;
    *out = NULL;
    enum moult_status st = release_named(call, id, &release);
    return st == MOULT_OK ? view(call, &release, out) : st;
}

enum moult_status control_release_statement(const struct control_call *call, const char *id,
                                            uint8_t *out, size_t capacity, size_t *size)
{
    struct store_release release;
    enum moult_status st = release_named(call, id, &release);
    if (st != MOULT_OK) { return st; }
    if (release.envelope_size > capacity) { return MOULT_E_SPACE; }
    memcpy(out, release.envelope, release.envelope_size);
    *size = release.envelope_size;
    return MOULT_OK;
}
