/* fuzz_patch.c - any bytes as a patch, over a made-up base: it stays inside, and ends.
 *
 * patching.c checks every request of the decoder; the harness only mends what would stop
 * the fuzzer at the door: magic, sizes of base and patch.
 */
#include "formats/chip.h"
#include "tests/fuzz/oracle.h"
#include "tests/support/code_image.h"
#include "tests/support/patching.h"

static uint8_t base[CODE_IMAGE_MAX], output[1 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 65536 };
    static uint8_t patch[MOST];
    static uint32_t base_size;
    if (base_size == 0) {
        static struct code_program program;
        code_program_make(&program, MOULT_CHIP_ESP32, 1);
        base_size = code_image_link(&program, base, sizeof base);
    }
    if (size < 48 || size > MOST) { return 0; }
    memcpy(patch, data, size);
    memcpy(patch, "MLTP\1", 5);
    put_le32(patch + 16, patch[7] & 1 ? base_size : 0);
    put_le32(patch + 20, get_le32(patch + 20) % (1 << 18) + 1);
    put_le32(patch + 24, (uint32_t)size);
    struct patching p = {.base = {base, patch[7] & 1 ? base_size : 0},
                         .result = {output, sizeof output},
                         .output = output};
    struct patching_how how = {.patch = {patch, size}};
    enum moult_status status = patching_apply(&p, &how);
    promise(status != MOULT_E_INTERNAL && status != MOULT_E_IO, "a patch has its reasons");
    return 0;
}
