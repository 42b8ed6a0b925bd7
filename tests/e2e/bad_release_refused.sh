#!/bin/sh
# bad_release_refused.sh - what is not signed, not for this class or not whole never gets in: each refusal has its own code, and
# nothing is stored. What only a device can know (the image is larger than its slot) the device refuses before it downloads.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 1 upload=no
good=$stack_folder/meter-1.1.0
fleet=$(stack_member "$stack_folder/fleet.json" fleet_id)
class=$(stack_member "$stack_folder/fleet.json" class_id)

# refused CODE RELEASE IMAGE: the upload ends with 6 and names the code.
refused() {
    code 6 command moult release upload "$2" "$3"
    printf '%s\n' "$story_out" | grep -q "MOULT-$1" || die "expected MOULT-$1, found: $story_out"
    equal 0 "$(m release list | jq '.items | length')" "releases after a refusal ($1)"
}

# change FILE OFFSET: a copy with one bit of that byte flipped.
change() {
    cp "$1" "$stack_folder/changed"
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    printf "\\$(printf '%03o' $((byte ^ 1)))" | dd of="$stack_folder/changed" bs=1 seek="$2" conv=notrunc 2> /dev/null
}

make_image() { # OUT VERSION SEQUENCE ELF [FURTHER OPTIONS]
    out=$1 version=$2 sequence=$3 elf=$4
    shift 4
    command moult --quiet image make "$elf" --out "$out" --project energy-meter --version "$version" \
        --sequence "$sequence" --rollback-floor 100 --fleet-id "$fleet" --class-id "$class" \
        --keyset "$stack_folder/keyset.cbor" "$@" > /dev/null
}
elf=$MOULT_BIN/meter/energy-meter-1.1.0.elf

say "an image with a flipped bit: nobody has the bytes that were signed"
change "$good.bin" 5000
code 3 command moult release upload "$good.release" "$stack_folder/changed"
printf '%s\n' "$story_out" | grep -q MOULT-E2210 || die "expected MOULT-E2210, found: $story_out"
equal 0 "$(m release list | jq '.items | length')" "releases after a refusal"

say "a flipped bit in the signature"
size=$(wc -c < "$good.release")
change "$good.release" $((size - 1))
refused E0705 "$stack_folder/changed" "$good.bin"

say "a flipped bit in what is signed (the display version)"
at=$(grep -abo '1\.1\.0' "$good.release" | head -n 1 | cut -d: -f1)
change "$good.release" "$at"
refused E0705 "$stack_folder/changed" "$good.bin"

say "a valid release of another fleet"
command moult --quiet dev init --dir "$stack_folder/other" > /dev/null
make_image "$stack_folder/foreign.bin" 1.1.0 110 "$elf" --keyset "$stack_folder/other/keyset.cbor" \
    --fleet-id "$(stack_member "$stack_folder/other/fleet.json" fleet_id)"
command moult --quiet release create "$stack_folder/foreign.bin" --dir "$stack_folder/other" \
    --out "$stack_folder/foreign.release" > /dev/null
refused E0705 "$stack_folder/foreign.release" "$stack_folder/foreign.bin"

say "a class this server does not have"
make_image "$stack_folder/class.bin" 1.1.0 110 "$elf" --class-id 00112233445566778899aabbccddeeff
command moult --quiet release create "$stack_folder/class.bin" --dir "$stack_folder" \
    --out "$stack_folder/class.release" > /dev/null
refused E0712 "$stack_folder/class.release" "$stack_folder/class.bin"

say "no release at all"
code 1 command moult release upload "$good.bin" "$good.bin"
code 6 command moult release upload "$stack_folder/keyset.cbor" "$good.bin"

say "the good one gets in, twice; the same sequence with other bytes does not"
code 0 command moult release upload "$good.release" "$good.bin"
code 0 command moult release upload "$good.release" "$good.bin"
make_image "$stack_folder/again.bin" 1.1.0 110 "$MOULT_BIN/meter/energy-meter-1.2.0.elf"
command moult --quiet release create "$stack_folder/again.bin" --dir "$stack_folder" \
    --out "$stack_folder/again.release" > /dev/null
code 5 command moult release upload "$stack_folder/again.release" "$stack_folder/again.bin"
printf '%s\n' "$story_out" | grep -q MOULT-E2213 || die "expected MOULT-E2213, found: $story_out"

say "a larger image than the device's slot: refused by the device, before a byte is downloaded"
head -c 2000000 /dev/zero > "$stack_folder/ballast"
riscv64-unknown-elf-objcopy --add-section .ballast="$stack_folder/ballast" \
    --set-section-flags .ballast=alloc,load,readonly,data,contents \
    --change-section-address .ballast=0x3c200000 "$elf" "$stack_folder/large.elf" 2> /dev/null
make_image "$stack_folder/large.bin" 1.3.0 130 "$stack_folder/large.elf"
code 6 command moult --quiet release create "$stack_folder/large.bin" --dir "$stack_folder" --out "$stack_folder/large.release"
printf '%s\n' "$story_out" | grep -q "rollback to 110, the newest published release" || die "expected the floor, found: $story_out"
command moult --quiet release create "$stack_folder/large.bin" --dir "$stack_folder" --rollback-to 100 \
    --out "$stack_folder/large.release" > /dev/null
within 30 "the device has told its slot size" has '.facts.slot_size > 0' show_device dev-0001
code 0 command moult release upload "$stack_folder/large.release" "$stack_folder/large.bin"
printf '%s\n' "$story_out" | grep -q "R109: 1 of 1 devices" || die "expected a warning about the slot, found: $story_out"
create_rollout large 1.3.0 --phase rest
within 60 "the device refuses it" has '.failures[0].reason == "R109"' m rollout show large
equal E0904 "$(m rollout show large --devices | jq -r '.devices[0].detail')" "detail"
equal 1.0.0 "$(show_device dev-0001 | jq -r .running.version)" "running version"
command moult --quiet rollout abort large > /dev/null

create_rollout good 1.1.0 --phase rest
code 0 m wait rollout good --timeout 120s
check_all --version 1.1.0
finish
