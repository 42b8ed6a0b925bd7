/* fuzz_wake.c - what a broker may put on a device's topic. */
#include "formats/wake.h"
#include "tests/fuzz/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moult_wake wake = {1, 2}, again;
    enum moult_status st = moult_wake_read((struct moult_bytes){data, size}, &wake);
    if (st != MOULT_OK) {
        promise(wake.seq == 1 && wake.spread_s == 2, "out is untouched on failure");
        return 0;
    }
    uint8_t bytes[MOULT_WAKE_SIZE_MAX];
    struct moult_cbor_writer writer;
    promise(size <= MOULT_WAKE_SIZE_MAX, "the limit");
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_wake_write(&writer, &wake);
    promise(moult_wake_read(moult_cbor_written(&writer), &again) == MOULT_OK &&
                again.seq == wake.seq && again.spread_s == wake.spread_s,
            "what is written is read back");
    return 0;
}
