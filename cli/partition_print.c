/* partition_print.c - see partition_print.h. */
#include "cli/partition_print.h"

#include "cli/finding.h"

static const char *word_or_number(struct cli *cli, const char *word, uint8_t value)
{
    return word ? word : cli_text(cli, "0x%02x", value);
}

static const char *type_words(struct cli *cli, const struct moult_partition *row)
{
    return word_or_number(cli, moult_partition_type_name(row->type), row->type);
}

static const char *subtype_words(struct cli *cli, const struct moult_partition *row)
{
    const char *name = moult_partition_subtype_name(row->type, row->subtype);
    return word_or_number(cli, name, row->subtype);
}

const char *partition_kind(struct cli *cli, const struct moult_partition *row)
{
    return cli_text(cli, "%s/%s", type_words(cli, row), subtype_words(cli, row));
}

static const char *size_words(struct cli *cli, uint32_t size)
{
    bool is_mega = size > 0 && size % (1024 * 1024) == 0;
    bool is_kilo = size > 0 && size % 1024 == 0;
    if (is_mega) { return cli_text(cli, "%u MB", size / (1024 * 1024)); }
    return is_kilo ? cli_text(cli, "%u KB", size / 1024) : cli_text(cli, "%u B", size);
}

static const char *flag_words(struct cli *cli, uint32_t flags)
{
    const char *encrypted = flags & MOULT_PARTITION_ENCRYPTED ? " encrypted" : "";
    const char *readonly = flags & MOULT_PARTITION_READONLY ? " readonly" : "";
    return flags ? cli_text(cli, "0x%x%s%s", flags, encrypted, readonly) : "";
}

void partition_table_print(struct cli *cli, const struct moult_partition_table *table)
{
    struct cli_table *out =
        cli_table_start(cli, "NAME", "TYPE", "OFFSET", "END", "SIZE", "FLAGS", NULL);
    uint64_t end = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct moult_partition *row = &table->rows[i];
        if (i > 0 && row->offset > end) {
            cli_table_row(out, "(free)", "", cli_text(cli, "0x%06x", (uint32_t)end),
                          cli_text(cli, "0x%06x", row->offset),
                          size_words(cli, row->offset - (uint32_t)end), "");
        }
        end = (uint64_t)row->offset + row->size;
        cli_table_row(out, cli_clean(cli, row->label), partition_kind(cli, row),
                      cli_text(cli, "0x%06x", row->offset),
                      cli_text(cli, "0x%06llx", (unsigned long long)end),
                      size_words(cli, row->size), flag_words(cli, row->flags));
    }
    cli_table_end(out);
}

json_t *partition_table_json(struct cli *cli, const struct moult_partition_table *table)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < table->count; i++) {
        const struct moult_partition *row = &table->rows[i];
        cli_json_append(&rows,
                        json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "name",
                                  cli_clean(cli, row->label), "type", type_words(cli, row),
                                  "subtype", subtype_words(cli, row), "offset",
                                  (json_int_t)row->offset, "size", (json_int_t)row->size,
                                  "flags", (json_int_t)row->flags));
    }
    return rows;
}
