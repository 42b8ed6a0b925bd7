/* meter.h - a small single-phase energy meter: samples in, numbered readings out.
 *
 * Layer    examples/energy-meter: the portable core of the example firmware. The same files
 *          run in moult-device and are compiled for the ESP32-C3 by chip/.
 * Memory   struct meter about 16 KB, the caller's; no heap. Integer arithmetic only.
 * Threads  one per meter.
 * Power    what `store` has taken is the port's to keep; a cut loses at most the interval
 *          that is being sampled. Sequence numbers go on behind the last stored reading,
 *          without a gap.
 * Use it   meter_start() with the last stored reading, then meter_run() at least every
 *          METER_CATCH_UP_MS_MAX, whatever else the device is doing: offline, downloading,
 *          writing. meter_health() is what the firmware registers as its "sensor" health
 *          check.
 */
#ifndef MOULT_EXAMPLES_METER_H
#define MOULT_EXAMPLES_METER_H

#include <stdbool.h>
#include <stdint.h>

#define METER_RATE_HZ 1000u          /* samples of voltage and current per second */
#define METER_INTERVAL_MS 1000u      /* one reading per second */
#define METER_RING_READINGS 240u     /* four minutes without anyone to take readings */
#define METER_RUN_SAMPLES_MAX 500u   /* of one meter_run(): half a second of catching up */
#define METER_CATCH_UP_MS_MAX 60000u /* a longer absence is a gap in time, not in numbers */
#define METER_READING_SIZE 64u       /* bytes of an encoded reading */

/* One interval, finished. */
struct meter_reading {
    uint64_t sequence;      /* from 1, without gaps, over restarts and updates */
    uint64_t time_ms;       /* end of the interval, on the caller's clock */
    uint64_t energy_uj;     /* energy register: microjoules (mW * ms) since installation */
    uint32_t voltage_mv;    /* root mean square */
    uint32_t current_ma;    /* root mean square */
    int32_t power_mw;       /* active power; negative: fed into the grid */
    uint32_t frequency_mhz; /* millihertz */
    uint16_t power_factor_permille; /* 0..1000; 0 before version 1.1.0, which measures it */
    uint16_t flags;                 /* METER_READING_* */
};

#define METER_READING_AFTER_GAP 1u /* the first after a start or an absence */

/* What the board supplies. */
struct meter_port {
    void *context;

    /* One conversion of both channels: 12 bits, 0..4095, middle about 2048. */
    void (*sample)(void *context, uint64_t time_ms, uint16_t *voltage, uint16_t *current);

    /* Take a reading: sent, or durably stored. False: not now; it is offered again. */
    bool (*store)(void *context, const struct meter_reading *reading);
};

/* What differs between versions of the firmware. */
struct meter_traits {
    const char *version;           /* as in the image: "1.1.0" */
    uint32_t voltage_uv_per_count; /* microvolts of the mains per count of the converter */
    uint32_t current_ua_per_count;
    /* Measures more than version 1.0.0 did; NULL: nothing more. */
    void (*measure_more)(struct meter_reading *reading);
};

/* The versions of this example. 1.1.0 adds the power factor. 1.2.0 scales the voltage for a
 * board that was never built: its sensor health check fails, which is what it is for. */
extern const struct meter_traits meter_version_1_0_0;
extern const struct meter_traits meter_version_1_1_0;
extern const struct meter_traits meter_version_1_2_0;

/* The traits of a version; NULL: not one of the above. */
const struct meter_traits *meter_traits_of(const char *version);

enum meter_health {
    METER_HEALTH_UNKNOWN, /* no full interval yet */
    METER_HEALTH_GOOD,
    METER_HEALTH_VOLTAGE,   /* the mains cannot have this voltage */
    METER_HEALTH_CURRENT,   /* over the range of the current transformer */
    METER_HEALTH_FREQUENCY, /* the mains cannot have this frequency */
    METER_HEALTH_FLAT,      /* the converter gives one value only */
};

struct meter_sums { /* of the interval that is being sampled */
    uint32_t count;
    uint32_t crossings; /* of the voltage's middle, upwards */
    uint64_t first_crossing_ms, last_crossing_ms;
    uint64_t voltage, current;
    uint64_t voltage_squared, current_squared, product;
};

struct meter {
    const struct meter_traits *traits;
    struct meter_port port;
    uint64_t next_sample_ms;
    uint64_t interval_end_ms;
    struct meter_sums sums;
    bool was_above; /* the last sample of the voltage, of its middle */
    uint16_t next_flags;
    uint64_t next_sequence;
    uint64_t energy_uj;
    struct meter_reading latest; /* sequence 0: none yet */
    enum meter_health health;    /* of the latest reading */
    uint64_t lost_count;         /* readings pushed out of a full ring */
    uint64_t skipped_ms;         /* time in which nobody called meter_run() */
    uint32_t ring_first, ring_count;
    struct meter_reading ring[METER_RING_READINGS]; /* finished, not yet taken by `store` */
};

/* Begin to sample.
 *
 * traits   borrowed as long as the meter runs; port is copied, its context borrowed.
 * last     the last reading that was stored, to go on from; NULL: a new meter. */
void meter_start(struct meter *meter, const struct meter_traits *traits,
                 const struct meter_port *port, const struct meter_reading *last,
                 uint64_t now_ms);

/* Take all samples due until now_ms, at most METER_RUN_SAMPLES_MAX, and offer finished
 * readings to `store`. True: caught up; false: call again soon. */
bool meter_run(struct meter *meter, uint64_t now_ms);

/* Readings that wait for `store`. */
uint32_t meter_backlog(const struct meter *meter);

/* Whether the sensors are plausible, by the latest reading. */
enum meter_health meter_health(const struct meter *meter);

/* For a log or a report: "voltage not plausible". */
const char *meter_health_words(enum meter_health health);

/* The record of a reading: fields little-endian, CRC-32 at the end. */
void meter_reading_encode(const struct meter_reading *reading,
                          uint8_t raw[METER_READING_SIZE]);

/* False, out untouched: not a whole record. */
bool meter_reading_decode(const uint8_t raw[METER_READING_SIZE], struct meter_reading *out);

#endif
