/* provision.c - makes the flash file of a new device, and changes settings of an old one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "examples/energy-meter/host/board.h"
#include "examples/energy-meter/host/choose.h"
#include "examples/energy-meter/host/commands.h"
#include "examples/energy-meter/host/default_table.h"
#include "examples/energy-meter/host/files.h"
#include "examples/energy-meter/host/json.h"
#include "formats/chip.h"
#include "formats/codes.h"
#include "formats/esp_image.h"
#include "formats/partition_csv.h"
#include "ports/posix/psa_crypto.h"

enum { FINDINGS_MAX = 8, PATH_SIZE = 4096 };

/* Everything that goes into a new file. */
struct plan {
    struct settings settings;
    struct moult_partition_table table;
    uint8_t raw_table[MOULT_PARTITION_TABLE_SIZE];
    uint8_t *image; /* owned */
    size_t image_size;
    struct moult_crypto crypto;
};

/* --- The partition table -----------------------------------------------------------------
 */

static void explain(const char *what, const struct moult_finding *finding)
{
    char code[8], want[16], have[16], words[200] = "";
    const struct moult_code_info *info = moult_detail_info(finding->detail);
    moult_code_format('E', finding->detail, code);
    snprintf(want, sizeof want, "%u", (unsigned)finding->expected);
    snprintf(have, sizeof have, "%u", (unsigned)finding->found);
    if (info) { moult_code_words(info, want, have, words, sizeof words); }
    complain("%s: %s (%s at %u)", what, words, code, (unsigned)finding->where);
}

static bool check_table(const struct plan *plan)
{
    struct moult_finding findings[FINDINGS_MAX];
    const struct moult_partition_rules rules = {.table_offset =
                                                    MOULT_PARTITION_TABLE_OFFSET,
                                                .flash_size = BOARD_FLASH_SIZE,
                                                .for_moult = true};
    bool is_good = true;
    uint32_t count = moult_partition_check(&plan->table, &rules, findings, FINDINGS_MAX);
    for (uint32_t i = 0; i < count && i < FINDINGS_MAX; i++) {
        explain("partition table", &findings[i]);
        is_good = is_good && moult_partition_is_warning(findings[i].detail);
    }
    if (!moult_partition_find_label(&plan->table, BOARD_METER_LABEL)) {
        complain("partition table: expected a data partition \"%s\" for the readings",
                 BOARD_METER_LABEL);
        return false;
    }
    return is_good;
}

static bool read_table(const struct arguments *arguments, struct plan *plan)
{
    const struct moult_partition_csv_options options = {
        .table_offset = MOULT_PARTITION_TABLE_OFFSET, .bootloader_offset = 0};
    struct moult_finding finding = {0};
    uint8_t *loaded = NULL;
    struct moult_bytes text = {(const uint8_t *)default_table, strlen(default_table)};
    if (arguments->partitions) {
        loaded = file_load(arguments->partitions, &text.size);
        if (!loaded) { return false; }
        text.data = loaded;
    }
    enum moult_status st =
        moult_partition_csv_parse(text, &options, &plan->table, &finding);
    free(loaded);
    if (st != MOULT_OK) {
        explain(arguments->partitions, &finding);
        return false;
    }
    if (!check_table(plan)) { return false; }
    st = moult_partition_encode(&plan->table, plan->raw_table);
    if (st == MOULT_OK) {
        st = moult_sha256_once(&plan->crypto, plan->raw_table, sizeof plan->raw_table,
                               plan->settings.table_digest);
    }
    return st == MOULT_OK;
}

/* --- The image ---------------------------------------------------------------------------
 */

static bool check_image(const struct arguments *arguments, const struct plan *plan)
{
    struct moult_bytes bytes = {plan->image, plan->image_size};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct moult_esp_image image;
    struct moult_finding finding = {0};
    struct moult_image_info info;
    enum moult_status st = moult_esp_image_parse(&reader, &image, &finding);
    if (st == MOULT_OK) {
        st = moult_esp_image_runs_on(&image, MOULT_CHIP_ESP32C3, BOARD_CHIP_REVISION, 0,
                                     &finding);
    }
    if (st == MOULT_OK) {
        st = moult_esp_image_verify(&reader, &plan->crypto, &image, &finding);
    }
    if (st == MOULT_OK && moult_image_info_read(&reader, &info, &finding) != MOULT_OK) {
        complain("%s: carries no moult_image_info, so this device will never be updated",
                 arguments->image);
    }
    if (st != MOULT_OK) { explain(arguments->image, &finding); }
    return st == MOULT_OK;
}

static bool read_image(const struct arguments *arguments, struct plan *plan)
{
    const struct moult_partition *slot =
        moult_partition_find(&plan->table, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0);
    plan->image = file_load(arguments->image, &plan->image_size);
    if (!plan->image) { return false; }
    if (!slot || plan->image_size > slot->size) {
        complain("%s: expected at most %u bytes (ota_0), found %zu", arguments->image,
                 slot ? (unsigned)slot->size : 0, plan->image_size);
        return false;
    }
    return check_image(arguments, plan);
}

/* --- The file ------------------------------------------------------------------------- */

static enum moult_status fill(struct moult_sim_chip *chip, const struct plan *plan)
{
    const struct moult_partition *slot =
        moult_partition_find(&plan->table, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0);
    const struct moult_partition *nvs_at =
        moult_partition_find(&plan->table, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS);
    if (!slot || !nvs_at) { return MOULT_E_FORMAT; }
    struct moult_sim_nvs nvs;
    enum moult_status st = moult_sim_flash_allow(&chip->flash, 0, chip->flash.size, false);
    if (st == MOULT_OK) {
        st = moult_sim_flash_program(&chip->flash, MOULT_PARTITION_TABLE_OFFSET,
                                     plan->raw_table, sizeof plan->raw_table);
    }
    if (st == MOULT_OK) {
        st = moult_sim_flash_program(&chip->flash, slot->offset, plan->image,
                                     (uint32_t)plan->image_size);
    }
    if (st == MOULT_OK) {
        st = moult_sim_nvs_mount(&nvs, &chip->flash, nvs_at->offset, nvs_at->size, true);
    }
    return st == MOULT_OK ? settings_save(&nvs, &plan->settings) : st;
}

static enum moult_status make_file(const char *path, const struct plan *plan)
{
    struct moult_sim_storage storage;
    struct moult_sim_chip chip;
    enum moult_status st =
        moult_sim_storage_open(&storage, path, MOULT_SIM_OPEN_CREATE, BOARD_FILE_SIZE);
    if (st != MOULT_OK) { return st; }
    st = moult_sim_chip_create(&chip, &storage, MOULT_CHIP_ESP32C3, BOARD_CHIP_REVISION,
                               BOARD_FLASH_SIZE);
    if (st == MOULT_OK) { st = fill(&chip, plan); }
    moult_sim_storage_close(&storage);
    return st;
}

/* Complete or not at all: made beside its place, then renamed. */
static bool write_file(const struct arguments *arguments, const struct plan *plan)
{
    char draft[PATH_SIZE];
    int size = snprintf(draft, sizeof draft, "%s.new", arguments->flash);
    if (size < 0 || (size_t)size >= sizeof draft) {
        complain("--flash: the path is too long");
        return false;
    }
    if (!arguments->is_forced && access(arguments->flash, F_OK) == 0) {
        complain("%s: exists; --force makes a new device in its place", arguments->flash);
        return false;
    }
    unlink(draft); /* of a run that was stopped */
    enum moult_status st = make_file(draft, plan);
    if (st == MOULT_OK && rename(draft, arguments->flash) == 0) { return true; }
    complain("%s: cannot be made: %s", arguments->flash,
             st == MOULT_OK || st == MOULT_E_IO ? strerror(errno) : moult_status_name(st));
    unlink(draft);
    return false;
}

static void report(const struct arguments *arguments, const struct settings *settings)
{
    uint8_t spki[32];
    char id[33], spki_hex[65] = "";
    moult_hex_encode(settings->device_id, sizeof settings->device_id, id);
    if (moult_identity_of_certificate(settings->certificate, spki) == MOULT_OK) {
        moult_hex_encode(spki, sizeof spki, spki_hex);
    }
    if (arguments->is_json) {
        json_open(NULL, '{');
        json_text("id", id);
        json_text("spki_sha256", spki_hex);
        json_text("name", settings->name);
        json_text("flash", arguments->flash);
        json_close('}');
        putchar('\n');
    } else {
        printf(
            "device %s (%s)\n  spki sha-256  %s\n  server        %s\n  broker        %s\n"
            "  trigger       %s\n  next          moult-device run --flash %s\n",
            settings->name, id, spki_hex, settings->server,
            settings->broker[0] ? settings->broker : "none", settings->trigger,
            arguments->flash);
    }
}

static bool has_needed(const struct arguments *arguments)
{
    const char *missing = !arguments->image    ? "--image FILE"
                          : !arguments->server ? "--server URL"
                          : !arguments->ca     ? "--ca PEM"
                                               : NULL;
    if (missing) { complain("provision: %s is missing; see moult-device --help", missing); }
    return !missing;
}

int command_provision(const struct arguments *arguments)
{
    if (!has_needed(arguments)) { return EXIT_USAGE; }
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan || moult_psa_start() != MOULT_OK) {
        complain("no memory or no randomness");
        free(plan);
        return EXIT_FAILED;
    }
    plan->crypto = moult_psa_crypto();
    bool is_made = choose_settings(arguments, &plan->settings) &&
                   choose_identity(arguments, &plan->settings) &&
                   read_table(arguments, plan) && read_image(arguments, plan) &&
                   write_file(arguments, plan) && write_papers(arguments, &plan->settings);
    if (is_made) { report(arguments, &plan->settings); }
    free(plan->image);
    free(plan);
    return is_made ? EXIT_GOOD : EXIT_FAILED;
}

/* --- set ------------------------------------------------------------------------------ */

/* The NVS of a device that is not running, without booting it. */
static enum moult_status open_nvs(const char *path, struct moult_sim_storage *storage,
                                  struct moult_sim_chip *chip, struct moult_sim_nvs *nvs)
{
    static struct moult_partition_table table;
    uint8_t raw[MOULT_PARTITION_TABLE_SIZE];
    enum moult_status st =
        moult_sim_storage_open(storage, path, MOULT_SIM_OPEN_RUN, BOARD_FILE_SIZE);
    if (st != MOULT_OK) { return st; }
    st = moult_sim_chip_open(chip, storage);
    if (st == MOULT_OK) {
        st = moult_sim_flash_read(&chip->flash, MOULT_PARTITION_TABLE_OFFSET, raw,
                                  sizeof raw);
    }
    if (st == MOULT_OK) { st = moult_partition_parse(raw, &table, NULL); }
    const struct moult_partition *at =
        st == MOULT_OK
            ? moult_partition_find(&table, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS)
            : NULL;
    if (st == MOULT_OK && !at) { st = MOULT_E_FORMAT; }
    if (st == MOULT_OK) {
        st = moult_sim_flash_allow(&chip->flash, at->offset, at->size, false);
    }
    if (st == MOULT_OK) {
        st = moult_sim_nvs_mount(nvs, &chip->flash, at->offset, at->size, true);
    }
    if (st != MOULT_OK) { moult_sim_storage_close(storage); }
    return st;
}

static bool change(const struct arguments *arguments, struct moult_sim_nvs *nvs)
{
    static struct settings settings;
    uint8_t spki[32];
    enum moult_status st = settings_load(nvs, &settings);
    if (st != MOULT_OK) {
        complain("%s: its settings cannot be read: %s", arguments->flash,
                 moult_status_name(st));
        return false;
    }
    if (!choose_settings(arguments, &settings)) { return false; }
    if (moult_identity_of_key(settings.key, spki) != MOULT_OK) {
        complain("--key: not a private key in PEM");
        return false;
    }
    uint8_t id[16];
    memcpy(id, settings.device_id, sizeof id);
    if (!choose_identity(arguments, &settings)) { return false; } /* checks the pair */
    memcpy(settings.device_id, id, sizeof id);                    /* which is for life */
    st = settings_save(nvs, &settings);
    if (st != MOULT_OK) {
        complain("%s: cannot be written: %s", arguments->flash, moult_status_name(st));
        return false;
    }
    if (!write_papers(arguments, &settings)) { return false; }
    report(arguments, &settings);
    return true;
}

int command_set(const struct arguments *arguments)
{
    struct moult_sim_storage storage;
    struct moult_sim_chip chip;
    struct moult_sim_nvs nvs;
    if (moult_psa_start() != MOULT_OK) { return EXIT_FAILED; }
    enum moult_status st = open_nvs(arguments->flash, &storage, &chip, &nvs);
    if (st != MOULT_OK) {
        complain("%s: %s", arguments->flash,
                 st == MOULT_E_BUSY    ? "is running; stop it first"
                 : st == MOULT_E_NOENT ? "no such file"
                                       : "not a device file");
        return st == MOULT_E_BUSY ? EXIT_BUSY : EXIT_FAILED;
    }
    bool is_changed = change(arguments, &nvs);
    moult_sim_storage_close(&storage);
    return is_changed ? EXIT_GOOD : EXIT_FAILED;
}
