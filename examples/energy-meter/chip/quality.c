/* quality.c - power quality: what version 1.1.0 adds to the console. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "examples/energy-meter/chip/chip.h"
#include "examples/energy-meter/chip/console.h"

enum { ORDERS = 25, CURRENT = 0, VOLTAGE = 1 };

static const double tau = 6.28318530717958647692;

/* Amplitude of one harmonic of a channel, in counts, over one second of samples. */
static double amplitude_of(const struct console_view *view, int channel, int order,
                           uint64_t begin_ms)
{
    double hertz = view->meter->latest.frequency_mhz / 1e3 * order;
    double real = 0, imaginary = 0;
    for (unsigned i = 0; i < METER_RATE_HZ; i++) {
        uint16_t voltage, current;
        waveform_sample(view->house, begin_ms + i, &voltage, &current);
        double value = (channel == VOLTAGE ? voltage : current) - 2048.0;
        double angle = tau * hertz * i / METER_RATE_HZ;
        double window = 0.5 - 0.5 * cos(tau * i / METER_RATE_HZ);
        real += value * cos(angle) * window;
        imaginary -= value * sin(angle) * window;
    }
    return hypot(real, imaginary) * 4 / METER_RATE_HZ;
}

/* Harmonics up to the converter's half rate, and the total distortion. */
static void run_spectrum(const struct console_view *view, const char *argument)
{
    int channel = argument[0] == 'v' ? VOLTAGE : CURRENT;
    uint64_t begin_ms = chip_now_ms();
    double first = amplitude_of(view, channel, 1, begin_ms), squares = 0;
    printf("%s, fundamental %.1f counts\n", channel == VOLTAGE ? "voltage" : "current",
           first);
    if (first < 1) { return; }
    for (int order = 2; order * 50 < (int)METER_RATE_HZ / 2 && order <= ORDERS; order++) {
        double part = amplitude_of(view, channel, order, begin_ms) / first;
        squares += part * part;
        printf("%3d  %6.2f %%  %6.1f dB\n", order, part * 100, 20 * log10(part + 1e-9));
    }
    printf("THD %.2f %%\n", sqrt(squares) * 100);
}

/* Winding of the current transformer over the ambient, first order: rises with the square
 * of the current, 12 minutes' time constant. */
static void run_thermal(const struct console_view *view, const char *argument)
{
    double amperes = view->meter->latest.current_ma / 1e3;
    double minutes = argument[0] ? strtod(argument, NULL) : 10;
    double rise = 0.009 * amperes * amperes * (1 - exp(-minutes / 12));
    double copper = 1 + 0.00393 * rise;
    printf("after %.1f min at %.2f A: %.2f K over ambient, winding at %.4f of its "
           "resistance\n",
           minutes, amperes, rise, copper);
}

const struct console_command command_spectrum = {"spectrum", "v or i: harmonics",
                                                 run_spectrum};
const struct console_command command_thermal = {"thermal", "MINUTES: of the transformer",
                                                run_thermal};
