/* port.h - the flash, boot and key-value callbacks of moult/port.h on a simulated chip.
 *
 * Layer    ports/sim. Transport, entropy, clock and log are added by whoever owns them:
 *          examples/energy-meter/host (sockets) or a simulator (neither).
 * Memory   no heap; one struct of about 6 KB per device, the caller's.
 * Threads  one at a time per device. Deterministic: no clock, no chance of its own.
 * Power    as flash.h, nvs.h and bootloader.h say; RAM is gone, so begin again with
 *          moult_sim_port_power_on().
 * Use it   moult_sim_chip_open(), moult_sim_port_power_on(), moult_sim_port_callbacks(),
 *          fill in the rest, moult_session_init(). When reboot_wanted is set: stop
 *          everything and
 *          power on again with MOULT_RESET_SOFTWARE.
 */
#ifndef MOULT_PORTS_SIM_PORT_H
#define MOULT_PORTS_SIM_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include "moult/port.h"
#include "ports/sim/bootloader.h"
#include "ports/sim/chip.h"
#include "ports/sim/nvs.h"

/* Key spaces of the NVS partition, as stored: never renumber. */
enum {
    MOULT_SIM_SPACE_ENGINE = 1, /* the update engine's journal, keyset, outbox */
    MOULT_SIM_SPACE_DEVICE = 2, /* identity and configuration, written at provisioning */
    MOULT_SIM_SPACE_APP = 3,    /* the application's own */
};

enum {
    MOULT_SIM_ESP_NVS_NOT_ENOUGH_SPACE = 0x1105,
    MOULT_SIM_ESP_NVS_INVALID_LENGTH = 0x110c,
};

/* The context of every callback, so it must be the first member of a larger context. */
struct moult_sim_port {
    struct moult_sim_boot boot;
    struct moult_sim_nvs nvs;
    bool reboot_wanted; /* set by the callbacks reboot and mark_invalid_and_reboot */
};

/* Boots the chip and mounts its NVS. Returns as moult_sim_boot(); MOULT_E_FORMAT also when
 * the table has no NVS partition that can be mounted, or slots that differ in size. */
MOULT_MUST_CHECK enum moult_status
moult_sim_port_power_on(struct moult_sim_port *port, struct moult_sim_chip *chip,
                        const struct moult_crypto *crypto,
                        const struct moult_sim_build *build, uint8_t reset);

/* The same for a tool that only looks: nothing is written, `booted` is what would start. */
MOULT_MUST_CHECK enum moult_status moult_sim_port_look(struct moult_sim_port *port,
                                                       struct moult_sim_chip *chip,
                                                       const struct moult_crypto *crypto,
                                                       const struct moult_sim_build *build);

/* Fills in slots, flash, boot control, key-value store, context and crypto of `out`; all
 * else is left as it is. */
void moult_sim_port_callbacks(struct moult_sim_port *port, struct moult_port *out);

#endif
