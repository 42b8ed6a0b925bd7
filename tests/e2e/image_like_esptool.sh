#!/bin/sh
# image_like_esptool.sh - Espressif's own tool finds nothing wrong with images of `moult image make`,
# and makes the same bytes of the same program.
set -eu
: "${MOULT_BIN:?folder of the programs}"
esptool=${ESPTOOL:-$(command -v esptool || command -v esptool.py || :)}
if [ -z "$esptool" ]; then
    echo "SKIP: no esptool in PATH (ESPTOOL names one)"
    exit 77
fi
if [ ! -f "$MOULT_BIN/meter/energy-meter-1.1.0.elf" ]; then
    echo "SKIP: no $MOULT_BIN/meter: the cross compiler riscv64-unknown-elf-gcc was not there"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

die() {
    printf 'image_like_esptool: FAILED: %s\n' "$*" >&2
    exit 1
}

for version in 1.0.0 1.1.0 1.2.0; do
    elf=$MOULT_BIN/meter/energy-meter-$version.elf
    "$MOULT_BIN/moult" --quiet image make "$elf" --version $version --project energy-meter \
        --fleet-id 00112233445566778899aabbccddeeff --class-id ffeeddccbbaa99887766554433221100 \
        --sequence 7 --out "$work/moult.bin" --force
    "$esptool" --chip esp32c3 image_info "$work/moult.bin" > "$work/said" 2>&1 ||
        die "$version: $(tail -n 3 "$work/said")"
    grep -q 'Checksum: .*(valid)' "$work/said" || die "$version: checksum: $(grep Checksum "$work/said")"
    grep -q 'Validation hash: .*(valid)' "$work/said" || die "$version: $(grep -i hash "$work/said")"
    grep -q "App version: $version" "$work/said" || die "$version: version: $(grep version "$work/said")"

    # The same program without records: equal but for version, date, time and what covers them.
    "$MOULT_BIN/moult" --quiet image make "$elf" --version x --project '' --out "$work/plain.bin" --force
    "$esptool" --chip esp32c3 elf2image --flash_mode dio --flash_freq 80m --flash_size 4MB \
        --min-rev-full 3 --max-rev-full 199 --elf-sha256-offset 0xb0 -o "$work/theirs.bin" "$elf" \
        > "$work/said" 2>&1 || die "$version: $(tail -n 3 "$work/said")"
    size=$(wc -c < "$work/plain.bin")
    [ "$size" -eq "$(wc -c < "$work/theirs.bin")" ] || die "$version: sizes differ"
    cmp -l "$work/plain.bin" "$work/theirs.bin" | awk -v size="$size" '
        $1 > 48 && $1 <= 144 { next }   # version, project, time, date
        $1 >= size - 32 { next }        # checksum and digest
        { print "byte " $1 - 1; bad = 1 }
        END { exit bad }' || die "$version: bytes differ from those of esptool elf2image"
    printf '%s: %d bytes, as of esptool\n' $version "$size"
done
