/* import.c - devices from a CSV, a thousand rows a transaction, and back. See
 * registry.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "server/base/mem.h"
#include "server/control/audit.h"
#include "server/control/csv.h"
#include "server/control/device_move.h"
#include "server/control/internal.h"
#include "server/control/problem.h"
#include "server/control/registry.h"
#include "server/control/rollout_work.h"
#include "server/store/store_device.h"
#include "server/store/store_event.h"

enum { STEP_ROWS = 1000, ERRORS_MAX = 1000, MESSAGE_SIZE = 160 };

/* The columns there are; "tag:" and "meta:" begin any number of others. */
enum column {
    COLUMN_ID,
    COLUMN_SPKI,
    COLUMN_NAME,
    COLUMN_SERIAL,
    COLUMN_PRODUCT,
    COLUMN_CLASS,
    COLUMN_GROUP,
    COLUMN_STATE,
    COLUMN_KNOWN,
    COLUMN_TAG = COLUMN_KNOWN,
    COLUMN_META,
};
static const char *const column_names[COLUMN_KNOWN] = {
    "id", "spki_sha256", "name", "serial", "product", "class", "group", "state"};

struct control_import {
    struct csv_reader csv;
    size_t column_count;
    enum column columns[CSV_FIELDS_MAX];
    char names[CSV_FIELDS_MAX][STORE_NAME_SIZE]; /* behind "tag:" and "meta:" */
    uint64_t created, updated, unchanged;
    json_t *errors; /* owned */
    size_t error_count;
};

/* One row, understood. NULL texts: the column is not there. */
struct row {
    bool has_id, has_spki;
    uint8_t id[16], spki[32];
    const char *label[COLUMN_KNOWN];
    uint8_t class_index;
    enum device_state state; /* 0: not given */
    const char *bad_field;   /* set with message when it cannot be understood */
    char message[MESSAGE_SIZE];
};

static bool bad(struct row *row, const char *field, const char *want, const char *have)
{
    row->bad_field = field;
    snprintf(row->message, sizeof row->message, "expected %s, found \"%.60s\"", want, have);
    return false;
}

/* --- header --------------------------------------------------------------------------- */

static bool take_column(struct control_import *import, size_t i, const char *name)
{
    static const struct {
        const char *prefix;
        enum column column;
    } open[] = {{"tag:", COLUMN_TAG}, {"meta:", COLUMN_META}};
    for (int c = 0; c < COLUMN_KNOWN; c++) {
        if (strcmp(name, column_names[c]) == 0) {
            import->columns[i] = (enum column)c;
            return true;
        }
    }
    for (size_t k = 0; k < 2; k++) {
        size_t size = strlen(open[k].prefix);
        if (strncmp(name, open[k].prefix, size) != 0) { continue; }
        size_t rest = strlen(name + size);
        if (rest == 0 || rest >= STORE_NAME_SIZE) { return false; }
        import->columns[i] = open[k].column;
        memcpy(import->names[i], name + size, rest + 1);
        return true;
    }
    return false;
}

static bool is_repeated(const struct control_import *import, size_t column)
{
    for (size_t i = 0; i < column; i++) {
        if (import->columns[i] == import->columns[column] &&
            strcmp(import->names[i], import->names[column]) == 0) {
            return true;
        }
    }
    return false;
}

static enum moult_status take_header(struct control_import *import,
                                     struct control_problem *problem)
{
    static const char *const want = "a header of id, spki_sha256, name, serial, product, "
                                    "class, group, state, tag:NAME, meta:NAME";
    if (csv_next(&import->csv) != MOULT_OK) {
        return problem_set(problem, MOULT_D_IMPORT_ROW, want, "no CSV header");
    }
    bool has_key = false;
    import->column_count = import->csv.field_count;
    for (size_t i = 0; i < import->column_count; i++) {
        const char *name = import->csv.field[i];
        if (!take_column(import, i, name)) {
            return problem_field(problem, MOULT_D_IMPORT_ROW, name, want, name);
        }
        if (is_repeated(import, i)) {
            return problem_field(problem, MOULT_D_IMPORT_ROW, name, "each column once",
                                 name);
        }
        has_key =
            has_key || import->columns[i] == COLUMN_ID || import->columns[i] == COLUMN_SPKI;
    }
    return has_key ? MOULT_OK
                   : problem_set(problem, MOULT_D_IMPORT_ROW, "a column id or spki_sha256",
                                 "neither");
}

enum moult_status control_import_begin(struct control *control, struct moult_bytes csv,
                                       struct control_import **out,
                                       struct control_problem *problem)
{
    (void)control; /* nothing is looked up before the first step */
    struct control_import *import = mem_alloc(sizeof *import);
    if (!import) { return MOULT_E_NOMEM; }
    csv_init(&import->csv, csv);
    import->errors = json_array();
    enum moult_status st = import->errors ? take_header(import, problem) : MOULT_E_NOMEM;
    if (st != MOULT_OK) {
        control_import_end(import);
        return st;
    }
    *out = import;
    return MOULT_OK;
}

void control_import_end(struct control_import *import)
{
    if (!import) { return; }
    json_decref(import->errors);
    mem_free(import);
}

/* --- one row -------------------------------------------------------------------------- */

static bool parse_class(const struct control *control, struct row *row)
{
    const char *product = row->label[COLUMN_PRODUCT];
    if (product && product[0] && strcmp(product, control->config.product) != 0) {
        return bad(row, "product", control->config.product, product);
    }
    const char *name = row->label[COLUMN_CLASS];
    row->class_index = 0;
    if (!name || !name[0]) { return true; }
    for (size_t i = 0; i < control->config.class_count; i++) {
        if (strcmp(control->config.classes[i].name, name) == 0) {
            row->class_index = (uint8_t)i;
            return true;
        }
    }
    return bad(row, "class", "a class of the configuration", name);
}

static bool parse_keys(struct row *row)
{
    const char *id = row->label[COLUMN_ID], *spki = row->label[COLUMN_SPKI];
    row->has_id = id && id[0];
    row->has_spki = spki && spki[0];
    if (row->has_id && (strlen(id) != 32 || !moult_hex_decode(id, row->id, 16))) {
        return bad(row, "id", "32 hex digits", id);
    }
    if (row->has_spki && (strlen(spki) != 64 || !moult_hex_decode(spki, row->spki, 32))) {
        return bad(row, "spki_sha256", "64 hex digits", spki);
    }
    if (!row->has_id && !row->has_spki) {
        return bad(row, "spki_sha256", "an id or a fingerprint", "");
    }
    if (!row->has_id) { memcpy(row->id, row->spki, 16); } /* fixed at enrolment */
    return true;
}

static bool parse_row(const struct control *control, const struct control_import *import,
                      struct row *row)
{
    memset(row, 0, sizeof *row);
    if (import->csv.field_count != import->column_count) {
        char want[40], have[20];
        snprintf(want, sizeof want, "%zu fields, as in the header", import->column_count);
        snprintf(have, sizeof have, "%zu", import->csv.field_count);
        return bad(row, "", want, have);
    }
    for (size_t i = 0; i < import->column_count; i++) {
        const char *text = import->csv.field[i];
        enum column column = import->columns[i];
        bool is_label = column != COLUMN_ID && column != COLUMN_SPKI;
        if (is_label && strlen(text) >= STORE_NAME_SIZE) {
            return bad(row, column < COLUMN_KNOWN ? column_names[column] : import->names[i],
                       "at most 64 bytes", text);
        }
        if (column < COLUMN_KNOWN) { row->label[column] = text; }
    }
    const char *state = row->label[COLUMN_STATE];
    if (state && state[0]) {
        row->state = device_state_parse(state);
        if (!row->state) {
            return bad(row, "state", "pending, accepted, rejected, quarantined or retired",
                       state);
        }
    }
    return parse_keys(row) && parse_class(control, row);
}

/* Sets a label if its column is there. True: it changed. */
static bool set_label(char *label, const char *text)
{
    if (!text || strcmp(label, text) == 0) { return false; }
    snprintf(label, STORE_NAME_SIZE, "%s", text);
    return true;
}

static bool set_labels(struct store_device *device, const struct row *row)
{
    bool changed = set_label(device->name, row->label[COLUMN_NAME]);
    changed = set_label(device->serial, row->label[COLUMN_SERIAL]) || changed;
    return set_label(device->group, row->label[COLUMN_GROUP]) || changed;
}

struct attribute_search {
    enum store_space space;
    const char *name, *value;
    bool is_same;
};

static bool match_attribute(void *context, enum store_space space, const char *name,
                            const char *value)
{
    struct attribute_search *search = context;
    if (space != search->space || strcmp(name, search->name) != 0) { return true; }
    search->is_same = strcmp(value, search->value) == 0;
    return false;
}

static enum moult_status set_attributes(const struct control_call *call,
                                        const struct control_import *import, int64_t device,
                                        bool *changed)
{
    for (size_t i = 0; i < import->column_count; i++) {
        if (import->columns[i] < COLUMN_KNOWN || !import->csv.field[i][0]) { continue; }
        struct attribute_search search = {
            .space = import->columns[i] == COLUMN_TAG ? STORE_TAG : STORE_META,
            .name = import->names[i],
            .value = import->csv.field[i]};
        enum moult_status st =
            store_attribute_each(call->db, device, match_attribute, &search);
        if (st == MOULT_OK && search.is_same) { continue; }
        if (st == MOULT_OK) {
            st = store_attribute_set(call->db, device, search.space, search.name,
                                     search.value, call->now_ms);
        }
        if (st != MOULT_OK) { return st; }
        *changed = true;
    }
    return MOULT_OK;
}

static enum moult_status note(const struct control_call *call, int64_t device,
                              const char *kind, const char *text)
{
    struct store_event event = {.time_ms = call->now_ms,
                                .device = device,
                                .kind = kind,
                                .text = text,
                                .data = "{}"};
    return store_event_insert(call->db, &event, NULL);
}

static void tell_table(const struct control_call *call, const struct store_device *device,
                       const struct row *row)
{
    struct device_durable durable = {
        .num = device->num, .class_index = row->class_index, .state = device->state};
    memcpy(durable.id, device->id, sizeof durable.id);
    memcpy(durable.spki, device->spki, sizeof durable.spki);
    effects_device(&call->control->effects, &durable);
}

static enum moult_status create(const struct control_call *call,
                                struct control_import *import, struct row *row)
{
    struct control *control = call->control;
    struct store_device device = {.first_seen_ms = call->now_ms};
    if (!row->has_spki) {
        bad(row, "spki_sha256", "a fingerprint for a new device", "none");
        return MOULT_OK;
    }
    if (!control_has_room(control)) {
        bad(row, "", "fewer devices than enrol.devices_max", "the registry is full");
        return MOULT_OK;
    }
    memcpy(device.id, row->id, sizeof device.id);
    memcpy(device.spki, row->spki, sizeof device.spki);
    memcpy(device.class_id, control->config.classes[row->class_index].id, 16);
    device.state = (uint8_t)(row->state ? row->state : DEVICE_ACCEPTED);
    set_labels(&device, row);
    enum moult_status st = store_device_insert(call->db, &device);
    if (st == MOULT_E_EXISTS) {
        bad(row, "spki_sha256", "a fingerprint that no other device has",
            row->label[COLUMN_SPKI]);
        return MOULT_OK;
    }
    bool changed = false;
    if (st == MOULT_OK) { st = set_attributes(call, import, device.num, &changed); }
    if (st == MOULT_OK) {
        st = note(call, device.num, "device.imported", "added by import");
    }
    if (st == MOULT_OK) {
        effects_new_device(&control->effects);
        tell_table(call, &device, row);
        import->created++;
    }
    return st;
}

static bool names_other_class(const struct control *control,
                              const struct store_device *device, const struct row *row)
{
    const char *name = row->label[COLUMN_CLASS];
    return name && name[0] &&
           memcmp(device->class_id, control->config.classes[row->class_index].id, 16) != 0;
}

/* What a known device is, beside its labels, is not for a file to change. */
static bool may_update(const struct control *control, const struct store_device *device,
                       struct row *row)
{
    bool is_pending = device->state == DEVICE_PENDING;
    if (row->has_spki && memcmp(device->spki, row->spki, 32) != 0) {
        return bad(row, "spki_sha256", "the fingerprint that this id has",
                   row->label[COLUMN_SPKI]);
    }
    if (!is_pending && row->state && row->state != (enum device_state)device->state) {
        return bad(row, "state", "the state it has (change it with moult device VERB)",
                   row->label[COLUMN_STATE]);
    }
    if (!is_pending && names_other_class(control, device, row)) {
        return bad(row, "class", "the class it has (its firmware decides)",
                   row->label[COLUMN_CLASS]);
    }
    return true;
}

/* A fingerprint in a file is a word for the device; its id alone is not. */
static enum device_state state_after(const struct store_device *device,
                                     const struct row *row)
{
    if (device->state != DEVICE_PENDING) { return (enum device_state)device->state; }
    if (row->state) { return row->state; }
    return row->has_spki ? DEVICE_ACCEPTED : DEVICE_PENDING;
}

static enum moult_status update(const struct control_call *call,
                                struct control_import *import, struct store_device *device,
                                struct row *row)
{
    if (!may_update(call->control, device, row)) { return MOULT_OK; }
    enum device_state state = state_after(device, row);
    bool labels = set_labels(device, row), attributes = false;
    if (names_other_class(call->control, device, row)) {
        memcpy(device->class_id, call->control->config.classes[row->class_index].id, 16);
        labels = true;
    }
    bool moves = device->state != (uint8_t)state;
    enum moult_status st = labels ? store_device_save_labels(call->db, device) : MOULT_OK;
    if (st == MOULT_OK) { st = set_attributes(call, import, device->num, &attributes); }
    if (st == MOULT_OK && moves) {
        st = device_move(call, device, state, "named by an import, was pending");
    } else if (st == MOULT_OK && (labels || attributes)) {
        st = device_relabelled(call, device);
    }
    import->updated += labels || attributes || moves;
    import->unchanged += !(labels || attributes || moves);
    return st;
}

static enum moult_status put_row(const struct control_call *call,
                                 struct control_import *import, struct row *row)
{
    struct store_device device;
    enum moult_status st = row->has_id ? store_device_by_id(call->db, row->id, &device)
                                       : store_device_by_spki(call->db, row->spki, &device);
    if (st == MOULT_E_NOENT) { return create(call, import, row); }
    return st == MOULT_OK ? update(call, import, &device, row) : st;
}

/* --- steps ---------------------------------------------------------------------------- */

static enum moult_status add_error(struct control_import *import, const struct row *row)
{
    if (++import->error_count > ERRORS_MAX) { return MOULT_OK; } /* counted all the same */
    json_t *error = json_pack("{s:I, s:s, s:s}", "row", (json_int_t)import->csv.line,
                              "field", row->bad_field, "message", row->message);
    return error && json_array_append_new(import->errors, error) == 0 ? MOULT_OK
                                                                      : MOULT_E_NOMEM;
}

static enum moult_status one_row(const struct control_call *call,
                                 struct control_import *import)
{
    struct row row;
    enum moult_status st = csv_next(&import->csv);
    if (st == MOULT_E_NOENT) { return st; }
    if (st != MOULT_OK) {
        bad(&row, "", "a CSV row of at most 64 fields and 8 KB with closed quotes",
            st == MOULT_E_RANGE ? "more" : "a stray quote");
        return add_error(import, &row);
    }
    row.bad_field = NULL;
    st = parse_row(call->control, import, &row) ? put_row(call, import, &row) : MOULT_OK;
    return st == MOULT_OK && row.bad_field ? add_error(import, &row) : st;
}

static enum moult_status run_rows(const struct control_call *call,
                                  struct control_import *import)
{
    enum moult_status st = MOULT_OK;
    for (int i = 0; st == MOULT_OK && i < STEP_ROWS; i++) {
        st = one_row(call, import);
    }
    return st;
}

static enum moult_status audit_step(const struct control_call *call,
                                    const struct control_import *import)
{
    json_t *detail =
        json_pack("{s:I, s:I, s:I, s:I}", "created", (json_int_t)import->created, "updated",
                  (json_int_t)import->updated, "unchanged", (json_int_t)import->unchanged,
                  "errors", (json_int_t)import->error_count);
    return control_audit(call, "device.import", "csv", detail);
}

enum moult_status control_import_step(const struct control_call *call,
                                      struct control_import *import, bool *is_done)
{
    enum moult_status st = call->dry_run ? store_savepoint(call->db) : MOULT_OK;
    if (st == MOULT_OK) { st = run_rows(call, import); }
    *is_done = st == MOULT_E_NOENT;
    if (*is_done) { st = MOULT_OK; }
    if (st == MOULT_OK) { st = rollouts_settle(call->control, call->db, call->now_ms); }
    if (call->dry_run) {
        store_savepoint_undo(call->db);
        effects_job_undone(&call->control->effects);
        rollout_cache_job_undone(&call->control->rollouts);
    } else if (st == MOULT_OK) {
        st = effects_status(&call->control->effects);
    }
    if (st == MOULT_OK) { st = audit_step(call, import); }
    return problem_store(call, st);
}

json_t *control_import_result(const struct control_import *import)
{
    return json_pack("{s:I, s:I, s:I, s:O}", "created", (json_int_t)import->created,
                     "updated", (json_int_t)import->updated, "unchanged",
                     (json_int_t)import->unchanged, "errors", import->errors);
}

/* --- export --------------------------------------------------------------------------- */

static void csv_text(struct buffer *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        buffer_text(out, text);
        return;
    }
    buffer_text(out, "\"");
    for (; *text; text++) {
        if (*text == '"') { buffer_text(out, "\""); }
        buffer_append(out, text, 1);
    }
    buffer_text(out, "\"");
}

struct export
{
    const struct control *control;
    struct buffer *out;
};

static const char *class_name(const struct control *control, const uint8_t class_id[16])
{
    for (size_t i = 0; i < control->config.class_count; i++) {
        if (memcmp(control->config.classes[i].id, class_id, 16) == 0) {
            return control->config.classes[i].name;
        }
    }
    return "";
}

static bool export_one(void *context, const struct store_device *device)
{
    const struct export *export = context;
    char id[33], spki[65];
    moult_hex_encode(device->id, 16, id);
    moult_hex_encode(device->spki, 32, spki);
    const char *fields[COLUMN_KNOWN] = {
        [COLUMN_ID] = id,
        [COLUMN_SPKI] = spki,
        [COLUMN_NAME] = device->name,
        [COLUMN_SERIAL] = device->serial,
        [COLUMN_PRODUCT] = export->control->config.product,
        [COLUMN_CLASS] = class_name(export->control, device->class_id),
        [COLUMN_GROUP] = device->group,
        [COLUMN_STATE] = device_state_word(device->state),
    };
    for (int c = 0; c < COLUMN_KNOWN; c++) {
        if (c > 0) { buffer_text(export->out, ","); }
        csv_text(export->out, fields[c]);
    }
    buffer_text(export->out, "\n");
    return !export->out->failed;
}

enum moult_status control_device_export(const struct control_call *call, struct buffer *out)
{
    struct export export = {.control = call->control, .out = out};
    for (int c = 0; c < COLUMN_KNOWN; c++) {
        if (c > 0) { buffer_text(out, ","); }
        buffer_text(out, column_names[c]);
    }
    buffer_text(out, "\n");
    struct store_device_query query = {0};
    enum moult_status st = store_device_each(call->db, &query, export_one, &export);
    if (st == MOULT_OK && out->failed) { st = MOULT_E_NOMEM; }
    return problem_store(call, st);
}
