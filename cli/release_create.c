/* release_create.c - moult release create IMAGE: the author's signed statement about an
 * image.
 *
 * What it says comes from the image itself: size and digest of the image proper, chip,
 * revisions and secure_version from its headers, fleet, class, sequence, rollback floor and
 * version from its moult record. So statement and image cannot disagree; options only say
 * what must be so.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include "cli/finding.h"
#include "cli/image_report.h"
#include "cli/release_components.h"
#include "cli/release_keys.h"
#include "cli/release_floor.h"
#include "cli/release_report.h"
#include "keys/openssl_crypto.h"

#define IMAGE_FILE_MAX (2u * MOULT_ESP_IMAGE_SIZE_MAX) /* as image inspect */

enum {
    OPT_OUT,
    OPT_DIR,
    OPT_KEYSET,
    OPT_KEY,
    OPT_SEQUENCE,
    OPT_ROLLBACK_TO,
    OPT_NO_WAY_BACK,
    OPT_USE_BEFORE,
    OPT_ONLY_FROM,
    OPT_CREATED,
    OPT_SBOM,
    OPT_PROVENANCE,
    OPT_NOTES,
    OPT_SECURITY,
    OPT_MANDATORY,
    OPT_COMPONENT,
    OPT_NEEDS,
    OPT_FORCE,
};

static const struct cli_option options[] = {
    [OPT_OUT] = {"out", 'o', "FILE", "where the release goes (IMAGE.release)", CLI_FILE},
    [OPT_DIR] = {"dir", 'd', "DIR", "keyset and release keys of moult dev init", CLI_FILE},
    [OPT_KEYSET] = {"keyset", 'k', "FILE", "keyset that the release is checked against",
                    CLI_FILE},
    [OPT_KEY] = {"key", 0, "FILE", "private release key; repeat up to the threshold",
                 CLI_LIST},
    [OPT_SEQUENCE] = {"sequence", 0, "N", "the image's sequence must be this", CLI_NUMBER},
    [OPT_ROLLBACK_TO] = {"rollback-to", 0, "N", "the image's rollback floor must be this",
                         CLI_NUMBER},
    [OPT_NO_WAY_BACK] = {"no-way-back", 0, NULL,
                         "the image must rule out every older release", CLI_FLAG},
    [OPT_USE_BEFORE] = {"use-before", 0, "SECONDS", "unix time from which it is refused",
                        CLI_NUMBER},
    [OPT_ONLY_FROM] = {"only-from", 0, "N", "lowest sequence a device may come from",
                       CLI_NUMBER},
    [OPT_CREATED] = {"created", 0, "SECONDS", "unix time (the image's build time)",
                     CLI_NUMBER},
    [OPT_SBOM] = {"sbom", 0, "FILE", "its SHA-256 goes into the release", CLI_FILE},
    [OPT_PROVENANCE] = {"provenance", 0, "FILE", "its SHA-256 goes into the release",
                        CLI_FILE},
    [OPT_NOTES] = {"notes", 0, "FILE", "its SHA-256 goes into the release", CLI_FILE},
    [OPT_SECURITY] = {"security", 0, NULL, "it fixes a weakness", CLI_FLAG},
    [OPT_MANDATORY] = {"mandatory", 0, NULL, "users may not decline it", CLI_FLAG},
    [OPT_COMPONENT] = {"component", 'c', "ID=FILE",
                       "data to go with it, ID:LABEL=FILE for a partition; repeatable",
                       CLI_LIST},
    [OPT_NEEDS] = {"needs", 0, "ID:OTHER:N",
                   "component ID needs OTHER from sequence N on; repeatable", CLI_LIST},
    [OPT_FORCE] = {"force", 'f', NULL, "overwrite FILE", CLI_FLAG},
};

struct creation {
    struct cli *cli;
    struct moult_crypto crypto;
    const char *image_path;
    struct image_report image;
    struct moult_keyset keyset;
    struct statement_file keyset_file;
    struct moult_release release;
    uint8_t documents[3][MOULT_SHA256_SIZE];
    struct release_keys keys;
};

/* --- image --- */

static int disagree(struct creation *creation, const char *want, const char *have)
{
    return cli_fail_at(creation->cli, creation->image_path, MOULT_D_ESP_INFO_MISMATCH, want,
                       have);
}

static int read_image(struct creation *creation)
{
    struct cli *cli = creation->cli;
    uint8_t *data = NULL;
    struct moult_bytes bytes = {0};
    struct moult_finding finding = {0};
    int code = cli_read_file(cli, creation->image_path, IMAGE_FILE_MAX, &data, &bytes.size);
    if (code != CLI_OK) { return code; }
    bytes.data = data;
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct image_report *image = &creation->image;
    enum moult_status st = image_report_read(&reader, false, image, &finding);
    if (st != MOULT_OK) {
        return cli_fail_finding(cli, creation->image_path, st, &finding);
    }
    if (!image->has_info) {
        cli_next(cli, "moult image make ELF, or moult_image_info in the ESP-IDF build");
        return cli_fail_at(cli, creation->image_path, MOULT_D_ESP_INFO_MISSING,
                           "a moult record", "none");
    }
    if (image->proper_size < bytes.size) {
        return cli_fail_at(cli, creation->image_path, MOULT_D_ESP_TRAILING,
                           cli_text(cli, "%u", image->proper_size),
                           cli_text(cli, "%zu", bytes.size));
    }
    return CLI_OK;
}

/* The image carries the floor that devices will keep, so the default is what it must say:
 * the newest published release of the class. wanted 0: not given. */
static int check_floor(struct creation *creation, uint64_t wanted)
{
    struct cli *cli = creation->cli;
    const struct moult_image_info *info = &creation->image.info;
    bool is_given = cli_has(cli, OPT_ROLLBACK_TO) || cli_has(cli, OPT_NO_WAY_BACK);
    if (cli_has(cli, OPT_NO_WAY_BACK)) { wanted = info->sequence; }
    if (!is_given) { release_floor_ask(cli, info, &wanted); }
    if (!is_given && wanted == 0) { return CLI_OK; } /* nothing to compare with */
    if (wanted == info->rollback_floor) { return CLI_OK; }
    cli_next(cli, is_given ? cli_text(cli, "moult image make ... --rollback-floor %" PRIu64,
                                      wanted)
                           : cli_text(cli,
                                      "moult image make ... --rollback-floor %" PRIu64
                                      ", or this with --rollback-to %" PRIu64,
                                      wanted, info->rollback_floor));
    return disagree(creation,
                    cli_text(cli, "rollback to %" PRIu64 "%s", wanted,
                             is_given ? "" : ", the newest published release"),
                    cli_text(cli, "rollback to %" PRIu64, info->rollback_floor));
}

static int check_sequences(struct creation *creation)
{
    struct cli *cli = creation->cli;
    const struct moult_image_info *info = &creation->image.info;
    uint64_t sequence = cli_number(cli, OPT_SEQUENCE, info->sequence);
    uint64_t floor = cli_number(cli, OPT_ROLLBACK_TO, 0);
    if (sequence != info->sequence) {
        return disagree(creation, cli_text(cli, "sequence %" PRIu64, sequence),
                        cli_text(cli, "sequence %" PRIu64, info->sequence));
    }
    return check_floor(creation, floor);
}

/* The keyset, and, with a folder of `dev init`, the class that image and folder must agree
 * on. */
static int check_fleet(struct creation *creation)
{
    struct cli *cli = creation->cli;
    int code = release_keys_keyset(cli, OPT_KEYSET, OPT_DIR, &creation->keyset,
                                   &creation->keyset_file);
    if (code != CLI_OK) { return code; }
    const uint8_t *fleet = creation->image.info.fleet_id;
    if (memcmp(creation->keyset.fleet_id, fleet, 16) == 0) { return CLI_OK; }
    return disagree(creation,
                    cli_text(cli, "fleet %s", cli_hex(cli, creation->keyset.fleet_id, 16)),
                    cli_text(cli, "fleet %s", cli_hex(cli, fleet, 16)));
}

/* --- statement --- */

static int take_document(struct creation *creation, unsigned option, unsigned key,
                         const uint8_t **out)
{
    struct cli *cli = creation->cli;
    const char *path = cli_value(cli, option);
    uint8_t *data = NULL, *digest = creation->documents[option - OPT_SBOM];
    size_t size = 0;
    if (!path) { return CLI_OK; }
    int code = cli_read_file(cli, path, IMAGE_FILE_MAX, &data, &size);
    if (code != CLI_OK) { return code; }
    if (moult_sha256_once(&creation->crypto, data, size, digest) != MOULT_OK) {
        return cli_fail(cli, MOULT_D_CLI_FILE_READ, path, "SHA-256 failed");
    }
    creation->release.present |= 1u << key;
    *out = digest;
    return CLI_OK;
}

static void take_number(struct creation *creation, unsigned option, unsigned key,
                        uint64_t *member)
{
    if (!cli_has(creation->cli, option)) { return; }
    *member = cli_number(creation->cli, option, 0);
    creation->release.present |= 1u << key;
}

static void fill_component(const struct image_report *image, struct moult_component *out)
{
    bool has_max = image->image.max_revision != 0;
    *out = (struct moult_component){
        .id = MOULT_COMPONENT_APP,
        .size = image->proper_size,
        .digest = image->proper_digest,
        .format = MOULT_FORMAT_ESP_APP,
        .chip_id = image->image.chip_id,
        .revision_min = image->image.min_revision,
        .revision_max = has_max ? image->image.max_revision : UINT16_MAX,
        .secure_version =
            image->has_descriptor ? (uint8_t)image->descriptor.secure_version : 0,
    };
}

static int fill_release(struct creation *creation)
{
    struct cli *cli = creation->cli;
    const struct moult_image_info *info = &creation->image.info;
    struct moult_release *release = &creation->release;
    *release = (struct moult_release){
        .present = 1u << MOULT_RELEASE_CREATED,
        .fleet_id = info->fleet_id,
        .class_id = info->class_id,
        .sequence = info->sequence,
        .version = {(const uint8_t *)info->version, strlen(info->version)},
        .component_count = 1,
        .created = cli_number(cli, OPT_CREATED, info->build_time_s),
        .rollback_floor = info->rollback_floor,
    };
    fill_component(&creation->image, &release->components[0]);
    if (info->rollback_floor != info->sequence) {
        release->present |= 1u << MOULT_RELEASE_ROLLBACK_FLOOR;
    }
    take_number(creation, OPT_USE_BEFORE, MOULT_RELEASE_USE_BEFORE, &release->use_before);
    take_number(creation, OPT_ONLY_FROM, MOULT_RELEASE_SOURCE_SEQUENCE,
                &release->source_sequence);
    if (cli_has(cli, OPT_SECURITY)) { release->flags |= MOULT_RELEASE_FLAG_SECURITY; }
    if (cli_has(cli, OPT_MANDATORY)) { release->flags |= MOULT_RELEASE_FLAG_MANDATORY; }
    if (release->flags != 0) { release->present |= 1u << MOULT_RELEASE_FLAGS; }
    int code = release_components_add(cli, OPT_COMPONENT, OPT_NEEDS, release);
    if (code == CLI_OK) {
        code = take_document(creation, OPT_SBOM, MOULT_RELEASE_SBOM, &release->sbom);
    }
    if (code == CLI_OK) {
        code = take_document(creation, OPT_PROVENANCE, MOULT_RELEASE_PROVENANCE,
                             &release->provenance);
    }
    if (code == CLI_OK) {
        code = take_document(creation, OPT_NOTES, MOULT_RELEASE_NOTES, &release->notes);
    }
    return code;
}

/* --- signing --- */

/* The files that belong to it, as upload wants them. */
static const char *files_of(struct creation *creation)
{
    struct cli *cli = creation->cli;
    const char *files = creation->image_path;
    for (unsigned i = 0; i < cli_count(cli, OPT_COMPONENT); i++) {
        const char *given = cli_item(cli, OPT_COMPONENT, i);
        files = cli_text(cli, "%s %s", files, given + strcspn(given, "=") + 1);
    }
    return files;
}

/* With too few signatures for the threshold the file is still of use: the others add
 * theirs. */
static int tell(struct creation *creation, const char *out, struct moult_bytes envelope)
{
    struct cli *cli = creation->cli;
    struct moult_finding finding;
    struct release_report *report = cli_alloc(cli, sizeof *report);
    const struct moult_keyset *keyset = &creation->keyset;
    enum moult_status st = release_report_read(envelope, keyset, report, &finding);
    if (st == MOULT_E_SIGNATURE) {
        cli_warn(cli, "%s carries %u of %u signatures: no device accepts it yet\n", out,
                 finding.found, finding.expected);
        st = release_report_read(envelope, NULL, report, &finding);
    }
    if (st != MOULT_OK) { return statement_fail(cli, out, st, &finding); }
    if (cli->global.json) { return cli_json(cli, release_report_json(cli, report)); }
    release_report_print(cli, report);
    cli_say(cli, "Next: moult release upload %s %s\n", out, files_of(creation));
    return CLI_OK;
}

static int sign_and_write(struct creation *creation)
{
    struct cli *cli = creation->cli;
    static const unsigned key_options[] = {OPT_KEY, OPT_DIR};
    static const char suffix[] = ".release";
    uint8_t payload[MOULT_STATEMENT_SIZE_MAX];
    struct moult_cbor_writer writer;
    struct moult_bytes envelope;
    const char *out = cli_value(cli, OPT_OUT);
    if (!out) { out = cli_text(cli, "%s%s", creation->image_path, suffix); }
    moult_cbor_writer_init(&writer, payload, sizeof payload);
    moult_release_write(&writer, &creation->release);
    int code = release_keys_open(cli, &creation->keyset, key_options, MOULT_D_RELEASE_SIG,
                                 &creation->keys);
    if (code == CLI_OK) {
        code = release_keys_sign(cli, &creation->keys, MOULT_STATEMENT_RELEASE, &writer,
                                 &envelope);
    }
    if (code == CLI_OK) {
        code = cli_write_file(cli, out, 0644, cli_has(cli, OPT_FORCE), envelope.data,
                              envelope.size);
    }
    return code == CLI_OK ? tell(creation, out, envelope) : code;
}

static int run(struct cli *cli)
{
    struct creation *creation = cli_alloc(cli, sizeof *creation);
    creation->cli = cli;
    creation->crypto = keys_openssl_crypto();
    creation->image_path = cli_argument(cli, 0);
    int code = read_image(creation);
    if (code == CLI_OK) { code = check_sequences(creation); }
    if (code == CLI_OK) { code = check_fleet(creation); }
    if (code == CLI_OK) { code = fill_release(creation); }
    if (code == CLI_OK) { code = sign_and_write(creation); }
    release_keys_close(&creation->keys);
    return code;
}

const struct cli_command cli_release_create = {
    .noun = "release",
    .verb = "create",
    .arguments = "IMAGE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
