#!/bin/sh
# data_follows_the_firmware.sh - a release brings a table of prices along with the firmware: both arrive, through a
# device that is switched off in the middle; a firmware that fails its trial leaves the old prices alone.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

TARIFF_AT=$((0x3f0000))

# tariff_is NAME FILE: the partition of that device begins with the file, and is erased behind it.
tariff_is() {
    size=$(wc -c < "$2")
    dd if="$(stack_flash "$1")" bs=1 skip=$TARIFF_AT count="$size" 2> /dev/null | cmp -s - "$2" || return 1
    rest=$(dd if="$(stack_flash "$1")" bs=1 skip=$((TARIFF_AT + size)) count=64 2> /dev/null | od -An -v -tx1 |
        tr -d ' \n' | tr -d f)
    [ -z "$rest" ]
}

start_stack 1 broker=no start=no register=no upload=no
rm -f "$stack_folder"/devices/*

cat > "$stack_folder/table.csv" << 'TABLE'
nvs,      data, nvs,       0x9000,   0x6000
otadata,  data, ota,       0xf000,   0x2000
phy_init, data, phy,       0x11000,  0x1000
ota_0,    app,  ota_0,     0x20000,  0x1e0000
ota_1,    app,  ota_1,     0x200000, 0x1e0000
meter,    data, undefined, 0x3e0000, 0x10000
tariff,   data, undefined, 0x3f0000, 0x10000
TABLE
stack_device_options="$stack_device_options --partitions $stack_folder/table.csv"
stack_provision 1 2
stack_register

awk 'BEGIN { for (i = 0; i < 2500; i++) printf "%d;%d.%02d\n", i, 20 + i % 9, i % 100 }' > "$stack_folder/winter.csv"
awk 'BEGIN { for (i = 0; i < 2700; i++) printf "%d;%d.%02d\n", i, 30 + i % 7, i % 100 }' > "$stack_folder/summer.csv"

# The release again, now with the prices.
make_with() { # VERSION SEQUENCE FILE
    command moult --quiet release create "$stack_folder/meter-$1.bin" --dir "$stack_folder" --force \
        --out "$stack_folder/meter-$1.release" --sequence "$2" --rollback-to 100 --component "1:tariff=$3" > /dev/null
    code 0 command moult --quiet release upload "$stack_folder/meter-$1.release" "$stack_folder/meter-$1.bin" "$3"
}
stack_upload 1.0.0 > /dev/null
make_with 1.1.0 110 "$stack_folder/winter.csv"
make_with 1.2.0 120 "$stack_folder/summer.csv"
equal 2 "$(m release list | jq '[.items[] | select(.version == "1.1.0")][0].components | length')" "components of 1.1.0"

for name in $(device_names); do stack_start_device "$name"; done
within 60 "both devices have checked in" has '[.items[] | select(.running.digest)] | length == 2' m device list
create_rollout winter 1.1.0 --phase rest
# Switched off wherever it is, and on again.
for pause in 0.7 1.3 0.4 1.1; do
    sleep $pause
    stack_end dev-0001 KILL
    stack_start_device dev-0001
done
code 0 m wait rollout winter --timeout 120s
all_run 1.1.0
for name in $(device_names); do
    tariff_is "$name" "$stack_folder/winter.csv" || die "$name: its prices are not those of 1.1.0"
done

# A firmware without its sensor is given up, and the prices stay.
"$stack_programs/moult" --quiet image make "$stack_programs/meter/energy-meter-1.2.0.elf" \
    --out "$stack_folder/meter-crash.bin" --project energy-meter --version 1.3.0-crash --sequence 130 \
    --rollback-floor 100 --fleet-id "$(stack_member "$stack_folder/fleet.json" fleet_id)" \
    --class-id "$(stack_member "$stack_folder/fleet.json" class_id)" --keyset "$stack_folder/keyset.cbor" > /dev/null
cp "$stack_folder/meter-crash.bin" "$stack_folder/meter-1.3.0-crash.bin"
make_with 1.3.0-crash 130 "$stack_folder/summer.csv"
create_rollout bad 1.3.0-crash --phase 1 --phase rest
within 90 "the crash is told" has '.counts.failed == 1 or .counts.rolled_back == 1 or .state == "paused"' m rollout show bad
for name in $(device_names); do
    tariff_is "$name" "$stack_folder/winter.csv" || die "$name: its prices changed with a firmware that failed"
done
finish
