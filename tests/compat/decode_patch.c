/* decode_patch.c - BASE PATCH OUT: the device's decoder over files, with nothing but libc,
 * so that it builds for any machine. BASE "-" is none. Exit 0: the patch decoded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "codec/decode/decoder.h"

struct files {
    uint8_t *base, *out;
};

static uint8_t *load(const char *path, size_t *size)
{
    *size = 0;
    FILE *f = fopen(path, "rb");
    if (!f) { return NULL; }
    uint8_t *data = malloc(MOULT_PATCH_IMAGE_MAX);
    if (data) { *size = fread(data, 1, MOULT_PATCH_IMAGE_MAX, f); }
    fclose(f);
    return data;
}

static bool read_base(void *context, uint32_t offset, uint8_t *out, uint32_t size)
{
    memcpy(out, ((struct files *)context)->base + offset, size);
    return true;
}

static bool read_output(void *context, uint32_t offset, uint8_t *out, uint32_t size)
{
    memcpy(out, ((struct files *)context)->out + offset, size);
    return true;
}

/* Patches that are decoded here derive no digest: that needs a hash. */
static bool output_digest(void *context, uint32_t size, uint8_t out[32])
{
    (void)context; /* the callback's signature */
    (void)size;
    memset(out, 0, 32);
    return true;
}

static bool decode(struct files *files, const uint8_t *patch, size_t size, uint32_t *made)
{
    static struct moult_decoder d;
    struct moult_patch_header header;
    struct moult_decoder_io io = {files, read_base, read_output, output_digest};
    if (moult_patch_header_read(patch, size, &header, NULL) != MOULT_OK) { return false; }
    if (moult_decoder_init(&d, &header, &io, UINT32_MAX) != MOULT_OK) { return false; }
    size_t fed = header.size;
    for (;;) {
        switch (moult_decoder_step(&d)) {
        case MOULT_DECODER_EMIT:
            memcpy(files->out + d.emit.offset, d.emit.data, d.emit.size);
            break;
        case MOULT_DECODER_INPUT:
            if (fed == size) { return false; }
            fed += moult_decoder_feed(&d, patch + fed, size - fed);
            break;
        case MOULT_DECODER_DONE:
            *made = header.new_size;
            return true;
        case MOULT_DECODER_FAILED:
            return false;
        case MOULT_DECODER_AGAIN:
        case MOULT_DECODER_BLOCK:
            break;
        }
    }
}

int main(int argc, char **argv)
{
    size_t base_size = 0, patch_size = 0;
    uint32_t made = 0;
    if (argc != 4) { return 2; }
    struct files files = {.out = malloc(MOULT_PATCH_IMAGE_MAX)};
    if (strcmp(argv[1], "-") != 0) { files.base = load(argv[1], &base_size); }
    uint8_t *patch = load(argv[2], &patch_size);
    if (!files.out || !patch || !decode(&files, patch, patch_size, &made)) { return 1; }
    FILE *out = fopen(argv[3], "wb");
    bool is_written = out && fwrite(files.out, 1, made, out) == made;
    return out && fclose(out) == 0 && is_written ? 0 : 1;
}
