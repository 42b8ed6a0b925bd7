/* gen_waveforms.c - writes the tables of waveform.h: one mains period of each appliance's
 * current.
 *
 * Usage: gen_waveforms OUT.c     (run by the build)
 *
 * A current is given by what flows: its harmonics (amplitude in permille of the
 * fundamental, phase in degrees), or a phase-angle dimmer, or a rectifier that charges a
 * capacitor near the peaks. Every table is scaled to the same root mean square.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "examples/energy-meter/core/waveform.h"

#define TAU 6.28318530717958647692

struct harmonic {
    int order, permille, degrees;
};

enum kind { HARMONICS, DIMMER, RECTIFIER };

struct source {
    const char *name;
    int rated_ma, on_s, period_s;
    enum kind kind;
    int angle; /* dimmer: firing angle; rectifier: conduction angle; degrees */
    struct harmonic harmonics[6];
};

static const struct source sources[WAVEFORM_COUNT] = {
    {"standby", 180, 60, 60, RECTIFIER, 40, {{0}}},
    {"fridge", 650, 420, 1500, HARMONICS, 0, {{1, 1000, -38}, {3, 90, 20}, {5, 40, 110}}},
    {"freezer", 800, 500, 1900, HARMONICS, 0, {{1, 1000, -41}, {3, 110, 15}, {7, 25, 60}}},
    {"kettle", 8700, 150, 2700, HARMONICS, 0, {{1, 1000, 0}}},
    {"oven", 10400, 90, 260, HARMONICS, 0, {{1, 1000, -1}}},
    {"hob", 7600, 40, 90, HARMONICS, 0, {{1, 1000, -4}, {3, 35, 170}, {23, 18, 0}}},
    {"microwave",
     5900,
     120,
     3100,
     HARMONICS,
     0,
     {{1, 1000, -22}, {3, 310, 150}, {5, 120, 30}}},
    {"dishwasher heater", 8200, 600, 5400, HARMONICS, 0, {{1, 1000, 0}}},
    {"dishwasher pump", 420, 2400, 5400, HARMONICS, 0, {{1, 1000, -52}, {3, 60, 10}}},
    {"washing machine",
     1900,
     900,
     6000,
     HARMONICS,
     0,
     {{1, 1000, -33}, {3, 240, 165}, {9, 50, 0}}},
    {"dryer", 9800, 1200, 7200, HARMONICS, 0, {{1, 1000, -6}, {5, 22, 90}}},
    {"heat pump",
     6100,
     700,
     1600,
     HARMONICS,
     0,
     {{1, 1000, -9}, {5, 280, 175}, {7, 140, 10}}},
    {"circulation pump", 160, 3000, 3600, HARMONICS, 0, {{1, 1000, -47}, {3, 80, 0}}},
    {"immersion heater", 13000, 400, 4000, HARMONICS, 0, {{1, 1000, 0}}},
    {"led lamps", 350, 1800, 3600, RECTIFIER, 58, {{0}}},
    {"fluorescent lamps",
     520,
     1500,
     3600,
     HARMONICS,
     0,
     {{1, 1000, -28}, {3, 130, 160}, {5, 40, 0}}},
    {"dimmed lamp", 430, 1200, 3600, DIMMER, 90, {{0}}},
    {"dimmed floor lamp", 610, 900, 3300, DIMMER, 125, {{0}}},
    {"television", 540, 1800, 4200, RECTIFIER, 52, {{0}}},
    {"desktop computer",
     1100,
     2700,
     5400,
     HARMONICS,
     0,
     {{1, 1000, 3}, {3, 70, 175}, {5, 50, 170}}},
    {"laptop supply", 380, 2000, 5000, RECTIFIER, 44, {{0}}},
    {"router", 90, 60, 60, RECTIFIER, 36, {{0}}},
    {"vacuum cleaner", 5200, 240, 4800, DIMMER, 40, {{0}}},
    {"drill", 2600, 20, 700, DIMMER, 70, {{0}}},
    {"hair dryer", 7900, 180, 5100, HARMONICS, 0, {{1, 1000, 0}, {2, 260, 90}}},
    {"toaster", 3900, 130, 4300, HARMONICS, 0, {{1, 1000, 0}}},
    {"wall box",
     16000,
     2400,
     9000,
     HARMONICS,
     0,
     {{1, 1000, 5}, {3, 45, 0}, {5, 38, 180}, {7, 21, 0}}},
    {"air conditioner",
     4800,
     800,
     2200,
     HARMONICS,
     0,
     {{1, 1000, -18}, {3, 60, 20}, {5, 190, 170}}},
    {"ceiling fan", 280, 1600, 4600, DIMMER, 60, {{0}}},
    {"sewing machine", 390, 200, 5200, DIMMER, 105, {{0}}},
    {"induction hob",
     8300,
     70,
     160,
     HARMONICS,
     0,
     {{1, 1000, 2}, {3, 28, 10}, {5, 31, 185}}},
    {"bicycle charger", 700, 2100, 8000, RECTIFIER, 48, {{0}}},
    {"garage door", 1500, 25, 6100, HARMONICS, 0, {{1, 1000, -35}, {3, 160, 150}}},
    {"aquarium", 310, 60, 60, HARMONICS, 0, {{1, 1000, -55}, {3, 45, 5}}},
    {"welding set",
     9100,
     30,
     1900,
     HARMONICS,
     0,
     {{1, 1000, -44}, {3, 220, 10}, {5, 60, 80}}},
    {"solar inverter",
     4300,
     1500,
     7000,
     HARMONICS,
     0,
     {{1, 1000, 180}, {3, 20, 0}, {5, 14, 0}}},
};

static const struct harmonic mains_harmonics[6] = {
    {1, 1000, 0}, {3, 9, 180}, {5, 21, 180}, {7, 11, 0}};

static double sum_of(const struct harmonic *harmonics, double phase)
{
    double sum = 0;
    for (int i = 0; i < 6; i++) {
        double degrees = harmonics[i].degrees;
        sum += harmonics[i].permille / 1000.0 *
               sin(harmonics[i].order * phase + degrees / 360.0 * TAU);
    }
    return sum;
}

/* Phase within a half period, and its sign. */
static double half_of(double phase, double *sign)
{
    *sign = phase < TAU / 2 ? 1 : -1;
    return fmod(phase, TAU / 2);
}

static double value_of(const struct source *source, double phase)
{
    double sign, angle = source->angle / 360.0 * TAU;
    double half = half_of(phase, &sign);
    switch (source->kind) {
    case DIMMER:
        return half < angle ? 0 : sign * sin(half);
    case RECTIFIER: {
        double from_peak = fabs(half - TAU / 4);
        return from_peak > angle / 2 ? 0 : sign * cos(from_peak / angle * TAU / 2);
    }
    case HARMONICS:
        break;
    }
    return sum_of(source->harmonics, phase);
}

static void print_table(FILE *out, const double *values, double unit)
{
    double squares = 0;
    for (unsigned i = 0; i < WAVEFORM_POINTS; i++) {
        squares += values[i] * values[i];
    }
    double scale = unit / sqrt(squares / WAVEFORM_POINTS);
    for (unsigned i = 0; i < WAVEFORM_POINTS; i++) {
        fprintf(out, "%s%ld,", i % 12 ? " " : "\n    ", lround(values[i] * scale));
    }
    fprintf(out, "\n};\n");
}

static void print_tables(FILE *out)
{
    double values[WAVEFORM_POINTS];
    double unit = WAVEFORM_UNIT / sqrt(2);
    for (unsigned k = 0; k < WAVEFORM_COUNT; k++) {
        for (unsigned i = 0; i < WAVEFORM_POINTS; i++) {
            values[i] = value_of(&sources[k], i * TAU / WAVEFORM_POINTS);
        }
        fprintf(out, "static const int16_t points_%u[WAVEFORM_POINTS] = { /* %s */", k,
                sources[k].name);
        print_table(out, values, unit);
    }
    for (unsigned i = 0; i < WAVEFORM_POINTS; i++) {
        values[i] = sum_of(mains_harmonics, i * TAU / WAVEFORM_POINTS);
    }
    fprintf(out, "const int16_t waveform_mains[WAVEFORM_POINTS] = {");
    print_table(out, values, unit);
}

int main(int argc, char **argv)
{
    FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (!out) {
        fprintf(stderr, "gen_waveforms: cannot write; usage: gen_waveforms OUT.c\n");
        return 1;
    }
    fprintf(out, "/* Made by examples/energy-meter/gen/gen_waveforms.c; do not edit. */\n"
                 "#include \"examples/energy-meter/core/waveform.h\"\n\n");
    print_tables(out);
    fprintf(out,
            "const struct waveform_appliance waveform_appliances[WAVEFORM_COUNT] = {\n");
    for (unsigned k = 0; k < WAVEFORM_COUNT; k++) {
        fprintf(out, "    {\"%s\", %d, %d, %d, &points_%u},\n", sources[k].name,
                sources[k].rated_ma, sources[k].on_s, sources[k].period_s, k);
    }
    fprintf(out, "};\n");
    if (fclose(out) != 0) {
        fprintf(stderr, "gen_waveforms: cannot write %s\n", argv[1]);
        return 1;
    }
    return 0;
}
