/* release_check.c - see release_check.h. */
#include "server/control/release_check.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "formats/chip.h"
#include "formats/codes.h"
#include "formats/esp_image.h"
#include "formats/image_info.h"
#include "server/control/events.h"
#include "server/control/problem.h"
#include "server/control/releases.h"
#include "server/store/store_device.h"

/* One component being checked. */
struct part {
    struct control *control;
    const struct moult_release *release;
    const struct moult_component *component;
    struct control_problem *problem;
    int fd;
    uint64_t size;
    char field[32];
};

enum moult_status problem_finding(struct control_problem *problem, enum moult_status status,
                                  const struct moult_finding *finding)
{
    char want[24], have[24];
    snprintf(want, sizeof want, "%" PRIu32, finding->expected);
    snprintf(have, sizeof have, "%" PRIu32, finding->found);
    if (finding->detail == 0) { return status; }
    problem_set(problem, (enum moult_detail)finding->detail, want, have);
    return status;
}

/* --- reading a file ------------------------------------------------------------------- */

static enum moult_status read_file(void *context, uint32_t offset, uint8_t *out,
                                   uint32_t size)
{
    const struct part *part = context;
    for (uint32_t done = 0; done < size;) {
        ssize_t n = pread(part->fd, out + done, size - done, (off_t)offset + done);
        if (n <= 0) { return MOULT_E_IO; }
        done += (uint32_t)n;
    }
    return MOULT_OK;
}

static struct moult_reader reader_of(struct part *part)
{
    return (struct moult_reader){part, read_file, (uint32_t)part->size};
}

/* --- the image's own word ------------------------------------------------------------- */

static enum moult_status mismatch(struct part *part, const char *what, const char *want,
                                  const char *have)
{
    char full_want[96], full_have[96];
    snprintf(full_want, sizeof full_want, "%s %s", what, want);
    snprintf(full_have, sizeof full_have, "%s %s", what, have);
    return problem_field(part->problem, MOULT_D_ESP_INFO_MISMATCH, part->field, full_want,
                         full_have);
}

static enum moult_status numbers_differ(struct part *part, const char *what, uint64_t want,
                                        uint64_t have)
{
    char want_text[24], have_text[24];
    if (want == have) { return MOULT_OK; }
    snprintf(want_text, sizeof want_text, "%" PRIu64, want);
    snprintf(have_text, sizeof have_text, "%" PRIu64, have);
    return mismatch(part, what, want_text, have_text);
}

static enum moult_status ids_differ(struct part *part, const char *what,
                                    const uint8_t want[16], const uint8_t have[16])
{
    char want_text[33], have_text[33];
    if (memcmp(want, have, 16) == 0) { return MOULT_OK; }
    moult_hex_encode(want, 16, want_text);
    moult_hex_encode(have, 16, have_text);
    return mismatch(part, what, want_text, have_text);
}

static enum moult_status check_info(struct part *part, const struct moult_reader *reader)
{
    const struct moult_release *r = part->release;
    struct moult_image_info info;
    struct moult_finding finding = {0};
    enum moult_status st = moult_image_info_read(reader, &info, &finding);
    if (st == MOULT_E_NOENT && finding.detail == 0) {
        return problem_field(part->problem, MOULT_D_ESP_INFO_MISSING, part->field,
                             "\"MOULTINF\"", "none");
    }
    if (st != MOULT_OK) { return problem_finding(part->problem, st, &finding); }
    st = ids_differ(part, "fleet", r->fleet_id, info.fleet_id);
    if (st == MOULT_OK) { st = ids_differ(part, "class", r->class_id, info.class_id); }
    if (st == MOULT_OK) {
        st = numbers_differ(part, "sequence", r->sequence, info.sequence);
    }
    if (st == MOULT_OK) {
        st = numbers_differ(part, "rollback floor", r->rollback_floor, info.rollback_floor);
    }
    bool is_version = strlen(info.version) == r->version.size &&
                      memcmp(info.version, r->version.data, r->version.size) == 0;
    if (st == MOULT_OK && !is_version) {
        char want[40];
        snprintf(want, sizeof want, "%.*s", (int)r->version.size,
                 (const char *)r->version.data);
        st = mismatch(part, "version", want, info.version);
    }
    return st;
}

static enum moult_status check_descriptor(struct part *part,
                                          const struct moult_reader *reader)
{
    struct moult_app_desc desc;
    enum moult_status st = moult_app_desc_read(reader, &desc);
    if (st != MOULT_OK) {
        return problem_field(part->problem, MOULT_D_ESP_DESC, part->field,
                             "an application descriptor", "none");
    }
    return numbers_differ(part, "secure_version", part->component->secure_version,
                          desc.secure_version);
}

/* Size and digest of the image proper, as a device will compute them for its running
 * slot. */
static enum moult_status check_measure(struct part *part, const struct moult_reader *reader,
                                       const struct moult_esp_image *image)
{
    uint32_t size = 0;
    uint8_t digest[32];
    enum moult_status st =
        moult_esp_image_measure(reader, part->control->parts.crypto, image, &size, digest);
    if (st != MOULT_OK) { return st; }
    if (size == part->component->size && memcmp(digest, part->component->digest, 32) == 0) {
        return MOULT_OK;
    }
    char want[24], have[24];
    snprintf(want, sizeof want, "%" PRIu32, size);
    snprintf(have, sizeof have, "%" PRIu32, part->component->size);
    return problem_field(part->problem, MOULT_D_ESP_TRAILING, part->field, want, have);
}

static enum moult_status check_image(struct part *part)
{
    const struct moult_crypto *crypto = part->control->parts.crypto;
    struct moult_reader reader = reader_of(part);
    struct moult_esp_image image;
    struct moult_finding finding = {0};
    enum moult_status st = moult_esp_image_parse(&reader, &image, &finding);
    if (st == MOULT_OK) { st = moult_esp_image_verify(&reader, crypto, &image, &finding); }
    if (st != MOULT_OK) { return problem_finding(part->problem, st, &finding); }
    st = numbers_differ(part, "chip", part->component->chip_id, image.chip_id);
    if (st == MOULT_OK) { st = check_descriptor(part, &reader); }
    if (st == MOULT_OK) { st = check_info(part, &reader); }
    return st == MOULT_OK ? check_measure(part, &reader, &image) : st;
}

/* --- one component -------------------------------------------------------------------- */

static enum moult_status check_size(struct part *part)
{
    char want[24], have[24];
    if (part->size == part->component->size) { return MOULT_OK; }
    snprintf(want, sizeof want, "%" PRIu32, part->component->size);
    snprintf(have, sizeof have, "%" PRIu64, part->size);
    return problem_field(part->problem, MOULT_D_ARTIFACT_SIZE, part->field, want, have);
}

static enum moult_status open_part(struct part *part)
{
    char hex[65];
    moult_hex_encode(part->component->digest, 32, hex);
    enum moult_status st = artifact_open(part->control->parts.artifacts,
                                         part->component->digest, &part->fd, &part->size);
    if (st == MOULT_E_NOENT) {
        problem_field(part->problem, MOULT_D_ARTIFACT_MISSING, part->field, NULL, hex);
        problem_hint(part->problem, "moult release upload FILE");
    } else if (st == MOULT_E_DIGEST) {
        problem_field(part->problem, MOULT_D_ARTIFACT_DIGEST, part->field, hex,
                      "others; the damaged file was set aside");
    } else if (st != MOULT_OK) {
        problem_field(part->problem, MOULT_D_STORE_READ, part->field, NULL, hex);
    }
    return st;
}

static enum moult_status check_part(struct part *part)
{
    enum moult_status st = open_part(part);
    if (st != MOULT_OK) { return st; }
    st = check_size(part);
    if (st == MOULT_OK && part->component->format == MOULT_FORMAT_ESP_APP) {
        st = check_image(part);
    }
    close(part->fd);
    if (st != MOULT_OK && part->problem->detail == 0) {
        problem_field(part->problem, MOULT_D_STORE_READ, part->field, NULL,
                      moult_status_name(st));
    }
    return st;
}

/* --- the release ---------------------------------------------------------------------- */

static enum moult_status verify(struct control *control, struct moult_bytes envelope,
                                struct moult_release *out, struct control_problem *problem)
{
    struct cached_keyset cached;
    struct moult_keyset keyset;
    struct moult_finding finding = {0};
    if (!statement_cache_keyset(&control->statements, 0, &cached)) {
        return problem_set(problem, MOULT_D_CONF_KEYSET, "of this fleet", "none");
    }
    struct moult_bytes bytes = {cached.envelope, cached.size};
    enum moult_status st = moult_keyset_verify_first(
        control->parts.crypto, bytes, control->config.fleet_id, &keyset, &finding);
    struct moult_release_expect expect = {.keyset = &keyset};
    if (st == MOULT_OK) {
        st = moult_release_verify(control->parts.crypto, envelope, &expect, out, &finding);
    }
    return st == MOULT_OK ? st : problem_finding(problem, st, &finding);
}

static enum moult_status check_class(struct control *control,
                                     const struct moult_release *release,
                                     struct control_problem *problem)
{
    for (size_t i = 0; i < control->config.class_count; i++) {
        if (memcmp(control->config.classes[i].id, release->class_id, 16) == 0) {
            return MOULT_OK;
        }
    }
    char want[33], have[33];
    moult_hex_encode(control->config.classes[0].id, 16, want);
    moult_hex_encode(release->class_id, 16, have);
    return problem_field(problem, MOULT_D_RELEASE_CLASS, "class", want, have);
}

enum moult_status release_check(struct control *control, struct moult_bytes envelope,
                                struct moult_release *out, struct control_problem *problem)
{
    problem->detail = 0;
    enum moult_status st = verify(control, envelope, out, problem);
    if (st == MOULT_OK) { st = check_class(control, out, problem); }
    for (unsigned i = 0; st == MOULT_OK && i < out->component_count; i++) {
        struct part part = {.control = control,
                            .release = out,
                            .component = &out->components[i],
                            .problem = problem};
        snprintf(part.field, sizeof part.field, "components[%u]", i);
        st = check_part(&part);
    }
    return st;
}

static const struct moult_component *app_of(const struct moult_release *release)
{
    for (unsigned i = 0; i < release->component_count; i++) {
        const struct moult_component *component = &release->components[i];
        if (component->format == MOULT_FORMAT_ESP_APP) { return component; }
    }
    return NULL;
}

enum moult_status control_release_check(const struct control_call *call,
                                        struct moult_bytes envelope,
                                        struct control_release_fit *fit)
{
    struct moult_release release;
    struct store_slots slots = {0};
    *fit = (struct control_release_fit){0};
    enum moult_status st = release_check(call->control, envelope, &release, call->problem);
    const struct moult_component *app = st == MOULT_OK ? app_of(&release) : NULL;
    if (!app) { return st; }
    st = store_device_slots(call->db, release.class_id, app->size, &slots);
    *fit = (struct control_release_fit){.size = app->size,
                                        .told = slots.told,
                                        .too_small = slots.too_small,
                                        .smallest = slots.smallest};
    return problem_store(call, st);
}

enum moult_status control_release_warn(const struct control_release_fit *fit, json_t *reply)
{
    json_t *warnings = json_array();
    char words[160];
    if (fit->too_small > 0) {
        snprintf(words, sizeof words,
                 "%u of %u devices of the class have a slot too small for its %u bytes "
                 "(the smallest has %lld); they will refuse it",
                 (unsigned)fit->too_small, (unsigned)fit->told, (unsigned)fit->size,
                 (long long)fit->smallest);
        json_array_append_new(warnings,
                              json_pack("{s:o, s:I, s:s}", "reason",
                                        json_reason(MOULT_R_PRE_NO_SPACE), "devices",
                                        (json_int_t)fit->too_small, "words", words));
    }
    return json_object_set_new(reply, "warnings", warnings) == 0 ? MOULT_OK : MOULT_E_NOMEM;
}
