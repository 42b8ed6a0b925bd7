/* patch_report.c - see patch_report.h. */
#include "cli/patch_report.h"
#include <string.h>
#include "cli/finding.h"
#include "codec/decode/decoder.h"
#include "formats/chip.h"
#include "keys/openssl_crypto.h"

static const char *const kinds[] = {"literal", "cover", "match", "relocating match"};
static const char *const isas[] = {"none", "Xtensa", "Xtensa, ESP32-S3", "RV32IMC"};

int patch_read(struct cli *cli, const char *path, struct patch_file *out)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int code = cli_read_file(cli, path, PATCH_FILE_MAX, &data, &size);
    if (code != CLI_OK) { return code; }
    *out = (struct patch_file){.path = path, .bytes = {data, size}};
    struct moult_finding finding = {0};
    enum moult_status status = moult_patch_header_read(data, size, &out->header, &finding);
    if (status == MOULT_E_UNSUPPORTED) {
        return cli_fail_at(cli, path, MOULT_D_PATCH_FORMAT,
                           "format 1, profile 1 or 2, instruction set 0 to 3",
                           "one that this moult does not know");
    }
    if (status != MOULT_OK) {
        return cli_fail_at(cli, path, MOULT_D_PATCH_FORMAT, "a moult patch",
                           cli_text(cli, "something else at byte %u", finding.where));
    }
    if (out->header.patch_size != size) {
        return cli_fail_at(cli, path, MOULT_D_PATCH_FORMAT,
                           cli_text(cli, "%u bytes", out->header.patch_size),
                           cli_text(cli, "%zu", size));
    }
    return CLI_OK;
}

/* --- what it is ---------------------------------------------------------------------- */

static const char *profile_name(const struct moult_patch_header *h)
{
    return h->profile == MOULT_PATCH_M8 ? "m8" : "m16";
}

static const char *chip_name(const struct moult_patch_header *h)
{
    return h->chip_id == MOULT_PATCH_CHIP_NONE ? "none" : moult_chip_name(h->chip_id);
}

static uint32_t ram_of(const struct moult_patch_header *h)
{
    return moult_patch_ram(h->profile, h->map_count);
}

static json_t *tokens_json(const struct moult_encoder_statistics *s)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < 4; i++) {
        cli_json_append(&list, json_pack("{s:s,s:I,s:I}", "token", kinds[i], "count",
                                         (json_int_t)s->tokens[i], "bytes",
                                         (json_int_t)s->bytes[i]));
    }
    return list;
}

static json_t *segments_json(const struct moult_patch_header *h)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < h->new_count; i++) {
        const struct moult_patch_segment *s = &h->new_segments[i];
        bool is_known = !(h->same_address >> i & 1) || s->address != 0;
        cli_json_append(
            &list, json_pack("{s:I,s:I,s:b,s:o}", "offset", (json_int_t)s->offset, "size",
                             (json_int_t)s->size, "code", s->is_code, "address",
                             is_known ? json_integer(s->address) : json_null()));
    }
    return list;
}

json_t *patch_json(struct cli *cli, const struct moult_patch_header *h,
                   const struct moult_encoder_statistics *tokens)
{
    bool has_base = h->base_size > 0;
    json_t *document = json_pack(
        "{s:i,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "format", MOULT_PATCH_VERSION,
        "profile", profile_name(h), "isa", isas[h->isa], "chip", chip_name(h), "size",
        (json_int_t)h->patch_size, "header_size", (json_int_t)h->size, "map_size",
        (json_int_t)h->prelude_size, "map_entries", (json_int_t)h->map_count, "result_size",
        (json_int_t)h->new_size, "block_size",
        (json_int_t)(h->block_log2 ? moult_patch_block_size(h) : h->new_size), "ram",
        (json_int_t)ram_of(h));
    json_t *rest = json_pack(
        "{s:s,s:o,s:o,s:o}", "result_id", cli_hex(cli, h->new_id, sizeof h->new_id), "base",
        has_base ? json_pack("{s:I,s:s}", "size", (json_int_t)h->base_size, "id",
                             cli_hex(cli, h->base_id, sizeof h->base_id))
                 : json_null(),
        "segments", segments_json(h), "tokens", tokens ? tokens_json(tokens) : json_null());
    if (!document || !rest || json_object_update(document, rest) != 0) {
        json_decref(document);
        document = NULL;
    }
    json_decref(rest);
    return document;
}

static void print_tokens(struct cli *cli, const struct moult_encoder_statistics *s)
{
    struct cli_table *table = cli_table_start(cli, "TOKEN", "COUNT", "BYTES", NULL);
    for (unsigned i = 0; i < 4; i++) {
        cli_table_row(table, kinds[i], cli_text(cli, "%u", s->tokens[i]),
                      cli_text(cli, "%u", s->bytes[i]));
    }
    cli_table_end(table);
}

void patch_print(struct cli *cli, const struct moult_patch_header *h,
                 const struct moult_encoder_statistics *tokens)
{
    const char *percent =
        cli_text(cli, "%.2f %%", 100.0 * (double)h->patch_size / (double)h->new_size);
    cli_print(cli, "patch       %u bytes, %s of the result (header %u, map %u)\n",
              h->patch_size, percent, h->size, h->prelude_size);
    if (h->base_size > 0) {
        cli_print(cli, "base        %u bytes, SHA-256 %s...\n", h->base_size,
                  cli_hex(cli, h->base_id, sizeof h->base_id));
    } else {
        cli_print(cli, "base        none: a compressed full image\n");
    }
    cli_print(cli, "result      %u bytes, SHA-256 %s...\n", h->new_size,
              cli_hex(cli, h->new_id, sizeof h->new_id));
    cli_print(cli, "code        %s, chip %s, %u segments, %u moved parts\n", isas[h->isa],
              chip_name(h), h->new_count, h->map_count);
    cli_print(cli, "decoder     profile %s, %u bytes of RAM\n", profile_name(h), ram_of(h));
    uint32_t block = moult_patch_block_size(h);
    uint32_t count = h->block_log2 ? (h->new_size + block - 1) / block : 1;
    cli_print(cli, "blocks      %u; a transfer goes on at the begin of one\n", count);
    if (tokens) { print_tokens(cli, tokens); }
}

/* --- applying ------------------------------------------------------------------------ */

struct memory {
    struct moult_crypto crypto;
    struct moult_bytes base;
    uint8_t *out;
};

static bool read_base(void *context, uint32_t offset, uint8_t *out, uint32_t size)
{
    const struct memory *m = context;
    memcpy(out, m->base.data + offset, size);
    return true;
}

static bool read_output(void *context, uint32_t offset, uint8_t *out, uint32_t size)
{
    const struct memory *m = context;
    memcpy(out, m->out + offset, size);
    return true;
}

static bool output_digest(void *context, uint32_t size, uint8_t out[32])
{
    const struct memory *m = context;
    return moult_sha256_once(&m->crypto, m->out, size, out) == MOULT_OK;
}

static int bad_patch(struct cli *cli, const struct patch_file *patch, const char *found)
{
    return cli_fail_at(cli, patch->path, MOULT_D_PATCH_FORMAT,
                       "a patch that decodes to its end", found);
}

static int decode(struct cli *cli, struct moult_decoder *d, const struct patch_file *patch,
                  struct memory *m)
{
    size_t fed = patch->header.size;
    struct cli_progress bar;
    cli_progress_start(cli, &bar, "applying", patch->header.new_size);
    enum moult_decoder_want want = MOULT_DECODER_AGAIN;
    while (want != MOULT_DECODER_DONE && want != MOULT_DECODER_FAILED) {
        want = moult_decoder_step(d);
        if (want == MOULT_DECODER_INPUT) {
            size_t taken =
                moult_decoder_feed(d, patch->bytes.data + fed, patch->bytes.size - fed);
            if (taken == 0) { break; }
            fed += taken;
        } else if (want == MOULT_DECODER_EMIT) {
            memcpy(m->out + d->emit.offset, d->emit.data, d->emit.size);
            cli_progress_set(&bar, d->emit.offset);
        }
    }
    cli_progress_end(&bar);
    return want == MOULT_DECODER_DONE ? CLI_OK : bad_patch(cli, patch, "one that does not");
}

/* Whether bytes have this size and identity; *found says what they are. */
static bool is_this(struct cli *cli, const struct memory *m, struct moult_bytes bytes,
                    const uint8_t id[MOULT_PATCH_ID_SIZE], const char **found)
{
    uint8_t digest[32];
    if (moult_sha256_once(&m->crypto, bytes.data, bytes.size, digest) != MOULT_OK) {
        *found = "one that cannot be hashed";
        return false;
    }
    *found = cli_text(cli, "%zu bytes, SHA-256 %s...", bytes.size,
                      cli_hex(cli, digest, MOULT_PATCH_ID_SIZE));
    return memcmp(digest, id, MOULT_PATCH_ID_SIZE) == 0;
}

static const char *wanted(struct cli *cli, uint32_t size,
                          const uint8_t id[MOULT_PATCH_ID_SIZE])
{
    return cli_text(cli, "%u bytes, SHA-256 %s...", size,
                    cli_hex(cli, id, MOULT_PATCH_ID_SIZE));
}

int patch_decode(struct cli *cli, const struct patch_file *patch, struct moult_bytes base,
                 const char *base_path, uint8_t *out)
{
    const struct moult_patch_header *h = &patch->header;
    struct memory m = {keys_openssl_crypto(), base, out};
    const char *found = NULL;
    bool is_base = h->base_size == 0 || (h->base_size == base.size &&
                                         is_this(cli, &m, base, h->base_id, &found));
    if (!is_base) {
        if (!found) { found = cli_text(cli, "%zu bytes", base.size); }
        return cli_fail_at(cli, base_path, MOULT_D_PATCH_BASE,
                           wanted(cli, h->base_size, h->base_id), found);
    }
    struct moult_decoder_io io = {&m, read_base, read_output, output_digest};
    struct moult_decoder *d = cli_alloc(cli, sizeof *d);
    if (moult_decoder_init(d, h, &io, UINT32_MAX) != MOULT_OK) {
        return bad_patch(cli, patch, "segments that the base does not have");
    }
    int code = decode(cli, d, patch, &m);
    if (code != CLI_OK) { return code; }
    if (!is_this(cli, &m, (struct moult_bytes){out, h->new_size}, h->new_id, &found)) {
        return cli_fail_at(cli, patch->path, MOULT_D_PATCH_RESULT,
                           wanted(cli, h->new_size, h->new_id), found);
    }
    return CLI_OK;
}
