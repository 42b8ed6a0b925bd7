/* waveform.h - a house to measure: mains voltage and the current of appliances that come
 * and go.
 *
 * Layer    examples/energy-meter: stands in for the analog front end, in moult-device and
 *          in the chip build alike.
 * Memory   struct waveform 32 bytes. The tables are constant data, made at build time by
 *          gen_waveforms.c: one mains period per appliance.
 *
 * The same seed gives the same house for ever: what was sampled at a time can be computed
 * again, so a test can tell a wrong reading from a right one.
 */
#ifndef MOULT_EXAMPLES_WAVEFORM_H
#define MOULT_EXAMPLES_WAVEFORM_H

#include <stdint.h>

#define WAVEFORM_POINTS 1000u /* of one period of 20 ms; 50 Hz */
#define WAVEFORM_COUNT 36u    /* appliances */
#define WAVEFORM_UNIT                                                                      \
    8192 /* of a table: 1.0 times the peak of a sine of the rated current */

struct waveform_appliance {
    const char *name;
    uint16_t rated_ma;       /* root mean square */
    uint16_t on_s, period_s; /* on for on_s of every period_s */
    const int16_t (*points)[WAVEFORM_POINTS];
};

extern const struct waveform_appliance waveform_appliances[WAVEFORM_COUNT];
extern const int16_t
    waveform_mains[WAVEFORM_POINTS]; /* the voltage: a sine with flat tops */

struct waveform {
    uint32_t seed;
};

/* The converter's values at a time: 12 bits, middle 2048; 230 V and 0 to 60 A. */
void waveform_sample(const struct waveform *house, uint64_t time_ms, uint16_t *voltage,
                     uint16_t *current);

/* Whether appliance i is switched on in that house at that time. A load manager holds back
 * what would blow the fuse. */
int waveform_is_on(const struct waveform *house, unsigned i, uint64_t time_ms);

#endif
