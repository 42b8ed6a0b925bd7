/* selecting.c - see selecting.h. */
#include "server/control/selecting.h"
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/chip.h"
#include "server/control/problem.h"

enum moult_status selecting_parse(const char *text, struct moult_selector *selector,
                                  const char *field, struct control_problem *problem)
{
    struct moult_selector_error error;
    struct moult_bytes bytes = {(const uint8_t *)text, strlen(text)};
    enum moult_status st =
        moult_selector_parse(&moult_selector_device_fields, bytes, selector, &error);
    if (st == MOULT_OK) { return MOULT_OK; }
    char have[120], want[120];
    size_t left = bytes.size > error.position ? bytes.size - error.position : 0;
    size_t size = error.size < left ? error.size : left;
    snprintf(have, sizeof have, "\"%.*s\" at character %u", (int)(size < 60 ? size : 60),
             text + error.position, (unsigned)error.position + 1);
    snprintf(want, sizeof want, "%s%s%s", error.expected,
             error.nearest ? "; nearest is " : "", error.nearest ? error.nearest : "");
    return problem_field(problem, MOULT_D_ROLLOUT_SELECTOR, field, want,
                         size > 0 ? have : "its end");
}

void selecting_init(struct selecting *s, struct control *control, struct store_db *db,
                    struct arena *arena, int64_t now_ms)
{
    s->control = control;
    s->db = db;
    s->arena = arena;
    s->now_ms = now_ms;
    s->device = NULL;
    s->is_loaded = false;
    s->status = MOULT_OK;
    s->count = 0;
}

/* --- attributes, when they are asked for ---------------------------------------------- */

static bool take_attribute(void *context, enum store_space space, const char *name,
                           const char *value)
{
    struct selecting *s = context;
    struct selecting_attribute attribute = {
        .space = space,
        .name = arena_text(s->arena, name, strlen(name)),
        .value = arena_text(s->arena, value, strlen(value)),
    };
    bool fits = s->count < SELECTING_ATTRIBUTES_MAX && attribute.name && attribute.value;
    if (fits) { s->attributes[s->count++] = attribute; }
    if (!fits) { s->status = MOULT_E_NOMEM; }
    return fits;
}

static const char *attribute_of(struct selecting *s, enum store_space space,
                                struct moult_bytes name)
{
    if (!s->is_loaded) {
        enum moult_status st =
            store_attribute_each(s->db, s->device->num, take_attribute, s);
        if (st != MOULT_OK) { s->status = st; }
        s->is_loaded = true;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct selecting_attribute *attribute = &s->attributes[i];
        if (attribute->space == space && strlen(attribute->name) == name.size &&
            memcmp(attribute->name, name.data, name.size) == 0) {
            return attribute->value;
        }
    }
    return NULL;
}

/* --- values --------------------------------------------------------------------------- */

static struct moult_value of_text(const char *text)
{
    if (!text || !text[0]) { return (struct moult_value){.type = MOULT_VALUE_MISSING}; }
    return (struct moult_value){.type = MOULT_VALUE_STRING,
                                .text = {(const uint8_t *)text, strlen(text)}};
}

static struct moult_value of_number(enum moult_value_type type, int64_t number)
{
    return (struct moult_value){.type = type, .number = number};
}

static struct moult_value of_bytes(const uint8_t *data, size_t size, char *out)
{
    moult_hex_encode(data, size, out);
    return of_text(out);
}

static struct moult_value of_version(const struct store_device *device)
{
    struct moult_value value = of_text(device->running_version);
    if (value.type == MOULT_VALUE_MISSING) { return value; }
    value.type = MOULT_VALUE_VERSION;
    value.number = (int64_t)device->running_sequence;
    return value;
}

/* "attr.room" or "meta.room"; "site" and "tz" are an operator's word first. */
static struct moult_value of_dynamic(struct selecting *s, struct moult_bytes ident)
{
    bool is_meta = ident.size > 5 && memcmp(ident.data, "meta.", 5) == 0;
    struct moult_bytes name = {ident.data + 5, ident.size > 5 ? ident.size - 5 : 0};
    return of_text(attribute_of(s, is_meta ? STORE_META : STORE_ATTR, name));
}

static struct moult_value of_either(struct selecting *s, const char *name)
{
    struct moult_bytes bytes = {(const uint8_t *)name, strlen(name)};
    const char *value = attribute_of(s, STORE_META, bytes);
    return of_text(value ? value : attribute_of(s, STORE_ATTR, bytes));
}

static struct moult_value of_running(struct selecting *s, unsigned field)
{
    const struct store_device *d = s->device;
    struct moult_value none = {.type = MOULT_VALUE_MISSING};
    if (!d->has_running) { return none; }
    if (field == MOULT_FIELD_VERSION) { return of_version(d); }
    if (field == MOULT_FIELD_SEQ) {
        return of_number(MOULT_VALUE_INTEGER, (int64_t)d->running_sequence);
    }
    return of_bytes(d->running_digest, 32, s->digest_text);
}

static struct moult_value of_chip(struct selecting *s, unsigned field)
{
    const struct store_device *d = s->device;
    struct moult_value none = {.type = MOULT_VALUE_MISSING};
    if (!d->has_chip) { return none; }
    if (field == MOULT_FIELD_CHIP) { return of_text(moult_chip_name(d->chip_id)); }
    return of_number(MOULT_VALUE_INTEGER,
                     field == MOULT_FIELD_REVISION ? d->revision : d->secure_version);
}

static struct moult_value of_field(const void *context, unsigned field,
                                   struct moult_bytes ident)
{
    /* The subject is what it is asked about; what changes is only what it has looked up. */
    struct selecting *s = (struct selecting *)(uintptr_t)context;
    const struct store_device *d = s->device;
    switch (field) {
    case MOULT_FIELD_ID:
        return of_bytes(d->id, 16, s->id_text);
    case MOULT_FIELD_NAME:
        return of_text(d->name);
    case MOULT_FIELD_SERIAL:
        return of_text(d->serial);
    case MOULT_FIELD_PRODUCT:
        return of_text(s->control->config.product);
    case MOULT_FIELD_STATE:
        return of_text(device_state_word(d->state));
    case MOULT_FIELD_SITE:
        return of_either(s, "site");
    case MOULT_FIELD_TZ:
        return of_either(s, "tz");
    case MOULT_FIELD_VERSION:
    case MOULT_FIELD_SEQ:
    case MOULT_FIELD_DIGEST:
        return of_running(s, field);
    case MOULT_FIELD_CHIP:
    case MOULT_FIELD_REVISION:
    case MOULT_FIELD_SECURE_VERSION:
        return of_chip(s, field);
    case MOULT_FIELD_FIRST_SEEN:
        return of_number(MOULT_VALUE_TIME, d->first_seen_ms);
    case MOULT_FIELD_LAST_SEEN:
        return of_number(d->last_seen_ms ? MOULT_VALUE_TIME : MOULT_VALUE_MISSING,
                         d->last_seen_ms);
    case MOULT_FIELD_DYNAMIC:
        return of_dynamic(s, ident);
    default:
        return (struct moult_value){.type = MOULT_VALUE_MISSING};
    }
}

static bool has_tag(const void *context, struct moult_bytes name, struct moult_bytes *value)
{
    struct selecting *s = (struct selecting *)(uintptr_t)context;
    const char *text = attribute_of(s, STORE_TAG, name);
    if (text) { *value = (struct moult_bytes){(const uint8_t *)text, strlen(text)}; }
    return text != NULL;
}

static bool in_group(const void *context, struct moult_bytes name)
{
    const struct selecting *s = context;
    const char *group = s->device->group;
    return strlen(group) == name.size && memcmp(group, name.data, name.size) == 0;
}

struct version_want {
    const uint8_t *class_id;
    struct moult_bytes version;
};

static bool has_version(const void *context, const struct store_release *release)
{
    const struct version_want *want = context;
    return memcmp(release->class_id, want->class_id, 16) == 0 &&
           strlen(release->version) == want->version.size &&
           memcmp(release->version, want->version.data, want->version.size) == 0;
}

static uint64_t sequence_of(const void *context, struct moult_bytes version)
{
    const struct selecting *s = context;
    struct version_want want = {s->device->class_id, version};
    struct store_release release;
    bool is_known =
        statement_cache_find(&s->control->statements, has_version, &want, &release);
    return is_known ? release.sequence : 0;
}

/* --- asking --------------------------------------------------------------------------- */

static struct moult_selector_subject subject_of(struct selecting *s,
                                                const struct store_device *device)
{
    arena_clear(s->arena);
    s->device = device;
    s->is_loaded = false;
    s->count = 0;
    return (struct moult_selector_subject){
        .context = s,
        .now_ms = (uint64_t)s->now_ms,
        .field = of_field,
        .tag = has_tag,
        .group = in_group,
        .sequence_of = sequence_of,
    };
}

bool selecting_matches(struct selecting *s, const struct moult_selector *selector,
                       const struct store_device *device)
{
    struct moult_selector_subject subject = subject_of(s, device);
    return moult_selector_matches(selector, &subject);
}

struct moult_bytes selecting_failing_term(struct selecting *s,
                                          const struct moult_selector *selector,
                                          const struct store_device *device)
{
    struct moult_selector_subject subject = subject_of(s, device);
    for (unsigned i = 0; i < selector->term_count; i++) {
        if (!moult_selector_term_holds(selector, i, &subject)) {
            return selector->terms[i].ident;
        }
    }
    return (struct moult_bytes){NULL, 0};
}
