/* image_make.c - moult image make ELF: an application image out of a linked program.
 *
 * What `esptool elf2image` does, and moult's record: who the image is for, which release,
 * which keyset the device trusts. ESP-IDF users get the record from their build instead.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/elf.h"
#include "cli/finding.h"
#include "cli/image_report.h"
#include "formats/chip.h"
#include "formats/image_build.h"
#include "keys/openssl_crypto.h"

#define ELF_FILE_MAX (64u * 1024 * 1024) /* with debug information */

enum {
    OPT_OUT,
    OPT_VERSION,
    OPT_PROJECT,
    OPT_CHIP,
    OPT_FLEET,
    OPT_CLASS,
    OPT_SEQUENCE,
    OPT_FLOOR,
    OPT_KEYSET,
    OPT_SECURE_VERSION,
    OPT_MIN_REVISION,
    OPT_MAX_REVISION,
    OPT_FLASH_SIZE,
    OPT_BUILD_TIME,
    OPT_FORCE,
};

static const struct cli_option options[] = {
    [OPT_OUT] = {"out", 'o', "FILE", "where the image goes", CLI_FILE},
    [OPT_VERSION] = {"version", 0, "TEXT", "display version, 1 to 31 characters", CLI_TEXT},
    [OPT_PROJECT] = {"project", 0, "NAME", "project name (default: moult)", CLI_TEXT},
    [OPT_CHIP] = {"chip", 0, "CHIP", "esp32c3 (default), esp32s3, ...", CLI_TEXT},
    [OPT_FLEET] = {"fleet-id", 0, "HEX", "fleet, 32 hex digits", CLI_TEXT},
    [OPT_CLASS] = {"class-id", 0, "HEX", "class, 32 hex digits", CLI_TEXT},
    [OPT_SEQUENCE] = {"sequence", 0, "N", "release sequence, at least 1", CLI_NUMBER},
    [OPT_FLOOR] = {"rollback-floor", 0, "N", "lowest sequence that may follow (default: N)",
                   CLI_NUMBER},
    [OPT_KEYSET] = {"keyset", 0, "FILE", "keyset to bake in", CLI_FILE},
    [OPT_SECURE_VERSION] = {"secure-version", 0, "N", "eFuse anti-rollback (default: 0)",
                            CLI_NUMBER},
    [OPT_MIN_REVISION] = {"min-revision", 0, "N", "chip revision, major * 100 + minor",
                          CLI_NUMBER},
    [OPT_MAX_REVISION] = {"max-revision", 0, "N", "chip revision, major * 100 + minor",
                          CLI_NUMBER},
    [OPT_FLASH_SIZE] = {"flash-size", 0, "MB", "1, 2, 4 (default), 8 ... 128", CLI_NUMBER},
    [OPT_BUILD_TIME] = {"build-time", 0, "SECONDS",
                        "unix time (default: SOURCE_DATE_EPOCH, or now)", CLI_NUMBER},
    [OPT_FORCE] = {"force", 'f', NULL, "overwrite FILE", CLI_FLAG},
};

/* One image in the making. */
struct make {
    struct cli *cli;
    const char *elf_path;
    struct moult_bytes elf_bytes;
    struct elf_file elf;
    const struct moult_chip *chip;
    uint64_t build_time_s;
    struct moult_image_parts parts;
    uint8_t *out; /* the image */
    size_t out_size, out_capacity;
};

static int usage(const struct make *make, const char *want, const char *have)
{
    return cli_fail(make->cli, MOULT_D_CLI_USAGE, want, have);
}

/* --- segments out of sections --- */

/* Whether section i continues the part: same kind of memory, no gap. (RISC-V linkers align
 * sections to 4; a gap below that is filled with zeros.) */
static bool continues(const struct make *make, const struct moult_image_part *part,
                      uint32_t i)
{
    const struct elf_section *section = &make->elf.sections[i];
    uint32_t end = part->load_address + (uint32_t)part->data.size;
    return moult_chip_maps(make->chip, part->load_address) ==
               moult_chip_maps(make->chip, section->address) &&
           section->address >= end && section->address - end < 4;
}

static void append(struct cli *cli, struct moult_image_part *part,
                   const struct elf_section *section)
{
    size_t offset = section->address - part->load_address;
    size_t size = offset + section->data.size;
    uint8_t *data = cli_alloc(cli, size);
    memcpy(data, part->data.data, part->data.size);
    memcpy(data + offset, section->data.data, section->data.size);
    part->data = (struct moult_bytes){data, size};
}

/* Sections in address order to parts. */
static int gather(struct make *make)
{
    struct moult_image_parts *parts = &make->parts;
    struct moult_image_part *last = NULL;
    for (uint32_t i = 0; i < make->elf.section_count; i++) {
        const struct elf_section *section = &make->elf.sections[i];
        if (last && continues(make, last, i)) {
            append(make->cli, last, section);
            continue;
        }
        if (parts->part_count == MOULT_IMAGE_PARTS_MAX) {
            return cli_fail_at(make->cli, make->elf_path, MOULT_D_IMAGE_SEGMENTS,
                               cli_text(make->cli, "%u", MOULT_IMAGE_PARTS_MAX), "more");
        }
        last = &parts->parts[parts->part_count++];
        *last = (struct moult_image_part){section->address, section->data};
    }
    return CLI_OK;
}

/* The part with the descriptor to the front; none: the first mapped one, which plan
 * refuses. */
static void descriptor_first(struct make *make)
{
    struct moult_image_parts *parts = &make->parts;
    uint32_t first = 0;
    for (uint32_t i = 0; i < parts->part_count; i++) {
        const struct moult_image_part *part = &parts->parts[i];
        if (part->data.size >= MOULT_APP_DESC_SIZE &&
            get_le32(part->data.data) == MOULT_APP_DESC_MAGIC) {
            first = i;
            break;
        }
    }
    struct moult_image_part part = parts->parts[first];
    for (uint32_t i = first; i > 0; i--) {
        parts->parts[i] = parts->parts[i - 1];
    }
    parts->parts[0] = part;
}

/* --- the two records --- */

static int copy_text(const struct make *make, const char *name, const char *from, char *to,
                     size_t size)
{
    if (!from) { from = "moult"; }
    if (strlen(from) >= size) {
        return usage(make, cli_text(make->cli, "--%s of at most %zu bytes", name, size - 1),
                     from);
    }
    memcpy(to, from, strlen(from) + 1);
    return CLI_OK;
}

static int fill_descriptor(struct make *make, uint8_t *raw)
{
    struct moult_app_desc desc;
    struct tm parts;
    struct moult_crypto crypto = keys_openssl_crypto();
    time_t time = (time_t)make->build_time_s;
    if (moult_app_desc_parse(raw, &desc) != MOULT_OK) {
        return cli_fail_at(make->cli, make->elf_path, MOULT_D_ESP_DESC,
                           "abcd5432 at the start of .rodata_desc", "no such section");
    }
    int code = copy_text(make, "version", cli_value(make->cli, OPT_VERSION), desc.version,
                         sizeof desc.version);
    if (code == CLI_OK) {
        code = copy_text(make, "project", cli_value(make->cli, OPT_PROJECT), desc.project,
                         sizeof desc.project);
    }
    if (code != CLI_OK) { return code; }
    uint64_t secure_version =
        cli_number(make->cli, OPT_SECURE_VERSION, desc.secure_version);
    if (secure_version > make->chip->secure_version_bits) {
        return usage(make,
                     cli_text(make->cli, "--secure-version of at most %u for %s",
                              make->chip->secure_version_bits, make->chip->name),
                     cli_value(make->cli, OPT_SECURE_VERSION));
    }
    desc.secure_version = (uint32_t)secure_version;
    if (!gmtime_r(&time, &parts) ||
        strftime(desc.date, sizeof desc.date, "%b %e %Y", &parts) == 0 ||
        strftime(desc.time, sizeof desc.time, "%H:%M:%S", &parts) == 0) {
        return usage(make, "--build-time that is a date",
                     cli_value(make->cli, OPT_BUILD_TIME));
    }
    if (moult_sha256_once(&crypto, make->elf_bytes.data, make->elf_bytes.size,
                          desc.elf_sha256) != MOULT_OK) {
        return cli_fail(make->cli, MOULT_D_CLI_FILE_READ, make->elf_path, "SHA-256 failed");
    }
    moult_app_desc_encode(&desc, raw);
    return CLI_OK;
}

static int take_id(const struct make *make, int option, uint8_t out[16])
{
    const char *text = cli_value(make->cli, (unsigned)option);
    if (!text || cli_unhex(text, out, 16) != MOULT_OK) {
        return usage(make,
                     cli_text(make->cli, "--%s with 32 hex digits", options[option].name),
                     text ? text : "nothing");
    }
    return CLI_OK;
}

static int fill_info(const struct make *make, struct moult_image_info *info)
{
    int code = take_id(make, OPT_FLEET, info->fleet_id);
    if (code == CLI_OK) { code = take_id(make, OPT_CLASS, info->class_id); }
    if (code != CLI_OK) { return code; }
    info->sequence = cli_number(make->cli, OPT_SEQUENCE, 0);
    info->rollback_floor = cli_number(make->cli, OPT_FLOOR, info->sequence);
    info->build_time_s = make->build_time_s;
    return copy_text(make, "version", cli_value(make->cli, OPT_VERSION), info->version,
                     sizeof info->version);
}

/* Whether the program left room for the record, and how large a keyset may be. */
static bool has_room(const struct moult_bytes *first, uint32_t keyset_size)
{
    enum {
        AT = MOULT_IMAGE_INFO_OFFSET - MOULT_APP_DESC_OFFSET,
        OFF_FORMAT = 8,
        OFF_ROOM = 10
    };
    if (first->size < AT + MOULT_IMAGE_INFO_SIZE) { return false; }
    const uint8_t *raw = first->data + AT;
    uint32_t room = get_le16(raw + OFF_ROOM);
    return memcmp(raw, "MOULTINF", 8) == 0 && get_le16(raw + OFF_FORMAT) == 0 &&
           keyset_size <= room && first->size >= AT + MOULT_IMAGE_INFO_SIZE + room;
}

static int put_info(struct make *make, uint8_t *first_data)
{
    struct moult_image_info info = {0};
    uint8_t *keyset = NULL;
    size_t keyset_size = 0;
    const char *keyset_path = cli_value(make->cli, OPT_KEYSET);
    int code = fill_info(make, &info);
    if (code == CLI_OK && keyset_path) {
        code = cli_read_file(make->cli, keyset_path, MOULT_IMAGE_INFO_KEYSET_SIZE_MAX,
                             &keyset, &keyset_size);
    }
    if (code != CLI_OK) { return code; }
    if (!has_room(&make->parts.parts[0].data, (uint32_t)keyset_size)) {
        return cli_fail_at(
            make->cli, make->elf_path, MOULT_D_ESP_INFO_MISSING,
            cli_text(make->cli, "room for it and %zu bytes of keyset", keyset_size),
            "none in .rodata_custom_desc");
    }
    uint8_t *raw = first_data + MOULT_IMAGE_INFO_OFFSET - MOULT_APP_DESC_OFFSET;
    info.keyset_size = (uint16_t)keyset_size;
    if (moult_image_info_encode(&info, raw) != MOULT_OK) {
        return usage(make,
                     "--sequence of at least 1, --rollback-floor not above it, "
                     "--version of printable characters",
                     cli_text(make->cli, "%s, %s, %s", cli_value(make->cli, OPT_SEQUENCE),
                              cli_value(make->cli, OPT_FLOOR), info.version));
    }
    if (keyset_size > 0) { memcpy(raw + MOULT_IMAGE_INFO_SIZE, keyset, keyset_size); }
    return CLI_OK;
}

/* Both records; without fleet, class and sequence the image has no record of moult. */
static int fill_records(struct make *make)
{
    struct moult_bytes *first = &make->parts.parts[0].data;
    uint8_t *data = cli_alloc(make->cli, first->size + MOULT_APP_DESC_SIZE);
    memcpy(data, first->data, first->size);
    first->data = data;
    int code = fill_descriptor(make, data);
    bool has_info = cli_has(make->cli, OPT_FLEET) || cli_has(make->cli, OPT_CLASS) ||
                    cli_has(make->cli, OPT_SEQUENCE) || cli_has(make->cli, OPT_KEYSET);
    if (code == CLI_OK && has_info) { code = put_info(make, data); }
    return code;
}

/* --- header --- */

static int fill_revisions(struct make *make)
{
    bool is_c3 = make->chip->id == MOULT_CHIP_ESP32C3; /* what ESP-IDF 5 supports of it */
    uint64_t min = cli_number(make->cli, OPT_MIN_REVISION, is_c3 ? 3 : 0);
    uint64_t max = cli_number(make->cli, OPT_MAX_REVISION, is_c3 ? 199 : UINT16_MAX);
    if (min > UINT16_MAX || max > UINT16_MAX || (max != 0 && min > max)) {
        return usage(make, "--min-revision not above --max-revision, both below 65536",
                     cli_text(make->cli, "%s and %s",
                              cli_value(make->cli, OPT_MIN_REVISION),
                              cli_value(make->cli, OPT_MAX_REVISION)));
    }
    make->parts.min_revision = (uint16_t)min;
    make->parts.max_revision = (uint16_t)max;
    return CLI_OK;
}

static int fill_header(struct make *make)
{
    enum { DIO = 2, CLOCK_1 = 15, LARGEST = 7 };
    uint64_t flash_mb = cli_number(make->cli, OPT_FLASH_SIZE, 4);
    uint8_t code = 0;
    while (code < LARGEST && (UINT64_C(1) << code) != flash_mb) {
        code++;
    }
    if ((UINT64_C(1) << code) != flash_mb) {
        return usage(make, "--flash-size of 1, 2, 4, 8, 16, 32, 64 or 128",
                     cli_value(make->cli, OPT_FLASH_SIZE));
    }
    make->parts.chip_id = make->chip->id;
    make->parts.entry = make->elf.entry;
    make->parts.spi_mode = DIO;
    make->parts.spi_speed = CLOCK_1;
    make->parts.spi_size = code;
    return fill_revisions(make);
}

/* --- writing --- */

static enum moult_status collect(void *context, const uint8_t *data, uint32_t size)
{
    struct make *make = context;
    if (size > make->out_capacity - make->out_size) { return MOULT_E_SPACE; }
    memcpy(make->out + make->out_size, data, size);
    make->out_size += size;
    return MOULT_OK;
}

static int compose(struct make *make)
{
    struct moult_image_plan plan;
    struct moult_finding finding = {0};
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_writer writer = {make, collect};
    enum moult_status st = moult_image_plan(&make->parts, &plan, &finding);
    if (st != MOULT_OK) {
        return cli_fail_finding(make->cli, make->elf_path, st, &finding);
    }

    make->out_capacity = plan.size;
    make->out = cli_alloc(make->cli, plan.size);
    st = moult_image_write(&make->parts, &plan, &crypto, &writer);
    if (st != MOULT_OK) {
        return cli_fail_finding(make->cli, make->elf_path, st, &finding);
    }
    return CLI_OK;
}

/* Read back with the code that everybody reads it with; then write. */
static int finish(struct make *make)
{
    const char *path = cli_value(make->cli, OPT_OUT);
    struct moult_bytes bytes = {make->out, make->out_size};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct image_report *report = cli_alloc(make->cli, sizeof *report);
    struct moult_finding finding;
    enum moult_status st = image_report_read(&reader, false, report, &finding);
    if (st != MOULT_OK) { return cli_fail_finding(make->cli, path, st, &finding); }
    int code = cli_write_file(make->cli, path, 0644, cli_has(make->cli, OPT_FORCE),
                              make->out, make->out_size);
    if (code != CLI_OK) { return code; }
    if (make->cli->global.json) {
        return cli_json(make->cli, image_report_json(make->cli, report));
    }
    cli_say(make->cli, "%s: %s %s for %s, %zu bytes\n", path, report->descriptor.project,
            report->descriptor.version, make->chip->name, make->out_size);
    return CLI_OK;
}

static int take_build_time(struct make *make)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    uint64_t now = (uint64_t)time(NULL);
    if (epoch) {
        char *end;
        now = strtoull(epoch, &end, 10);
        if (end == epoch || *end != '\0') {
            return usage(make, "SOURCE_DATE_EPOCH to be a number", epoch);
        }
    }
    make->build_time_s = cli_number(make->cli, OPT_BUILD_TIME, now);
    return CLI_OK;
}

static int prepare(struct make *make)
{
    const char *chip = cli_value(make->cli, OPT_CHIP);
    make->chip = moult_chip_by_name(chip ? chip : "esp32c3");
    if (!make->chip) { return usage(make, "--chip such as esp32c3", chip); }
    if (!cli_value(make->cli, OPT_OUT)) { return usage(make, "--out FILE", "nothing"); }
    const char *version = cli_value(make->cli, OPT_VERSION);
    if (!version || version[0] == '\0') { return usage(make, "--version TEXT", "nothing"); }
    return take_build_time(make);
}

static int run(struct cli *cli)
{
    struct make *make = cli_alloc(cli, sizeof *make);
    make->cli = cli;
    make->elf_path = cli_argument(cli, 0);
    uint8_t *data = NULL;
    int code = prepare(make);
    if (code == CLI_OK) {
        code =
            cli_read_file(cli, make->elf_path, ELF_FILE_MAX, &data, &make->elf_bytes.size);
    }
    if (code != CLI_OK) { return code; }

    struct moult_finding finding = {0};
    make->elf_bytes.data = data;
    enum moult_status st = elf_parse(make->elf_bytes, &make->elf, &finding);
    if (st != MOULT_OK) { return cli_fail_finding(cli, make->elf_path, st, &finding); }
    code = gather(make);
    if (code == CLI_OK) {
        descriptor_first(make);
        code = fill_records(make);
    }
    if (code == CLI_OK) { code = fill_header(make); }
    if (code == CLI_OK) { code = compose(make); }
    return code == CLI_OK ? finish(make) : code;
}

const struct cli_command cli_image_make = {
    .noun = "image",
    .verb = "make",
    .arguments = "ELF",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
