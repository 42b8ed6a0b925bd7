/* release_components.c - see release_components.h. */
#include "cli/release_components.h"
#include <stdlib.h>
#include <string.h>
#include "formats/esp_image.h"
#include "keys/openssl_crypto.h"

enum { FILE_MAX = MOULT_ESP_IMAGE_SIZE_MAX }; /* as much as the largest flash */

static const char files_form[] = "ID=FILE or ID:LABEL=FILE, ID 1 or 3 to 255";
static const char needs_form[] = "ID:OTHER:SEQUENCE";

/* A decimal number up to `most`; *text moves behind it. False: there is none. */
static bool take_number(const char **text, uint64_t most, uint64_t *out)
{
    char *end;
    if (**text < '0' || **text > '9') { return false; }
    unsigned long long number = strtoull(*text, &end, 10);
    if (number > most) { return false; } /* an overflow is ULLONG_MAX */
    *text = end;
    *out = number;
    return true;
}

static bool take_sign(const char **text, char sign)
{
    if (**text != sign) { return false; }
    (*text)++;
    return true;
}

/* --- --component --- */

struct given_file {
    uint64_t id;
    struct moult_bytes label;
    const char *path;
};

static bool parse_file(const char *text, struct given_file *out)
{
    *out = (struct given_file){0};
    if (!take_number(&text, UINT8_MAX, &out->id)) { return false; }
    bool is_other = out->id != MOULT_COMPONENT_APP && out->id != MOULT_COMPONENT_BOOTLOADER;
    if (take_sign(&text, ':')) {
        out->label = (struct moult_bytes){(const uint8_t *)text, strcspn(text, "=")};
        text += out->label.size;
        if (out->label.size == 0) { return false; }
    }
    out->path = text + 1;
    return is_other && *text == '=' && out->path[0] != '\0' &&
           out->label.size <= MOULT_RELEASE_LABEL_MAX;
}

static int read_component(struct cli *cli, const struct given_file *given,
                          struct moult_component *out)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t *data = NULL, *digest = cli_alloc(cli, MOULT_SHA256_SIZE);
    size_t size = 0;
    int code = cli_read_file(cli, given->path, FILE_MAX, &data, &size);
    if (code != CLI_OK) { return code; }
    if (size == 0) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "a file of 1 byte or more",
                        cli_text(cli, "%s, which is empty", given->path));
    }
    if (moult_sha256_once(&crypto, data, size, digest) != MOULT_OK) {
        return cli_fail(cli, MOULT_D_CLI_FILE_READ, given->path, "SHA-256 failed");
    }
    *out = (struct moult_component){
        .id = (uint8_t)given->id,
        .size = (uint32_t)size,
        .digest = digest,
        .format = MOULT_FORMAT_RAW,
        .chip_id = MOULT_CHIP_ANY,
        .revision_max = UINT16_MAX,
        .label = given->label,
        .present = given->label.size > 0 ? 1u << MOULT_COMPONENT_LABEL : 0,
    };
    return CLI_OK;
}

/* Ascending by id; the application is 0 and stays first. */
static void insert(struct moult_release *release, const struct moult_component *component)
{
    unsigned at = release->component_count++;
    for (; release->components[at - 1].id > component->id; at--) {
        release->components[at] = release->components[at - 1];
    }
    release->components[at] = *component;
}

static int add_file(struct cli *cli, const char *text, struct moult_release *release)
{
    struct given_file given;
    struct moult_component component;
    if (!parse_file(text, &given)) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, files_form, text);
    }
    if (moult_release_component(release, (uint8_t)given.id)) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "each component once",
                        cli_text(cli, "%s, a second one", text));
    }
    if (release->component_count == MOULT_RELEASE_COMPONENTS_MAX) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "at most 3 components", text);
    }
    int code = read_component(cli, &given, &component);
    if (code == CLI_OK) { insert(release, &component); }
    return code;
}

/* --- --needs --- */

static struct moult_component *find(struct moult_release *release, uint64_t id)
{
    for (unsigned i = 0; i < release->component_count; i++) {
        if (release->components[i].id == id) { return &release->components[i]; }
    }
    return NULL;
}

static int add_need(struct cli *cli, const char *given, struct moult_release *release)
{
    const char *text = given;
    uint64_t id = 0, other = 0, sequence = 0;
    bool is_read = take_number(&text, UINT8_MAX, &id) && take_sign(&text, ':') &&
                   take_number(&text, UINT8_MAX, &other) && take_sign(&text, ':') &&
                   take_number(&text, UINT64_MAX - 1, &sequence) && *text == '\0';
    if (!is_read || id == other) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, needs_form, given);
    }
    struct moult_component *component = find(release, id);
    if (!component || component->dependency_count == MOULT_RELEASE_DEPENDENCIES_MAX) {
        return cli_fail(cli, MOULT_D_CLI_USAGE,
                        component ? "at most 4 of a component" : "a component of it",
                        given);
    }
    component->present |= 1u << MOULT_COMPONENT_DEPENDENCIES;
    component->dependencies[component->dependency_count++] =
        (struct moult_dependency){(uint8_t)other, sequence};
    return CLI_OK;
}

int release_components_add(struct cli *cli, unsigned files, unsigned needs,
                           struct moult_release *release)
{
    int code = CLI_OK;
    for (unsigned i = 0; code == CLI_OK && i < cli_count(cli, files); i++) {
        code = add_file(cli, cli_item(cli, files, i), release);
    }
    for (unsigned i = 0; code == CLI_OK && i < cli_count(cli, needs); i++) {
        code = add_need(cli, cli_item(cli, needs, i), release);
    }
    return code;
}
