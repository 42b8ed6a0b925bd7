/* otadata_report.c - see otadata_report.h. */
#include "cli/otadata_report.h"

#include <string.h>

#include "cli/finding.h"

#include "formats/bytes.h"

void otadata_entries(const uint8_t *partition, uint8_t raw[2][MOULT_OTADATA_SIZE])
{
    for (uint32_t i = 0; i < 2; i++) {
        memcpy(raw[i], partition + i * MOULT_OTADATA_SECTOR_SIZE, MOULT_OTADATA_SIZE);
    }
}

static const char *state_words(struct cli *cli, uint32_t state)
{
    const char *name = moult_otadata_state_name(state);
    if (strcmp(name, "?") != 0) { return name; }
    return cli_text(cli, "0x%08x (no state: boots, without trial)", state);
}

static bool is_blank(const uint8_t *raw)
{
    return moult_bytes_all(raw, MOULT_OTADATA_SIZE, 0xff);
}

/* What ESP-IDF takes the entry for. */
static const char *verdict_words(const struct moult_otadata_entry *entry,
                                 const uint8_t *raw)
{
    if (is_blank(raw)) { return "empty"; }
    if (moult_otadata_is_valid(entry)) { return "may boot"; }
    if (!entry->has_good_crc) { return "torn: CRC wrong"; }
    return "may not boot";
}

void otadata_print(struct cli *cli, const uint8_t raw[2][MOULT_OTADATA_SIZE],
                   uint32_t slot_count)
{
    struct cli_table *out =
        cli_table_start(cli, "ENTRY", "SEQ", "SLOT", "STATE", "CRC", "VERDICT", NULL);
    int active = moult_otadata_active(raw);
    for (int i = 0; i < 2; i++) {
        struct moult_otadata_entry entry = moult_otadata_decode(raw[i]);
        bool names_slot = entry.seq != UINT32_MAX && slot_count > 0;
        cli_table_row(
            out, cli_text(cli, "%d%s", i, i == active ? " (counts)" : ""),
            entry.seq == UINT32_MAX ? "-" : cli_text(cli, "%u", entry.seq),
            names_slot ? cli_text(cli, "ota_%u", moult_otadata_slot(entry.seq, slot_count))
                       : "-",
            is_blank(raw[i]) ? "-" : state_words(cli, entry.state),
            cli_text(cli, "0x%08x%s", entry.crc, entry.has_good_crc ? "" : " wrong"),
            verdict_words(&entry, raw[i]));
    }
    cli_table_end(out);
}

json_t *otadata_json(struct cli *cli, const uint8_t raw[2][MOULT_OTADATA_SIZE],
                     uint32_t slot_count)
{
    json_t *list = json_array();
    int active = moult_otadata_active(raw);
    for (int i = 0; i < 2; i++) {
        struct moult_otadata_entry entry = moult_otadata_decode(raw[i]);
        bool names_slot = entry.seq != UINT32_MAX && slot_count > 0;
        json_t *slot = names_slot ? json_integer(moult_otadata_slot(entry.seq, slot_count))
                                  : json_null();
        cli_json_append(&list,
                        json_pack("{s:I,s:o,s:s,s:b,s:b,s:s}", "seq", (json_int_t)entry.seq,
                                  "slot", slot, "state", state_words(cli, entry.state),
                                  "crc_ok", entry.has_good_crc, "counts", i == active,
                                  "verdict", verdict_words(&entry, raw[i])));
    }
    return list;
}

const char *boot_target(struct cli *cli, int which)
{
    switch (which) {
    case MOULT_BOOT_FACTORY:
        return "factory";
    case MOULT_BOOT_TEST:
        return "test";
    case MOULT_BOOT_NONE:
        return "nothing";
    default:
        return cli_text(cli, "ota_%d", which);
    }
}

void boot_choice_print(struct cli *cli, const uint8_t raw[2][MOULT_OTADATA_SIZE],
                       const struct moult_boot_choice *choice)
{
    for (uint32_t i = 0; i < choice->write_count; i++) {
        const struct moult_otadata_write *write = &choice->writes[i];
        struct moult_otadata_entry before = moult_otadata_decode(raw[write->sector]);
        struct moult_otadata_entry after = moult_otadata_decode(write->raw);
        cli_print(cli, "  rewrites entry %u: %s to %s, seq %u\n", write->sector,
                  is_blank(raw[write->sector]) ? "empty" : state_words(cli, before.state),
                  state_words(cli, after.state), after.seq);
    }
    if (choice->entry >= 0) {
        cli_print(cli, "  entry %d counts and selects %s\n", choice->entry,
                  boot_target(cli, choice->selected));
    } else {
        cli_print(cli, "  no entry counts: factory first, then the slots in order\n");
    }
    if (choice->is_fallback) {
        cli_print(cli, "  %s does not verify; otadata goes on naming it\n",
                  boot_target(cli, choice->selected));
    }
    cli_print(cli, "  starts %s%s\n", boot_target(cli, choice->booted),
              choice->booted == MOULT_BOOT_NONE ? ": the chip resets for ever" : "");
}

json_t *boot_choice_json(struct cli *cli, const struct moult_boot_choice *choice)
{
    json_t *writes = json_array();
    for (uint32_t i = 0; i < choice->write_count; i++) {
        const struct moult_otadata_write *write = &choice->writes[i];
        struct moult_otadata_entry entry = moult_otadata_decode(write->raw);
        cli_json_append(&writes,
                        json_pack("{s:I,s:I,s:s}", "entry", (json_int_t)write->sector,
                                  "seq", (json_int_t)entry.seq, "state",
                                  state_words(cli, entry.state)));
    }
    return json_pack("{s:s,s:s,s:i,s:b,s:o}", "selected",
                     boot_target(cli, choice->selected), "boots",
                     boot_target(cli, choice->booted), "entry", choice->entry, "fallback",
                     choice->is_fallback, "writes", writes);
}
