/* main.c - the energy meter on an ESP32-C3: sample, keep readings, answer on the console.
 *
 * The analog front end is simulated by core/waveform.c, as in moult-device, so that the
 * example needs no mains. A product has its converter's driver in `sample` and its uplink
 * in `store`.
 */
#include <stdio.h>
#include "examples/energy-meter/chip/chip.h"
#include "examples/energy-meter/chip/console.h"

static struct meter meter;
static struct waveform house = {1};

static void sample(void *context, uint64_t time_ms, uint16_t *voltage, uint16_t *current)
{
    waveform_sample(context, time_ms, voltage, current);
}

/* Once a minute a line on the console; a product would send it. */
static bool store(void *context, const struct meter_reading *reading)
{
    (void)context;
    if (reading->sequence % 60 == 0) {
        printf("%llu %llu ms %lu mV %lu mA %ld mW\n", (unsigned long long)reading->sequence,
               (unsigned long long)reading->time_ms, (unsigned long)reading->voltage_mv,
               (unsigned long)reading->current_ma, (long)reading->power_mw);
    }
    return true;
}

int main(void)
{
    static const struct meter_port port = {&house, sample, store};
    struct console_view view = {&meter, &house, &chip_version};
    chip_start();
    printf("energy-meter %s\n", chip_version.traits->version);
    meter_start(&meter, chip_version.traits, &port, NULL, chip_now_ms());
    for (;;) {
        (void)meter_run(&meter, chip_now_ms()); /* what is left is taken in the next turn */
        console_poll(&view);
    }
}
