/* default_table.h - the partition table of the energy meter, as
 * examples/energy-meter/partitions.csv.
 *
 * Layer    examples/energy-meter/host. A test compares the two.
 */
#ifndef METER_HOST_DEFAULT_TABLE_H
#define METER_HOST_DEFAULT_TABLE_H

static const char default_table[] =
    "# The energy meter on 4 MB of flash: two slots of 1.875 MB and 128 KB for readings.\n"
    "# Name,   Type, SubType,   Offset,   Size\n"
    "nvs,      data, nvs,       0x9000,   0x6000\n"
    "otadata,  data, ota,       0xf000,   0x2000\n"
    "phy_init, data, phy,       0x11000,  0x1000\n"
    "ota_0,    app,  ota_0,     0x20000,  0x1e0000\n"
    "ota_1,    app,  ota_1,     0x200000, 0x1e0000\n"
    "meter,    data, undefined, 0x3e0000, 0x20000\n";

#endif
