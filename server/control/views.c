/* views.c - see views.h: devices, releases and assignments. Rollouts: view_rollout.c. */
#include "server/control/views.h"
#include <stdio.h>
#include <string.h>
#include "formats/chip.h"
#include "formats/codes.h"
#include "formats/cose.h"
#include "formats/message_checkin.h"
#include "server/control/events.h"
#include "server/control/ids.h"

json_t *view_time(int64_t time_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (time_ms <= 0) { return json_null(); }
    clock_rfc3339((uint64_t)time_ms, text);
    return json_string(text);
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *hex(const uint8_t *data, size_t size)
{
    char text[65];
    moult_hex_encode(data, size, text);
    return json_string(text);
}

static json_t *id_text(const char *prefix, const uint8_t id[16])
{
    char text[ID_TEXT_SIZE];
    id_write(prefix, id, text);
    return json_string(text);
}

/* --- device --------------------------------------------------------------------------- */

static const char *running_word(unsigned state)
{
    static const char *const words[] = {"confirmed", "trial", "unmanaged"};
    return state < sizeof words / sizeof words[0] ? words[state] : "?";
}

static json_t *view_running(struct control *control, const struct store_device *d)
{
    struct store_release release;
    bool is_known = d->has_running && statement_cache_by_image(&control->statements,
                                                               d->running_digest, &release);
    return json_pack(
        "{s:o, s:o, s:I, s:s, s:o}", "version", text_or_null(d->running_version), "digest",
        d->has_running ? hex(d->running_digest, 32) : json_null(), "sequence",
        (json_int_t)d->running_sequence, "slot_state", running_word(d->running_state),
        "release", is_known ? id_text("rel", release.id) : json_null());
}

static json_t *view_failure(const struct store_device *d)
{
    if (d->fail_reason == 0 || d->fail_ms == 0) { return json_null(); }
    const struct moult_code_info *info = moult_reason_info(d->fail_reason);
    return json_pack("{s:o, s:s, s:o, s:s, s:s, s:o}", "reason",
                     json_reason(d->fail_reason), "reason_name",
                     reason_name(d->fail_reason), "detail", json_detail(d->fail_detail),
                     "words", info ? info->words : "", "text", d->fail_text, "at",
                     view_time(d->fail_ms));
}

struct spaces {
    json_t *tags, *attributes, *meta; /* borrowed from the device's object */
};

static bool add_attribute(void *context, enum store_space space, const char *name,
                          const char *value)
{
    struct spaces *spaces = context;
    json_t *into = space == STORE_TAG    ? spaces->tags
                   : space == STORE_META ? spaces->meta
                                         : spaces->attributes;
    return json_object_set_new(into, name, json_string(value)) == 0;
}

static json_t *add_object(json_t *to, const char *name)
{
    json_t *object = json_object();
    json_object_set_new(to, name, object);
    return object;
}

static enum moult_status add_spaces(struct store_db *db, const struct store_device *d,
                                    json_t *out)
{
    struct spaces spaces = {.tags = add_object(out, "tags"),
                            .attributes = add_object(out, "attributes"),
                            .meta = add_object(out, "meta")};
    return store_attribute_each(db, d->num, add_attribute, &spaces);
}

static enum moult_status add_facts(struct store_db *db, const struct store_device *d,
                                   json_t *out)
{
    uint8_t text[STORE_FACTS_MAX];
    size_t size = 0;
    enum moult_status st = store_device_facts(db, d->num, text, sizeof text, &size);
    json_t *facts =
        st == MOULT_OK && size > 0 ? json_loadb((const char *)text, size, 0, NULL) : NULL;
    json_object_set_new(out, "facts", facts ? facts : json_object());
    return st;
}

static enum moult_status add_assignment(struct control *control, struct store_db *db,
                                        const struct store_device *d, json_t *out)
{
    struct store_assignment row;
    struct control_rollout rollout;
    enum moult_status st = store_assignment_active(db, d->num, &row);
    json_t *view = NULL;
    if (st == MOULT_OK && rollout_cache_copy(&control->rollouts, row.rollout, &rollout)) {
        view = view_assignment(control, &row, &rollout, d->id);
    }
    json_object_set_new(out, "assignment", view ? view : json_null());
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* What check-ins leave in memory is newer than the row. */
static void add_contact(struct control *control, const struct store_device *d, json_t *out)
{
    struct device_live live = {.last_seen_ms = d->last_seen_ms, .next_s = d->next_s};
    snprintf(live.address, sizeof live.address, "%s", d->last_address);
    uint32_t index = device_table_find_id(control->devices, d->id);
    if (index != DEVICE_NONE) {
        struct device_live known;
        device_table_get(control->devices, index, NULL, &known);
        if (known.last_seen_ms >= live.last_seen_ms) { live = known; }
    }
    json_object_set_new(out, "first_seen", view_time(d->first_seen_ms));
    json_object_set_new(out, "last_seen", view_time(live.last_seen_ms));
    json_object_set_new(out, "last_address",
                        text_or_null(live.address[0] ? live.address : d->last_address));
    json_object_set_new(out, "next_s", json_integer(live.next_s));
}

json_t *view_device(struct control *control, struct store_db *db,
                    const struct store_device *d, enum moult_status *status)
{
    const struct control_config *config = &control->config;
    const char *class_name = config->classes[control_class_index(config, d->class_id)].name;
    json_t *out = json_pack(
        "{s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "id",
        hex(d->id, 16), "spki_sha256", hex(d->spki, 32), "state",
        device_state_word(d->state), "product", config->product, "class", class_name,
        "name", text_or_null(d->name), "serial", text_or_null(d->serial), "group",
        text_or_null(d->group), "running", view_running(control, d), "chip",
        d->has_chip ? json_string(moult_chip_name(d->chip_id)) : json_null(),
        "chip_revision", d->has_chip ? json_integer(d->revision) : json_null(),
        "keyset_version", (json_int_t)d->keyset_version, "last_failure", view_failure(d));
    if (!out) { return NULL; }
    add_contact(control, d, out);
    enum moult_status st = add_facts(db, d, out);
    if (st == MOULT_OK) { st = add_spaces(db, d, out); }
    if (st == MOULT_OK) { st = add_assignment(control, db, d, out); }
    if (st == MOULT_OK) { return out; }
    *status = st;
    json_decref(out);
    return NULL;
}

/* --- assignment ----------------------------------------------------------------------- */

static uint32_t release_size(struct control *control, int64_t num)
{
    struct store_release release;
    if (!statement_cache_by_num(&control->statements, num, &release)) { return 0; }
    uint32_t size = 0;
    for (unsigned i = 0; i < release.component_count; i++) {
        size += release.components[i].size; /* at most 4 x 16 MB */
    }
    return size;
}

json_t *view_assignment(struct control *control, const struct store_assignment *row,
                        const struct control_rollout *rollout, const uint8_t *device_id)
{
    uint8_t id[ID_SIZE];
    uint32_t size = release_size(control, rollout->release);
    bool is_fetched = (row->state >= ASSIGNMENT_WRITTEN && row->state < ASSIGNMENT_FAILED);
    id_of_row(rollout->created_ms, (uint16_t)rollout->num, (uint64_t)row->device, id);
    return json_pack("{s:o, s:o, s:o, s:i, s:I, s:s, s:o, s:o, s:o, s:I, s:I, s:o}", "id",
                     id_text("asg", id), "rollout", id_text("rol", rollout->id), "device",
                     hex(device_id, 16), "phase", (int)row->phase, "generation",
                     (json_int_t)row->generation, "state",
                     assignment_state_word(row->state), "reason", json_reason(row->reason),
                     "detail", json_detail(row->detail), "text", text_or_null(row->message),
                     "bytes", (json_int_t)(is_fetched ? size : row->bytes), "size",
                     (json_int_t)size, "updated", view_time(row->updated_ms));
}

/* --- release -------------------------------------------------------------------------- */

static json_t *view_components(const struct store_release *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < r->component_count; i++) {
        const struct store_component *c = &r->components[i];
        json_array_append_new(
            list,
            json_pack("{s:i, s:I, s:o, s:i, s:s, s:i, s:i, s:i}", "id", (int)c->id, "size",
                      (json_int_t)c->size, "sha256", hex(c->sha256, 32), "chip_id",
                      (int)c->chip_id, "chip", moult_chip_name(c->chip_id),
                      "chip_revision_min", (int)c->revision_min, "chip_revision_max",
                      (int)c->revision_max, "secure_version", (int)c->secure_version));
    }
    return list;
}

static json_t *view_signers(const struct store_release *r)
{
    json_t *list = json_array();
    struct moult_cose cose;
    struct moult_bytes envelope = {r->envelope, r->envelope_size};
    if (moult_cose_parse(MOULT_STATEMENT_RELEASE, envelope, &cose, NULL) != MOULT_OK) {
        return list; /* it was verified when it came; a damaged row shows no signer */
    }
    for (unsigned i = 0; i < cose.count; i++) {
        json_array_append_new(list, hex(moult_cose_kid(&cose, i), MOULT_KID_SIZE));
    }
    return list;
}

json_t *view_release(struct control *control, struct store_db *db,
                     const struct store_release *r, enum moult_status *status)
{
    static const char *const states[] = {"?", "draft", "published", "recalled"};
    const struct control_config *config = &control->config;
    const struct store_component *app = release_app(r);
    uint32_t running = 0;
    *status = app ? store_running_count(db, app->sha256, &running) : MOULT_OK;
    if (*status != MOULT_OK) { return NULL; }
    return json_pack("{s:o, s:s, s:o, s:s, s:I, s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:I}",
                     "id", id_text("rel", r->id), "class",
                     config->classes[control_class_index(config, r->class_id)].name,
                     "class_id", hex(r->class_id, 16), "version", r->version, "sequence",
                     (json_int_t)r->sequence, "rollback_floor",
                     (json_int_t)r->rollback_floor, "payload_sha256",
                     hex(r->payload_sha256, 32), "state",
                     states[r->state < 4 ? r->state : 0], "components", view_components(r),
                     "created", view_time(r->created_ms), "notes", text_or_null(r->notes),
                     "signers", view_signers(r), "devices_running", (json_int_t)running);
}
