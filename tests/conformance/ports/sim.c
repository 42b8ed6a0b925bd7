/* sim.c - ports/sim under the kit: a chip in RAM, its clock the time its flash takes.
 *
 * It has no transport and no entropy: those promises are skipped here and tried with
 * ports/posix.
 */
#include <stdlib.h>
#include <string.h>
#include "formats/chip.h"
#include "keys/openssl_crypto.h"
#include "ports/sim/port.h"
#include "tests/conformance/host/host.h"
#include "tests/support/sample_image.h"

enum {
    FLASH_SIZE = 0x60000,
    SLOT_SIZE = 0x20000,
    SLOT_0_AT = 0x20000,
    CUT_KINDS = 4,
};

static const struct moult_partition rows[] = {
    {0x9000, 0x6000, 0, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS, "nvs"},
    {0xf000, 0x2000, 0, MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA, "otadata"},
    {SLOT_0_AT, SLOT_SIZE, 0, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0, "ota_0"},
    {SLOT_0_AT + SLOT_SIZE, SLOT_SIZE, 0, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0 + 1,
     "ota_1"},
};

static struct {
    uint8_t bits[FLASH_SIZE + MOULT_SIM_EFUSE_SIZE];
    struct moult_sim_storage storage;
    struct moult_sim_chip chip;
    struct moult_crypto crypto;
    struct moult_sim_build build;
    struct moult_sim_port sim; /* context of the port */
    struct moult_port port;
    uint64_t idle_ms;
} board;

static void must(bool claim)
{
    if (!claim) { abort(); } /* a test whose device cannot be made has nothing to say */
}

static bool boot(enum moult_reset how)
{
    memset(board.chip.flash.plans, 0, sizeof board.chip.flash.plans);
    moult_sim_flash_power_on(&board.chip.flash);
    if (moult_sim_port_power_on(&board.sim, &board.chip, &board.crypto, &board.build,
                                (uint8_t)how) != MOULT_OK) {
        return false;
    }
    memset(&board.port, 0, sizeof board.port);
    moult_sim_port_callbacks(&board.sim, &board.port);
    return true;
}

static bool fresh(void *context)
{
    static struct moult_partition_table table;
    (void)context;
    memset(board.bits, 0xff, sizeof board.bits);
    table.count = sizeof rows / sizeof rows[0];
    table.has_md5 = true;
    memcpy(table.rows, rows, sizeof rows);
    must(moult_partition_encode(&table, board.bits + MOULT_PARTITION_TABLE_OFFSET) ==
         MOULT_OK);
    sample_image(board.bits + SLOT_0_AT);
    board.crypto = keys_openssl_crypto();
    board.build.has_rollback = true;
    moult_sim_storage_ram(&board.storage, board.bits, sizeof board.bits);
    must(moult_sim_chip_create(&board.chip, &board.storage, MOULT_CHIP_ESP32C3, 4,
                               FLASH_SIZE) == MOULT_OK);
    return boot(MOULT_RESET_POWER_ON);
}

static bool restart(void *context, enum moult_reset how)
{
    (void)context;
    return boot(how);
}

static const struct moult_port *port(void *context)
{
    (void)context;
    return &board.port;
}

static uint64_t now_ms(void *context)
{
    (void)context;
    return board.idle_ms + board.chip.flash.busy_us / 1000;
}

static void idle(void *context)
{
    (void)context;
    board.idle_ms++;
}

static void cut(void *context, uint32_t operation, uint32_t kind)
{
    static const struct moult_sim_plan plans[CUT_KINDS] = {
        {.fault = MOULT_SIM_CUT_BEFORE},
        {.fault = MOULT_SIM_CUT_TORN, .torn_size = 100},
        {.fault = MOULT_SIM_CUT_MIXED, .seed = 7},
        {.fault = MOULT_SIM_CUT_AFTER},
    };
    (void)context;
    board.chip.flash.plans[0] = plans[kind];
    board.chip.flash.plans[0].at = board.chip.flash.operation_count + operation;
}

static bool reboot_asked(void *context)
{
    (void)context;
    return board.sim.reboot_wanted;
}

static const struct conform_fixture fixture = {
    .name = "sim",
    .port = port,
    .fresh = fresh,
    .restart = restart,
    .now_ms = now_ms,
    .cut = cut,
    .cut_kinds = CUT_KINDS,
    .reboot_asked = reboot_asked,
    .idle = idle,
    .print = conform_print,
};

const struct conform_fixture *conform_fixture(void)
{
    return &fixture;
}
