/* device.h - a virtual energy meter, switched on: chip, firmware, update engine, network.
 *
 * Layer    examples/energy-meter/host.
 * Memory   struct device, about 90 KB, the caller's, static; TLS and MQTT buffers.
 * Threads  one.
 * Power    everything here is RAM: a reset replaces the process, so nothing passes it but
 *          the flash file. Killing the process is a power cut.
 * Use it   device_start(), device_turn() for ever, device_stop().
 */
#ifndef METER_HOST_DEVICE_H
#define METER_HOST_DEVICE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include "examples/energy-meter/core/meter.h"
#include "examples/energy-meter/core/waveform.h"
#include "examples/energy-meter/host/board.h"
#include "examples/energy-meter/host/reading_log.h"
#include "examples/energy-meter/host/settings.h"
#include "moult/component.h"
#include "moult/endpoints.h"
#include "moult/health.h"
#include "moult/session.h"
#include "moult/update.h"
#include "ports/posix/http_client.h"
#include "ports/posix/log.h"
#include "ports/posix/mqtt.h"
#include "ports/posix/tls.h"
#include "ports/sim/region.h"

struct device {
    struct board board; /* first: its port is the context of the simulator's callbacks */
    struct settings settings;
    struct firmware firmware; /* that runs */
    struct moult_device_log log;
    struct moult_port port;
    struct moult_config config;
    struct moult_session session;
    struct moult_routes routes;
    struct moult_data_component
        tariff; /* prices; only where there is a partition for them */
    struct moult_region tariff_region;
    struct moult_sim_part tariff_part;
    struct moult_link_check link;
    struct moult_heap_check heap;
    struct moult_tasks_check tasks;
    struct moult_task *meter_task; /* NULL until the engine has started */

    struct moult_tls *tls;
    struct moult_http_client http;
    struct moult_mqtt *mqtt;  /* NULL: polls only */
    bool is_waiting_for_http; /* the last look at a request said "not yet" */

    struct meter meter;
    struct waveform house;
    struct reading_log readings;
    uint64_t boot_ms;      /* moult_clock_ms() at boot */
    uint64_t boot_unix_ms; /* wall clock at boot */
    uint64_t panic_ms;     /* uptime at which this firmware crashes; 0: it does not */
    uint8_t panic_reset;   /* enum moult_reset wanted by a crash; 0: none */
};

/* Boots. log: device name is filled in from the settings. Status as board_power_on(), and
 * MOULT_E_FORMAT when the settings in flash are not usable; a message has been logged or
 * printed. */
MOULT_MUST_CHECK enum moult_status device_start(struct device *device, const char *path,
                                                uint8_t reset,
                                                const struct moult_device_log *log);

/* Do what is due, then sleep until something is, or a signal in `awake` comes. */
void device_turn(struct device *device, const sigset_t *awake);

/* What the firmware wants: MOULT_RESET_UNKNOWN to go on, else the reason of the reset. */
uint8_t device_wanted_reset(const struct device *device);

/* Readings to flash, connections closed, file closed. */
void device_stop(struct device *device);

#endif
