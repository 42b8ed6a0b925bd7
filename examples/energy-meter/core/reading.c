/* reading.c - a reading as a record; see meter.h. */
#include <assert.h>
#include <string.h>
#include "examples/energy-meter/core/meter.h"
#include "formats/bytes.h"

enum {
    OFF_MAGIC = 0,
    OFF_FLAGS = 4,
    OFF_POWER_FACTOR = 6,
    OFF_SEQUENCE = 8,
    OFF_TIME = 16,
    OFF_ENERGY = 24,
    OFF_VOLTAGE = 32,
    OFF_CURRENT = 36,
    OFF_POWER = 40,
    OFF_FREQUENCY = 44,
    OFF_RESERVED = 48,
    OFF_CRC = 60,
    MAGIC = 0x3152454d, /* "MER1" */
};
_Static_assert(OFF_CRC + 4 == METER_READING_SIZE, "record layout");

void meter_reading_encode(const struct meter_reading *reading,
                          uint8_t raw[METER_READING_SIZE])
{
    assert(reading && raw);
    memset(raw, 0, METER_READING_SIZE);
    put_le32(raw + OFF_MAGIC, MAGIC);
    put_le16(raw + OFF_FLAGS, reading->flags);
    put_le16(raw + OFF_POWER_FACTOR, reading->power_factor_permille);
    put_le64(raw + OFF_SEQUENCE, reading->sequence);
    put_le64(raw + OFF_TIME, reading->time_ms);
    put_le64(raw + OFF_ENERGY, reading->energy_uj);
    put_le32(raw + OFF_VOLTAGE, reading->voltage_mv);
    put_le32(raw + OFF_CURRENT, reading->current_ma);
    put_le32(raw + OFF_POWER, (uint32_t)reading->power_mw);
    put_le32(raw + OFF_FREQUENCY, reading->frequency_mhz);
    put_le32(raw + OFF_CRC, crc32_le(0, raw, OFF_CRC));
}

bool meter_reading_decode(const uint8_t raw[METER_READING_SIZE], struct meter_reading *out)
{
    assert(raw && out);
    if (get_le32(raw + OFF_MAGIC) != MAGIC ||
        get_le32(raw + OFF_CRC) != crc32_le(0, raw, OFF_CRC)) {
        return false;
    }
    *out = (struct meter_reading){
        .sequence = get_le64(raw + OFF_SEQUENCE),
        .time_ms = get_le64(raw + OFF_TIME),
        .energy_uj = get_le64(raw + OFF_ENERGY),
        .voltage_mv = get_le32(raw + OFF_VOLTAGE),
        .current_ma = get_le32(raw + OFF_CURRENT),
        .power_mw = (int32_t)get_le32(raw + OFF_POWER),
        .frequency_mhz = get_le32(raw + OFF_FREQUENCY),
        .power_factor_permille = get_le16(raw + OFF_POWER_FACTOR),
        .flags = get_le16(raw + OFF_FLAGS),
    };
    return true;
}
