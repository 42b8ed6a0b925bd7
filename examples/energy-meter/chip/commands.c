/* commands.c - console commands of every version. */
#include <stdio.h>
#include <stdlib.h>
#include "examples/energy-meter/chip/chip.h"
#include "examples/energy-meter/chip/console.h"
#include "examples/energy-meter/chip/records.h"
#include "formats/app_desc.h"
#include "formats/image_info.h"

enum { PLOT_ROWS = 17, PLOT_COLUMNS = 72 };

static void run_help(const struct console_view *view, const char *argument)
{
    (void)argument;
    for (const struct console_command *const *c = view->version->commands; *c; c++) {
        printf("%-10s %s\n", (*c)->name, (*c)->help);
    }
}

static void run_version(const struct console_view *view, const char *argument)
{
    (void)argument;
    printf("energy-meter %s, up for %.1f h\n", view->version->traits->version,
           (double)chip_now_ms() / 3600000.0);
}

static void run_reading(const struct console_view *view, const char *argument)
{
    (void)argument;
    const struct meter_reading *r = &view->meter->latest;
    printf("reading %llu: %.2f V, %.3f A, %.1f W, %.3f Hz\n",
           (unsigned long long)r->sequence, r->voltage_mv / 1e3, r->current_ma / 1e3,
           r->power_mw / 1e3, r->frequency_mhz / 1e3);
    printf("energy %.6f kWh", (double)r->energy_uj / 3.6e12);
    if (r->power_factor_permille) {
        printf(", power factor %.3f", r->power_factor_permille / 1e3);
    }
    printf("; %u readings wait, %llu lost\n", (unsigned)meter_backlog(view->meter),
           (unsigned long long)view->meter->lost_count);
}

static void print_id(const char *name, const uint8_t id[16])
{
    printf("%-10s", name);
    for (int i = 0; i < 16; i++) {
        printf("%02x", id[i]);
    }
    printf("\n");
}

/* What `moult image make` wrote into this image. */
static void run_image(const struct console_view *view, const char *argument)
{
    (void)view;
    (void)argument;
    struct moult_app_desc desc;
    struct moult_image_info info;
    if (moult_app_desc_parse(app_descriptor, &desc) == MOULT_OK) {
        printf("%s %s, secure version %lu, built %s %s\n", desc.project, desc.version,
               (unsigned long)desc.secure_version, desc.date, desc.time);
    }
    if (moult_image_info_parse(app_info, &info, NULL) != MOULT_OK) {
        printf("no moult_image_info: not made by moult image make\n");
        return;
    }
    printf("sequence %llu, floor %llu, version %s, keyset of %u bytes\n",
           (unsigned long long)info.sequence, (unsigned long long)info.rollback_floor,
           info.version, info.keyset_size);
    print_id("fleet", info.fleet_id);
    print_id("class", info.class_id);
}

static void run_health(const struct console_view *view, const char *argument)
{
    (void)argument;
    printf("sensors: %s\n", meter_health_words(meter_health(view->meter)));
}

static void run_house(const struct console_view *view, const char *argument)
{
    (void)argument;
    uint64_t now_ms = chip_now_ms();
    for (unsigned i = 0; i < WAVEFORM_COUNT; i++) {
        const struct waveform_appliance *a = &waveform_appliances[i];
        printf("%2u %-18s %6.2f A  %s\n", i, a->name, a->rated_ma / 1e3,
               waveform_is_on(view->house, i, now_ms) ? "on" : "off");
    }
}

/* One period of an appliance's current, drawn with characters. */
static void run_wave(const struct console_view *view, const char *argument)
{
    (void)view;
    long which = strtol(argument, NULL, 10);
    if (which < 0 || which >= (long)WAVEFORM_COUNT) {
        printf("wave expects a number from 0 to %u; see house\n", WAVEFORM_COUNT - 1);
        return;
    }
    const int16_t *points = *waveform_appliances[which].points;
    int peak = 1;
    for (unsigned i = 0; i < WAVEFORM_POINTS; i++) {
        if (abs(points[i]) > peak) { peak = abs(points[i]); }
    }
    for (int row = PLOT_ROWS / 2; row >= -(PLOT_ROWS / 2); row--) {
        for (unsigned column = 0; column < PLOT_COLUMNS; column++) {
            int value = points[column * WAVEFORM_POINTS / PLOT_COLUMNS];
            int level = (value * PLOT_ROWS + (value < 0 ? -peak : peak)) / (2 * peak);
            chip_put(level == row ? '*' : row == 0 ? '-' : ' ');
        }
        printf("\n");
    }
}

const struct console_command command_help = {"help", "what there is", run_help};
const struct console_command command_version = {"version", "of the firmware", run_version};
const struct console_command command_reading = {"reading", "the latest one", run_reading};
const struct console_command command_image = {"image", "its records", run_image};
const struct console_command command_health = {"health", "of the sensors", run_health};
const struct console_command command_house = {"house", "appliances on and off", run_house};
const struct console_command command_wave = {"wave", "N: draw the current of one",
                                             run_wave};
