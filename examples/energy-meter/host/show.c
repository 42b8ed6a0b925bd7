/* show.c - prints what look.h found; see commands.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "examples/energy-meter/host/commands.h"
#include "examples/energy-meter/host/json.h"
#include "examples/energy-meter/host/look.h"
#include "formats/bytes.h"
#include "moult/log.h"

static const char *state_word(enum moult_slot_state state)
{
    static const char *const words[] = {"NEW",     "PENDING_VERIFY", "VALID", "INVALID",
                                        "ABORTED", "UNDEFINED",      "none"};
    return (unsigned)state < sizeof words / sizeof words[0] ? words[state] : "?";
}

static const char *next_word(int next, char out[16])
{
    switch (next) {
    case MOULT_BOOT_NONE:
        return "none";
    case MOULT_BOOT_FACTORY:
        return "factory";
    case MOULT_BOOT_TEST:
        return "test";
    default:
        snprintf(out, 16, "ota_%d", next);
        return out;
    }
}

/* The slot that the next boot starts; NULL: none of them. */
static const struct slot_look *next_slot(const struct look *look)
{
    bool is_slot = look->next >= 0 && look->next < (int)look->slot_count;
    return is_slot ? &look->slots[look->next] : NULL;
}

/* --- JSON ----------------------------------------------------------------------------- */

static void json_slots(const struct look *look)
{
    json_open("slots", '[');
    for (uint32_t i = 0; i < look->slot_count; i++) {
        const struct slot_look *slot = &look->slots[i];
        json_open(NULL, '{');
        json_number("slot", i);
        json_text("state", state_word(slot->state));
        json_bool("has_image", slot->has_image);
        json_bool("verifies", slot->verifies);
        if (slot->has_image) {
            json_text("version", slot->firmware.version);
            json_text("project", slot->firmware.desc.project);
            json_number("sequence", (int64_t)slot->firmware.info.sequence);
            json_number("size", slot->firmware.size);
            json_hex("digest", slot->firmware.digest, 32);
        }
        json_close('}');
    }
    json_close(']');
}

static void json_otadata(const struct look *look)
{
    json_open("otadata", '[');
    for (int i = 0; i < 2; i++) {
        struct moult_otadata_entry entry = moult_otadata_decode(look->otadata.raw[i]);
        json_open(NULL, '{');
        json_number("seq", entry.seq);
        json_text("state", moult_otadata_state_name(entry.state));
        json_bool("good_crc", entry.has_good_crc);
        json_close('}');
    }
    json_close(']');
}

static void json_samples(const struct look *look)
{
    const struct reading_summary *sum = &look->summary;
    json_open("samples", '{');
    json_number("taken", (int64_t)sum->last);
    json_number("first", (int64_t)sum->first);
    json_number("last", (int64_t)sum->last);
    json_number("lost", (int64_t)sum->missing);
    json_number("lost_ms", (int64_t)sum->lost_ms);
    json_number("dark_ms", (int64_t)sum->dark_ms);
    json_number("power_cuts", sum->power_cuts);
    json_number("restarts", sum->restarts);
    json_close('}');
}

static void json_engine(const struct look *look)
{
    json_text("state", moult_state_name(look->progress.state));
    json_number("detail", look->progress.detail);
    json_bool("on_trial", look->progress.on_trial);
    json_number("outbox", look->progress.reports);
    json_number("offered", (int64_t)look->progress.offered);
    json_number("offset", look->progress.offset);
    json_number("size", look->progress.size);
    json_number("counter", (int64_t)look->counter);
    json_number("keyset", look->keyset_version);
    json_number("floor", (int64_t)look->floor);
    json_number("failed_releases", look->failed);
}

static void print_json(const struct look *look)
{
    char word[16];
    const struct slot_look *next = next_slot(look);
    json_open(NULL, '{');
    json_hex("id", look->settings.device_id, sizeof look->settings.device_id);
    json_text("name", look->settings.name);
    json_bool("running", look->is_running);
    json_text("boots", next_word(look->next, word));
    json_text("version", next && next->has_image ? next->firmware.version : NULL);
    json_number("sequence", next ? (int64_t)next->firmware.info.sequence : 0);
    json_number("slot", look->next);
    json_text("slot_state", next ? state_word(next->state) : "none");
    if (next && next->has_image) { json_hex("digest", next->firmware.digest, 32); }
    json_number("boot_count", look->summary.boots);
    json_number("secure_version", look->efuse_version);
    json_text("server", look->settings.server);
    json_text("broker", look->settings.broker);
    json_text("trigger", look->settings.trigger);
    json_engine(look);
    json_samples(look);
    json_slots(look);
    json_otadata(look);
    json_close('}');
    putchar('\n');
}

/* --- Text ----------------------------------------------------------------------------- */

static void print_slots(const struct look *look)
{
    for (uint32_t i = 0; i < look->slot_count; i++) {
        const struct slot_look *slot = &look->slots[i];
        printf("  ota_%u     %-14s ", (unsigned)i, state_word(slot->state));
        if (!slot->has_image) {
            printf("no image\n");
            continue;
        }
        char digest[17];
        moult_hex_encode(slot->firmware.digest, 8, digest);
        printf("%s %s, sequence %" PRIu64 ", %u bytes, sha-256 %s...%s\n",
               slot->firmware.desc.project, slot->firmware.version,
               slot->firmware.info.sequence, (unsigned)slot->firmware.size, digest,
               slot->verifies ? "" : ", does not verify");
    }
    for (int i = 0; i < 2; i++) {
        struct moult_otadata_entry entry = moult_otadata_decode(look->otadata.raw[i]);
        if (entry.seq == UINT32_MAX) {
            printf("  otadata %d blank\n", i);
        } else {
            printf("  otadata %d seq %u, %s%s\n", i, (unsigned)entry.seq,
                   moult_otadata_state_name(entry.state),
                   entry.has_good_crc ? "" : ", bad CRC: torn");
        }
    }
}

static void print_text(const struct look *look)
{
    char id[33], word[16];
    const struct reading_summary *sum = &look->summary;
    moult_hex_encode(look->settings.device_id, sizeof look->settings.device_id, id);
    printf("%s (%s)%s\n", look->settings.name, id, look->is_running ? ", running" : "");
    printf("  boots     %s\n", next_word(look->next, word));
    print_slots(look);
    printf("  engine    %s, floor %" PRIu64 ", keyset %u, counter %" PRIu64
           ", %u reports waiting\n",
           moult_state_name(look->progress.state), look->floor,
           (unsigned)look->keyset_version, look->counter, (unsigned)look->progress.reports);
    if (look->progress.size) {
        printf("  plan      sequence %" PRIu64 ", %u of %u bytes\n", look->progress.offered,
               (unsigned)look->progress.offset, (unsigned)look->progress.size);
    }
    printf("  readings  %" PRIu64 "..%" PRIu64 ", %" PRIu64 " missing, %" PRIu64
           " ms lost with power, %" PRIu64 " ms without power\n",
           sum->first, sum->last, sum->missing, sum->lost_ms, sum->dark_ms);
    printf("  boot no.  %u; of those recorded %u restarts, %u power cuts\n",
           (unsigned)sum->boots, (unsigned)sum->restarts, (unsigned)sum->power_cuts);
    printf("  server    %s\n  broker    %s, %s\n", look->settings.server,
           look->settings.broker[0] ? look->settings.broker : "none",
           look->settings.trigger);
}

int command_show(const struct arguments *arguments)
{
    struct look *look = malloc(sizeof *look);
    enum moult_status st = look ? look_at(arguments->flash, look) : MOULT_E_NOMEM;
    if (st == MOULT_OK && arguments->is_json) {
        print_json(look);
    } else if (st == MOULT_OK) {
        print_text(look);
    } else {
        complain("%s: %s", arguments->flash,
                 st == MOULT_E_NOENT    ? "no such file"
                 : st == MOULT_E_FORMAT ? "not the file of a provisioned device"
                                        : moult_status_name(st));
    }
    free(look);
    return st == MOULT_OK ? EXIT_GOOD : EXIT_FAILED;
}
