/* board.c - see board.h. */
#include "examples/energy-meter/host/board.h"
#include <string.h>
#include "formats/esp_image.h"
#include "ports/posix/psa_crypto.h"

const struct moult_sim_build board_build = {.has_rollback = true};

static enum moult_status boot_result(enum moult_status st)
{
    return st == MOULT_E_NOENT ? MOULT_E_STATE : st;
}

enum moult_status board_power_on(struct board *board, const char *path, uint8_t reset)
{
    memset(board, 0, sizeof *board);
    board->crypto = moult_psa_crypto();
    enum moult_status st =
        moult_sim_storage_open(&board->storage, path, MOULT_SIM_OPEN_RUN, BOARD_FILE_SIZE);
    if (st != MOULT_OK) { return st; }
    st = moult_sim_chip_open(&board->chip, &board->storage);
    if (st == MOULT_OK) {
        st = boot_result(moult_sim_port_power_on(&board->port, &board->chip, &board->crypto,
                                                 &board_build, reset));
    }
    if (st != MOULT_OK) { board_power_off(board); }
    return st;
}

void board_power_off(struct board *board)
{
    moult_sim_storage_close(&board->storage);
}

enum moult_status board_look(struct board *board, uint8_t *copy, uint32_t size)
{
    memset(board, 0, sizeof *board);
    board->crypto = moult_psa_crypto();
    if (size != BOARD_FILE_SIZE) { return MOULT_E_FORMAT; }
    moult_sim_storage_ram(&board->storage, copy, size);
    enum moult_status st = moult_sim_chip_open(&board->chip, &board->storage);
    if (st != MOULT_OK) { return st; }
    return boot_result(
        moult_sim_port_look(&board->port, &board->chip, &board->crypto, &board_build));
}

static enum moult_status measure(const struct board *board,
                                 const struct moult_reader *reader, struct firmware *out)
{
    struct moult_esp_image image;
    enum moult_status st = moult_esp_image_parse(reader, &image, NULL);
    if (st != MOULT_OK) { return st; }
    return moult_esp_image_measure(reader, &board->crypto, &image, &out->size, out->digest);
}

enum moult_status board_firmware(const struct board *board, int which, bool with_digest,
                                 struct firmware *out)
{
    memset(out, 0, sizeof *out);
    const struct moult_partition *partition = moult_sim_partition(&board->port.boot, which);
    if (!partition) { return MOULT_E_NOENT; }
    struct moult_sim_part part;
    struct moult_reader reader =
        moult_sim_reader(&board->port.boot.chip->flash, partition, &part);
    enum moult_status st = moult_app_desc_read(&reader, &out->desc);
    if (st != MOULT_OK) { return st == MOULT_E_IO ? st : MOULT_E_NOENT; }
    st = moult_image_info_read(&reader, &out->info, NULL);
    if (st == MOULT_E_IO) { return st; }
    out->is_managed = st == MOULT_OK;
    out->version = out->is_managed ? out->info.version : out->desc.version;
    if (!with_digest) { return MOULT_OK; }
    st = measure(board, &reader, out);
    return st == MOULT_OK || st == MOULT_E_IO ? st : MOULT_E_NOENT;
}
