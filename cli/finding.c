/* finding.c - see finding.h. */
#include "cli/finding.h"

#include <string.h>

#include "formats/chip.h"
#include "formats/utf8.h"

enum place { AT_OFFSET, AT_ROW, AT_LINE, AT_NOTHING };
enum number { HEX, DEC, BYTE, DIGEST, REVISION, UP_TO, COUNT, CHIP, NO_NUMBER };

/* How the numbers of a detail are meant; anything else is an offset with hexadecimal
 * numbers. */
static const struct meaning {
    uint16_t detail;
    enum place place;
    enum number number;
} meanings[] = {
    {MOULT_D_ESP_MAGIC, AT_OFFSET, BYTE},
    {MOULT_D_ESP_TRUNCATED, AT_OFFSET, DEC},
    {MOULT_D_ESP_SEGMENTS, AT_OFFSET, COUNT},
    {MOULT_D_ESP_SEGMENT, AT_OFFSET, UP_TO},
    {MOULT_D_ESP_CHECKSUM, AT_OFFSET, BYTE},
    {MOULT_D_ESP_DIGEST, AT_OFFSET, DIGEST},
    {MOULT_D_ESP_CHIP, AT_NOTHING, CHIP},
    {MOULT_D_ESP_REVISION, AT_OFFSET, REVISION},
    {MOULT_D_ESP_TRAILING, AT_NOTHING, DEC},
    {MOULT_D_ESP_SIGBLOCK, AT_OFFSET, BYTE},
    {MOULT_D_ESP_SIG_DIGEST, AT_OFFSET, DIGEST},
    {MOULT_D_ESP_SIG_WRONG, AT_OFFSET, NO_NUMBER},
    {MOULT_D_ESP_HASH_FLAG, AT_OFFSET, DEC},
    {MOULT_D_ESP_INFO, AT_OFFSET, DEC},
    {MOULT_D_ESP_INFO_FORMAT, AT_OFFSET, DEC},
    {MOULT_D_ESP_INFO_MISSING, AT_OFFSET, NO_NUMBER},
    {MOULT_D_ESP_INFO_KEYSET, AT_OFFSET, DEC},
    {MOULT_D_IMAGE_LIMIT, AT_OFFSET, DEC},
    {MOULT_D_IMAGE_SEGMENTS, AT_NOTHING, DEC},
    {MOULT_D_ELF_SEGMENT, AT_OFFSET, UP_TO},
    {MOULT_D_PT_MAGIC, AT_ROW, HEX},
    {MOULT_D_PT_MD5, AT_ROW, DIGEST},
    {MOULT_D_PT_MD5_PLACE, AT_ROW, NO_NUMBER},
    {MOULT_D_PT_EMPTY, AT_NOTHING, NO_NUMBER},
    {MOULT_D_PT_END, AT_ROW, DEC},
    {MOULT_D_PT_ENTRIES, AT_LINE, UP_TO},
    {MOULT_D_PT_ALIGN, AT_ROW, HEX},
    {MOULT_D_PT_SIZE_ALIGN, AT_ROW, HEX},
    {MOULT_D_PT_OVERLAP, AT_ROW, HEX},
    {MOULT_D_PT_FLASH, AT_ROW, HEX},
    {MOULT_D_PT_LOW, AT_ROW, HEX},
    {MOULT_D_PT_NAME, AT_ROW, NO_NUMBER},
    {MOULT_D_PT_NAME_TWICE, AT_ROW, DEC},
    {MOULT_D_PT_OTADATA, AT_ROW, HEX},
    {MOULT_D_PT_OTADATA_TWICE, AT_ROW, DEC},
    {MOULT_D_PT_TEE_OTA_TWICE, AT_ROW, DEC},
    {MOULT_D_PT_TEE_OTA_SIZE, AT_ROW, HEX},
    {MOULT_D_PT_NVS_SIZE, AT_ROW, HEX},
    {MOULT_D_PT_READONLY, AT_ROW, NO_NUMBER},
    {MOULT_D_PT_FLAGS, AT_ROW, HEX},
    {MOULT_D_PT_NAME_KEYWORD, AT_ROW, NO_NUMBER},
    {MOULT_D_PT_SLOTS, AT_NOTHING, DEC},
    {MOULT_D_PT_SLOT_GAP, AT_ROW, DEC},
    {MOULT_D_PT_SLOT_SIZES, AT_ROW, HEX},
    {MOULT_D_PT_SLOT_TWICE, AT_ROW, DEC},
    {MOULT_D_PT_ANTI_ROLLBACK, AT_ROW, NO_NUMBER},
    {MOULT_D_PT_CSV, AT_LINE, NO_NUMBER},
    {MOULT_D_CSV_TYPE, AT_LINE, NO_NUMBER},
    {MOULT_D_CSV_SUBTYPE, AT_LINE, NO_NUMBER},
    {MOULT_D_CSV_OFFSET, AT_LINE, NO_NUMBER},
    {MOULT_D_CSV_SIZE, AT_LINE, NO_NUMBER},
    {MOULT_D_CSV_FLAG, AT_LINE, NO_NUMBER},
    {MOULT_D_CSV_ORDER, AT_LINE, HEX},
    {MOULT_D_CSV_VARIABLE, AT_LINE, NO_NUMBER},
    {MOULT_D_CSV_ENCODING, AT_LINE, NO_NUMBER},
    {MOULT_D_CSV_LIMIT, AT_NOTHING, DEC},
    {MOULT_D_CSV_BOOTLOADER, AT_LINE, HEX},
};

/* C1 controls are two bytes in UTF-8: c2 80 to c2 9f. */
static bool is_control(const char *text, size_t i)
{
    uint8_t c = (uint8_t)text[i];
    bool is_c1 = c == 0xc2 && (uint8_t)text[i + 1] < 0xa0;
    return c < 0x20 || c == 0x7f || is_c1;
}

const char *cli_clean(struct cli *cli, const char *text)
{
    size_t size = strlen(text);
    bool is_utf8 = moult_utf8_is_valid((struct moult_bytes){(const uint8_t *)text, size});
    char *out = cli_alloc(cli, size + 1);
    for (size_t i = 0; i < size; i++) {
        bool is_odd = is_control(text, i) || (!is_utf8 && (uint8_t)text[i] >= 0x80);
        out[i] = is_odd ? '?' : text[i];
        if (is_odd && (uint8_t)text[i] == 0xc2 && is_utf8) { out[++i] = '?'; }
    }
    return out;
}

static struct meaning meaning_of(uint16_t detail)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].detail == detail) { return meanings[i]; }
    }
    return (struct meaning){detail, AT_OFFSET, HEX};
}

static const char *place_words(struct cli *cli, enum place place, uint32_t where,
                               const struct moult_partition_table *table)
{
    switch (place) {
    case AT_OFFSET:
        return cli_text(cli, "offset 0x%x", where);
    case AT_LINE:
        return cli_text(cli, "line %u", where);
    case AT_ROW:
        if (!table || where >= table->count) { return cli_text(cli, "row %u", where); }
        return cli_text(cli, "row %u (%s)", where,
                        cli_clean(cli, table->rows[where].label));
    case AT_NOTHING:
        break;
    }
    return "";
}

static const char *number_words(struct cli *cli, enum number number, uint32_t value)
{
    switch (number) {
    case HEX:
    case UP_TO:
        return cli_text(cli, "0x%x", value);
    case DEC:
    case COUNT:
        return cli_text(cli, "%u", value);
    case BYTE:
        return cli_text(cli, "0x%02x", value);
    case DIGEST:
        return cli_text(cli, "%08x...", value);
    case REVISION:
        return cli_text(cli, "%u.%u", value / 100, value % 100);
    case CHIP:
        return cli_text(cli, "%s (0x%04x)", moult_chip_name((uint16_t)value), value);
    case NO_NUMBER:
        break;
    }
    return NULL;
}

struct finding_words cli_finding_words(struct cli *cli, const struct moult_finding *finding,
                                       const struct moult_partition_table *table)
{
    struct meaning meaning = meaning_of(finding->detail);
    const char *want = number_words(cli, meaning.number, finding->expected);
    if (meaning.number == UP_TO) {
        bool is_segment = finding->detail == MOULT_D_ESP_SEGMENT;
        want = cli_text(cli, "at most %s%s", want, is_segment ? ", a multiple of 4" : "");
    }
    if (meaning.number == COUNT) {
        bool is_much = finding->found > finding->expected;
        want = cli_text(cli, "at %s %s", is_much ? "most" : "least", want);
    }
    return (struct finding_words){
        .place = place_words(cli, meaning.place, finding->where, table),
        .want = want,
        .have = number_words(cli, meaning.number, finding->found),
    };
}

static const char *words_of(struct cli *cli, uint16_t detail,
                            const struct finding_words *parts)
{
    enum { WORDS_MAX = 512 };
    char *words = cli_alloc(cli, WORDS_MAX);
    const struct moult_code_info *info = moult_detail_info(detail);
    if (info) { (void)moult_code_words(info, parts->want, parts->have, words, WORDS_MAX); }
    return words; /* cut is allowed: for people */
}

const char *cli_finding_text(struct cli *cli, const struct moult_finding *finding,
                             const struct moult_partition_table *table)
{
    struct finding_words parts = cli_finding_words(cli, finding, table);
    const char *words = words_of(cli, finding->detail, &parts);
    const char *colon = parts.place[0] ? ": " : "";
    return cli_text(cli, "%s%s%s", parts.place, colon, words);
}

json_t *cli_finding_json(struct cli *cli, const struct moult_finding *finding,
                         const struct moult_partition_table *table)
{
    char code[8];
    struct finding_words parts = cli_finding_words(cli, finding, table);
    moult_code_format('E', finding->detail, code);
    return json_pack("{s:s,s:s,s:s}", "code", code, "place", parts.place, "words",
                     words_of(cli, finding->detail, &parts));
}

void cli_json_append(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) == 0) { return; }
    json_decref(*list);
    *list = NULL;
}

int cli_fail_finding(struct cli *cli, const char *path, enum moult_status status,
                     const struct moult_finding *finding)
{
    if (finding->detail == 0) {
        return cli_fail(cli, MOULT_D_CLI_FILE_READ, path, moult_status_name(status));
    }
    struct finding_words parts = cli_finding_words(cli, finding, NULL);
    char code[8];
    moult_code_format('E', finding->detail, code);
    cli_next(cli,
             cli_text(cli, "moult explain %s", code)); /* the row's own is this command */
    const char *separator = parts.place[0] ? ", " : "";
    return cli_fail_at(cli, cli_text(cli, "%s%s%s", path, separator, parts.place),
                       (enum moult_detail)finding->detail, parts.want, parts.have);
}
