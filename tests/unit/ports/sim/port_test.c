/* port_test.c - the simulator as the update engine sees it. */
#include "ports/sim/port.h"
#include <string.h>
#include "formats/bytes.h"
#include "ports/sim/ota.h"
#include "tests/support/check.h"
#include "tests/support/sim_device.h"

static struct sim_device device;
static struct moult_port port;

static bool power_on(uint8_t reset)
{
    if (sim_device_boot(&device, reset) != MOULT_OK) { return false; }
    memset(&port, 0, sizeof port);
    moult_sim_port_callbacks(&device.port, &port);
    return true;
}

static void test_slots_are_addressed_by_number(void)
{
    sim_device_make(&device);
    check(power_on(MOULT_RESET_POWER_ON));
    check_equal(port.slot_count, 2);
    check_equal(port.slot_size, SIM_SLOT_SIZE);
    uint8_t data[64], found[64];
    bool is_erased = false;
    memset(data, 0x42, sizeof data);
    check_equal(port.flash_erase(port.context, 1, 0x1000), 0);
    check_equal(port.flash_is_erased(port.context, 1, 0x1000, 4096, &is_erased), 0);
    check(is_erased);
    check_equal(port.flash_write(port.context, 1, 0x1020, data, sizeof data), 0);
    check_equal(port.flash_read(port.context, 1, 0x1020, found, sizeof found), 0);
    check_bytes(found, data, sizeof data);
    check_bytes(device.bits + SIM_SLOT_1_AT + 0x1020, data, sizeof data);
    check_equal(port.flash_is_erased(port.context, 1, 0x1000, 4096, &is_erased), 0);
    check(!is_erased);
}

static void test_the_engine_cannot_write_the_running_slot_or_outside_a_slot(void)
{
    static const struct {
        const char *name;
        uint32_t slot, offset, size; /* size 0: erase */
    } rows[] = {
        {"erase what runs", 0, 0, 0},
        {"write what runs", 0, 0x8000, 32},
        {"erase behind the slot", 1, SIM_SLOT_SIZE, 0},
        {"write over its end", 1, SIM_SLOT_SIZE - 32, 64},
        {"write off the unit", 1, 16, 32},
        {"write half a unit", 1, 32, 16},
        {"no such slot", 2, 0, 32},
    };
    sim_device_make(&device);
    check(power_on(MOULT_RESET_POWER_ON));
    static uint8_t before[SIM_FLASH_SIZE];
    memcpy(before, device.bits, sizeof before);
    const uint8_t data[64] = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        int32_t result = rows[i].size
                             ? port.flash_write(port.context, rows[i].slot, rows[i].offset,
                                                data, rows[i].size)
                             : port.flash_erase(port.context, rows[i].slot, rows[i].offset);
        check(result != 0);
        check_bytes(device.bits, before, sizeof before);
    }
    check_row(NULL);
}

static void test_keys_survive_a_reset(void)
{
    uint8_t found[64];
    size_t size = 99;
    sim_device_make(&device);
    check(power_on(MOULT_RESET_POWER_ON));
    check_equal(port.kv_get(port.context, "j.a", found, sizeof found, &size), 0);
    check_equal(size, 0);
    check_equal(port.kv_set(port.context, "j.a", (const uint8_t *)"record", 6), 0);
    check_equal(port.kv_set(port.context, "j.b", (const uint8_t *)"other", 5), 0);
    check(power_on(MOULT_RESET_PANIC));
    check_equal(port.kv_get(port.context, "j.a", found, sizeof found, &size), 0);
    check_equal(size, 6);
    check_bytes(found, "record", 6);
    check(port.kv_get(port.context, "j.a", found, 5, &size) != 0);
    check_equal(port.kv_erase(port.context, "j.a"), 0);
    check_equal(port.kv_erase(port.context, "j.a"), 0);
    check_equal(port.kv_get(port.context, "j.a", found, sizeof found, &size), 0);
    check_equal(size, 0);
    static const uint8_t large[MOULT_KV_BLOB_MAX + 1];
    check(port.kv_set(port.context, "large", large, sizeof large) != 0);
    check_equal(port.kv_set(port.context, "large", large, sizeof large - 1), 0);
}

static void test_spaces_do_not_see_each_other(void)
{
    uint8_t found[8];
    size_t size;
    sim_device_make(&device);
    check(power_on(MOULT_RESET_POWER_ON));
    check_equal(moult_sim_nvs_set(&device.port.nvs, MOULT_SIM_SPACE_DEVICE, "id",
                                  (const uint8_t *)"me", 2),
                MOULT_OK);
    check_equal(port.kv_get(port.context, "id", found, sizeof found, &size), 0);
    check_equal(size, 0);
}

static void test_an_update_through_the_callbacks(void)
{
    struct moult_boot_info info;
    sim_device_make(&device);
    sim_device_put_image(&device, 1, "1.1.0", 0);
    check(power_on(MOULT_RESET_POWER_ON));
    check_equal(port.set_boot(port.context, 1), 0);
    check(!device.port.reboot_wanted);
    port.reboot(port.context);
    check(device.port.reboot_wanted);
    check(power_on(MOULT_RESET_SOFTWARE));
    check(!device.port.reboot_wanted);
    check_equal(port.boot_info(port.context, &info), 0);
    check_equal(info.running, 1);
    check_equal(info.state, MOULT_SLOT_PENDING);
    check_equal(port.mark_invalid_and_reboot(port.context), 0);
    check(device.port.reboot_wanted);
    check(power_on(MOULT_RESET_SOFTWARE));
    check_equal(port.boot_info(port.context, &info), 0);
    check_equal(info.running, 0);
    check(port.mark_invalid_and_reboot(port.context) != 0); /* nothing else would boot */
    check(!device.port.reboot_wanted);
}

static void test_the_table_digest_is_that_of_the_flash(void)
{
    uint8_t digest[32], expected[32];
    sim_device_make(&device);
    check(power_on(MOULT_RESET_POWER_ON));
    check_equal(port.table_digest(port.context, digest), 0);
    check_equal(moult_sha256_once(&device.crypto, device.bits + 0x8000, 0xc00, expected),
                MOULT_OK);
    check_bytes(digest, expected, sizeof digest);
    check_equal(port.secure_version(port.context), 0);
    check_equal(moult_sim_efuse_burn(&device.chip, 5), MOULT_OK);
    check_equal(port.secure_version(port.context), 5);
}

static void test_without_power_every_callback_fails(void)
{
    uint8_t byte[32] = {0};
    size_t size;
    struct moult_boot_info info;
    sim_device_make(&device);
    check(power_on(MOULT_RESET_POWER_ON));
    check_equal(port.kv_set(port.context, "a", byte, 32), 0);
    device.chip.flash.plans[0] = (struct moult_sim_plan){
        .fault = MOULT_SIM_CUT_BEFORE, .at = device.chip.flash.operation_count + 1};
    check(port.flash_erase(port.context, 1, 0) != 0);
    check(port.flash_read(port.context, 1, 0, byte, 32) != 0);
    check(port.flash_write(port.context, 1, 0, byte, 32) != 0);
    check(port.kv_get(port.context, "a", byte, 32, &size) != 0);
    check(port.kv_set(port.context, "a", byte, 31) != 0);
    check(port.boot_info(port.context, &info) != 0);
    check(port.set_boot(port.context, 0) != 0);
    check(port.mark_valid(port.context) != 0);
}

int main(void)
{
    check_run(test_slots_are_addressed_by_number);
    check_run(test_the_engine_cannot_write_the_running_slot_or_outside_a_slot);
    check_run(test_keys_survive_a_reset);
    check_run(test_spaces_do_not_see_each_other);
    check_run(test_an_update_through_the_callbacks);
    check_run(test_the_table_digest_is_that_of_the_flash);
    check_run(test_without_power_every_callback_fails);
    return check_report();
}
