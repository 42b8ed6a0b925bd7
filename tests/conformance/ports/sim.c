/* sim.c - ports/sim under the kit: a chip in RAM, its clock the time its flash takes.
 *
 * Built three times: as it is, with flash encryption (BOARD_ENCRYPTED), and with Secure
 * Boot, anti-rollback and five slots (BOARD_SECURE).
 *
 * It has no transport and no entropy: those promises are skipped here and tried with
 * ports/posix.
 */
#include "tests/conformance/ports/sim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/chip.h"
#include "keys/openssl_crypto.h"
#include "keys/sb_signer.h"
#include "ports/sim/port.h"
#include "ports/sim/region.h"
#include "tests/conformance/host/host.h"
#include "tests/support/sample_image.h"

#ifndef BOARD_ENCRYPTED
#define BOARD_ENCRYPTED false
#endif
#ifndef BOARD_SECURE
#define BOARD_SECURE false
#endif
#define BOARD_SLOTS (BOARD_SECURE ? 5 : 2)

enum {
    FLASH_SIZE = 0xd0000,
    WWW_AT = 0xc0000,
    WWW_SIZE = 0x10000,
    OTADATA_AT = 0xf000,
    OTADATA_SIZE = 0x2000,
    SLOT_SIZE = 0x20000,
    SLOT_0_AT = 0x20000,
    CUT_KINDS = 4,
};

static const struct moult_partition rows[] = {
    {0x9000, 0x6000, 0, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS, "nvs"},
    {OTADATA_AT, OTADATA_SIZE, 0, MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA, "otadata"},
};

_Static_assert(SLOT_0_AT + BOARD_SLOTS * SLOT_SIZE <= WWW_AT, "the slots fit");

static struct {
    uint8_t bits[FLASH_SIZE + MOULT_SIM_EFUSE_SIZE];
    struct moult_sim_storage storage;
    struct moult_sim_chip chip;
    struct moult_crypto crypto;
    struct moult_sim_build build;
    struct moult_sim_port sim; /* context of the port */
    struct moult_port port;
    struct moult_sim_part part; /* of the region */
    struct moult_region region;
    struct keys_sb_key *key; /* of Secure Boot; made once */
    uint64_t idle_ms;
} board;

struct moult_sim_flash *conform_sim_flash(void)
{
    return &board.chip.flash;
}

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
    return moult_sim_region_find(&board.sim.boot, "www", &board.part, &board.region) ==
           MOULT_OK;
}

static void put_table(void)
{
    static struct moult_partition_table table;
    table.count = sizeof rows / sizeof rows[0];
    table.has_md5 = true;
    memcpy(table.rows, rows, sizeof rows);
    for (uint32_t i = 0; i < BOARD_SLOTS; i++) {
        struct moult_partition *slot = &table.rows[table.count++];
        *slot = (struct moult_partition){.offset = SLOT_0_AT + i * SLOT_SIZE,
                                         .size = SLOT_SIZE,
                                         .type = MOULT_PARTITION_APP,
                                         .subtype = (uint8_t)(MOULT_PARTITION_OTA_0 + i)};
        snprintf(slot->label, sizeof slot->label, "ota_%u", (unsigned)i);
    }
    table.rows[table.count++] =
        (struct moult_partition){WWW_AT,
                                 WWW_SIZE,
                                 BOARD_ENCRYPTED ? MOULT_PARTITION_ENCRYPTED : 0,
                                 MOULT_PARTITION_DATA,
                                 MOULT_PARTITION_UNDEFINED,
                                 "www"};
    must(moult_partition_encode(&table, board.bits + MOULT_PARTITION_TABLE_OFFSET) ==
         MOULT_OK);
}

static void free_key(void)
{
    keys_sb_key_free(board.key);
}

/* The image's signature; its key into the eFuses, and Secure Boot on for good. */
static void sign(uint8_t *image, uint32_t capacity)
{
    uint8_t digest[32];
    const struct keys_sb_key *signers[1];
    struct keys_sb_image signed_image = {image, SAMPLE_IMAGE_SIZE, capacity};
    if (!board.key) {
        must(keys_sb_key_make(MOULT_SB_P256, &board.key) == MOULT_OK);
        atexit(free_key);
    }
    signers[0] = board.key;
    must(keys_sb_sign_image(&signed_image, signers, 1, &board.crypto) == MOULT_OK);
    must(keys_sb_key_digest(board.key, &board.crypto, digest) == MOULT_OK);
    must(moult_sim_key_burn(&board.chip, 0, digest) == MOULT_OK);
    must(moult_sim_switch_burn(&board.chip, MOULT_SIM_SECURE_BOOT) == MOULT_OK);
}

/* Image into ota_0 and an empty otadata, as the first boot of a real chip leaves them: it
 * encrypts what is there, 0xff too. A boot that finds nothing has read the table, so that
 * the flash knows what is encrypted. */
static void put_image(void)
{
    static uint8_t empty[OTADATA_SIZE];
    static uint8_t image[SAMPLE_SIGNED_SIZE];
    struct moult_sim_boot blank;
    memset(image, 0xff, sizeof image);
    sample_image(image);
    if (BOARD_SECURE) { sign(image, sizeof image); }
    must(moult_sim_boot(&blank, &board.chip, &board.crypto, &board.build,
                        MOULT_RESET_POWER_ON, true) == MOULT_E_NOENT);
    must(moult_sim_flash_load(&board.chip.flash, SLOT_0_AT, image, sizeof image) ==
         MOULT_OK);
    memset(empty, 0xff, sizeof empty);
    must(moult_sim_flash_load(&board.chip.flash, OTADATA_AT, empty, sizeof empty) ==
         MOULT_OK);
}

static bool fresh(void *context)
{
    (void)context;
    memset(board.bits, 0xff, sizeof board.bits);
    put_table();
    board.crypto = keys_openssl_crypto();
    board.build.has_rollback = true;
    board.build.has_anti_rollback = BOARD_SECURE;
    moult_sim_storage_ram(&board.storage, board.bits, sizeof board.bits);
    must(moult_sim_chip_create(&board.chip, &board.storage, MOULT_CHIP_ESP32C3, 4,
                               FLASH_SIZE) == MOULT_OK);
    if (BOARD_ENCRYPTED) {
        must(moult_sim_switch_burn(&board.chip, MOULT_SIM_FLASH_CRYPT) == MOULT_OK);
    }
    put_image();
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

static const struct moult_region *region(void *context)
{
    (void)context;
    return &board.region;
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
    .region = region,
    .may_burn = true,
    .reboot_asked = reboot_asked,
    .idle = idle,
    .print = conform_print,
};

const struct conform_fixture *conform_fixture(void)
{
    return &fixture;
}
