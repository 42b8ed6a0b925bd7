/* fuzz_image_info.c - formats/image_info.c: what parses encodes to the same bytes; the
 * keyset lies in the input. */
#include <stdlib.h>
#include <string.h>
#include "formats/image_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) { abort(); }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moult_bytes bytes = {data, size};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct moult_image_info info;
    struct moult_finding finding = {0};
    uint8_t raw[MOULT_IMAGE_INFO_SIZE], keyset[MOULT_IMAGE_INFO_KEYSET_SIZE_MAX];
    if (size >= MOULT_IMAGE_INFO_SIZE &&
        moult_image_info_parse(data, &info, NULL) == MOULT_OK) {
        must(moult_image_info_encode(&info, raw) == MOULT_OK);
        must(memcmp(raw, data, sizeof raw) == 0);
    }
    enum moult_status st = moult_image_info_read(&reader, &info, &finding);
    must((st == MOULT_OK) == (finding.detail == 0));
    if (st != MOULT_OK) { return 0; }

    must(moult_image_info_encode(&info, raw) == MOULT_OK);
    must(memcmp(raw, data + MOULT_IMAGE_INFO_OFFSET, sizeof raw) == 0);
    must(info.sequence >= 1 && info.rollback_floor <= info.sequence);
    must(strlen(info.version) >= 1 && strlen(info.version) <= 31);
    st = moult_image_info_read_keyset(&reader, &info, keyset, sizeof keyset);
    must(st == (info.keyset_size ? MOULT_OK : MOULT_E_NOENT));
    return 0;
}
