/* look.h - everything there is to know about a device from its file, without touching it.
 *
 * Layer    examples/energy-meter/host.
 * Memory   a copy of the file, 4 MB, and the update engine on top of it: what the engine
 *          would make of the device at its next boot is found by letting it begin, in the
 *          copy.
 */
#ifndef METER_HOST_LOOK_H
#define METER_HOST_LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include "examples/energy-meter/host/board.h"
#include "examples/energy-meter/host/reading_log.h"
#include "examples/energy-meter/host/settings.h"
#include "moult/update.h"

struct slot_look {
    bool has_image, verifies; /* verifies: the bootloader would start it */
    struct firmware firmware;
    enum moult_slot_state state;
};

struct look {
    struct settings settings;
    bool is_running; /* a process holds it */
    bool boots;      /* some image would start */
    int next;        /* what the next boot starts: 0.. or MOULT_BOOT_* */
    struct moult_boot_info info;
    struct moult_sim_otadata otadata;
    uint32_t slot_count;
    struct slot_look slots[2];
    uint32_t efuse_version;
    struct reading_log readings;
    struct reading_summary summary;
    struct moult_progress progress; /* of the update engine, had it just booted */
    uint64_t counter;               /* highest order counter */
    uint32_t keyset_version;
    uint64_t floor; /* lowest sequence it would install */
    uint8_t failed; /* releases it remembers as failed */
};

/* MOULT_OK; MOULT_E_NOENT: no such file; MOULT_E_FORMAT: not a device file, or not
 * provisioned; MOULT_E_NOMEM; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status look_at(const char *path, struct look *out);

#endif
