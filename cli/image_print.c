/* image_print.c - an image report as text and as JSON; see image_report.h. */
#include <inttypes.h>
#include <time.h>

#include "cli/finding.h"
#include "cli/image_report.h"
#include "formats/chip.h"

static const char *mode_name(uint8_t mode)
{
    static const char *const names[] = {"qio",  "qout",      "dio",
                                        "dout", "fast read", "slow read"};
    return mode < sizeof names / sizeof names[0] ? names[mode] : "?";
}

static const char *speed_name(uint8_t speed)
{
    switch (speed) {
    case 0:
        return "clock/2";
    case 1:
        return "clock/3";
    case 2:
        return "clock/4";
    case 15:
        return "clock/1";
    default:
        return "?";
    }
}

static const char *revision(struct cli *cli, uint16_t number)
{
    return cli_text(cli, "%u.%u", number / 100, number % 100);
}

const char *image_report_revisions(struct cli *cli, const struct moult_esp_image *image)
{
    bool has_max = image->max_revision != 0 && image->max_revision != UINT16_MAX;
    if (has_max) {
        return cli_text(cli, "%s to %s", revision(cli, image->min_revision),
                        revision(cli, image->max_revision));
    }
    if (image->min_revision == 0) { return "any"; }
    return cli_text(cli, "%s and later", revision(cli, image->min_revision));
}

static const char *date_of(struct cli *cli, uint64_t seconds)
{
    char text[32];
    time_t time = (time_t)seconds;
    struct tm parts;
    bool is_sane = seconds < UINT64_C(253402300800); /* year 10000 */
    if (!is_sane || !gmtime_r(&time, &parts) ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return cli_text(cli, "%" PRIu64, seconds);
    }
    return cli_text(cli, "%s", text);
}

/* What is at an address, as the chip's memory map tells; "" where it does not. */
static const char *segment_kind(const struct moult_esp_image *image, uint32_t i)
{
    const struct moult_chip *chip = moult_chip_by_id(image->chip_id);
    uint32_t address = image->segments[i].load_address;
    if (address == 0) { return "padding"; }
    if (!chip || chip->mapped[0].end == 0) { return ""; }
    return moult_chip_maps(chip, address) ? "mapped" : "copied to RAM";
}

static void line(struct cli *cli, const char *label, const char *text)
{
    cli_print(cli, "%-16s %s\n", label, text);
}

static void print_descriptor(struct cli *cli, const struct moult_app_desc *d)
{
    line(cli, "project", cli_clean(cli, d->project));
    line(cli, "version", cli_clean(cli, d->version));
    line(cli, "ESP-IDF", cli_clean(cli, d->idf_version));
    line(cli, "built",
         cli_text(cli, "%s %s", cli_clean(cli, d->date), cli_clean(cli, d->time)));
    line(cli, "secure version", cli_text(cli, "%u", d->secure_version));
    line(cli, "ELF SHA-256", cli_hex(cli, d->elf_sha256, sizeof d->elf_sha256));
}

static void print_segments(struct cli *cli, const struct moult_esp_image *image)
{
    line(cli, "segments", cli_text(cli, "%u", image->segment_count));
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct moult_esp_segment *s = &image->segments[i];
        cli_print(cli, "  %2u  to 0x%08x  at 0x%06x  %8u bytes  %s\n", i, s->load_address,
                  s->offset, s->size, segment_kind(image, i));
    }
}

static void print_blocks(struct cli *cli, const struct image_report *report)
{
    for (uint32_t i = 0; i < report->block_count; i++) {
        const struct moult_sb_block *block = &report->blocks[i];
        bool has_digest = block->scheme != MOULT_SB_P384;
        line(cli, cli_text(cli, "signature %u", i),
             cli_text(cli, "%s, key digest %s", moult_sb_scheme_name(block->scheme),
                      cli_hex(cli, block->key_digest, sizeof block->key_digest)));
        line(cli, "",
             cli_text(cli, "image digest %s, signature %s",
                      has_digest ? "right" : "not computed (SHA-384)",
                      report->is_block_verified[i] ? "right" : "not verified here"));
    }
    if (report->block_count == 0) { line(cli, "signature", "none (Secure Boot V2)"); }
}

static void print_info(struct cli *cli, const struct image_report *report)
{
    const struct moult_image_info *info = &report->info;
    if (!report->has_info) {
        line(cli, "moult record", "none: not made for moult");
        return;
    }
    line(cli, "moult record",
         cli_text(cli, "version %s, sequence %" PRIu64 ", rollback floor %" PRIu64,
                  info->version, info->sequence, info->rollback_floor));
    line(cli, "  built", date_of(cli, info->build_time_s));
    line(cli, "  fleet id", cli_hex(cli, info->fleet_id, sizeof info->fleet_id));
    line(cli, "  class id", cli_hex(cli, info->class_id, sizeof info->class_id));
    line(cli, "  keyset",
         info->keyset_size ? cli_text(cli, "%u bytes", info->keyset_size) : "none");
}

void image_report_print(struct cli *cli, const char *path,
                        const struct image_report *report)
{
    const struct moult_esp_image *image = &report->image;
    line(cli, "file", path);
    line(cli, "chip",
         cli_text(cli, "%s (0x%04x), revisions %s", moult_chip_name(image->chip_id),
                  image->chip_id, image_report_revisions(cli, image)));
    if (report->has_descriptor) { print_descriptor(cli, &report->descriptor); }
    line(cli, "flash",
         cli_text(cli, "%s, %s, %u MB", mode_name(image->spi_mode),
                  speed_name(image->spi_speed), 1u << image->spi_size));
    line(cli, "entry", cli_text(cli, "0x%08x", image->entry));
    print_segments(cli, image);
    line(cli, "checksum", cli_text(cli, "0x%02x, right", report->checksum));
    line(cli, "digest",
         image->has_digest
             ? cli_text(cli, "%s, right",
                        cli_hex(cli, report->digest, sizeof report->digest))
             : "none appended: only the checksum and a release's signature protect it");
    print_blocks(cli, report);
    line(cli, "image proper", cli_text(cli, "%u bytes", report->proper_size));
    line(cli, "  SHA-256",
         cli_hex(cli, report->proper_digest, sizeof report->proper_digest));
    print_info(cli, report);
    for (uint32_t i = 0; i < report->warning_count; i++) {
        line(cli, "warning", cli_finding_text(cli, &report->warnings[i], NULL));
    }
}

/* --- JSON --- */

static json_t *segments_json(const struct moult_esp_image *image)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct moult_esp_segment *s = &image->segments[i];
        cli_json_append(&list, json_pack("{s:I,s:I,s:I,s:s}", "address",
                                         (json_int_t)s->load_address, "offset",
                                         (json_int_t)s->offset, "size", (json_int_t)s->size,
                                         "kind", segment_kind(image, i)));
    }
    return list;
}

static json_t *blocks_json(struct cli *cli, const struct image_report *report)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < report->block_count; i++) {
        const struct moult_sb_block *b = &report->blocks[i];
        cli_json_append(&list, json_pack("{s:s,s:s,s:s,s:b}", "scheme",
                                         moult_sb_scheme_name(b->scheme), "key_digest",
                                         cli_hex(cli, b->key_digest, sizeof b->key_digest),
                                         "image_digest",
                                         cli_hex(cli, b->image_digest, b->digest_size),
                                         "verified", report->is_block_verified[i]));
    }
    return list;
}

static json_t *warnings_json(struct cli *cli, const struct image_report *report)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < report->warning_count; i++) {
        cli_json_append(&list, cli_finding_json(cli, &report->warnings[i], NULL));
    }
    return list;
}

static json_t *descriptor_json(struct cli *cli, const struct image_report *report)
{
    const struct moult_app_desc *d = &report->descriptor;
    if (!report->has_descriptor) { return json_null(); }
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:i,s:i,s:I}", "project",
                     cli_clean(cli, d->project), "version", cli_clean(cli, d->version),
                     "idf_version", cli_clean(cli, d->idf_version), "date",
                     cli_clean(cli, d->date), "time", cli_clean(cli, d->time),
                     "secure_version", (json_int_t)d->secure_version, "elf_sha256",
                     cli_hex(cli, d->elf_sha256, sizeof d->elf_sha256), "efuse_block_min",
                     (int)d->efuse_block_revision_min, "efuse_block_max",
                     (int)d->efuse_block_revision_max, "mmu_page_size",
                     (json_int_t)moult_app_desc_page_size(d));
}

static json_t *info_json(struct cli *cli, const struct image_report *report)
{
    const struct moult_image_info *info = &report->info;
    if (!report->has_info) { return json_null(); }
    return json_pack("{s:s,s:I,s:I,s:I,s:s,s:s,s:i}", "version", info->version, "sequence",
                     (json_int_t)info->sequence, "rollback_floor",
                     (json_int_t)info->rollback_floor, "build_time",
                     (json_int_t)info->build_time_s, "fleet_id",
                     cli_hex(cli, info->fleet_id, sizeof info->fleet_id), "class_id",
                     cli_hex(cli, info->class_id, sizeof info->class_id), "keyset_size",
                     (int)info->keyset_size);
}

json_t *image_report_json(struct cli *cli, const struct image_report *report)
{
    const struct moult_esp_image *image = &report->image;
    json_t *digest = image->has_digest
                         ? json_string(cli_hex(cli, report->digest, sizeof report->digest))
                         : json_null();
    return json_pack(
        "{s:s,s:i,s:i,s:i,s:I,s:o,s:o,s:o,s:I,s:s,s:o,s:o,s:o}", "chip",
        moult_chip_name(image->chip_id), "chip_id", (int)image->chip_id, "min_revision",
        (int)image->min_revision, "max_revision", (int)image->max_revision, "entry",
        (json_int_t)image->entry, "segments", segments_json(image), "digest", digest,
        "signatures", blocks_json(cli, report), "size", (json_int_t)report->proper_size,
        "sha256", cli_hex(cli, report->proper_digest, sizeof report->proper_digest),
        "descriptor", descriptor_json(cli, report), "moult", info_json(cli, report),
        "warnings", warnings_json(cli, report));
}
