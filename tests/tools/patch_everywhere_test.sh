# patch_everywhere_test.sh - the decoder gives the same bytes on a big-endian machine and in 32 bits.
# tests/compat/decode_patch.c is the device's decoder with nothing but libc; qemu runs it as PowerPC.
. "$MOULT_SOURCE/tests/tools/lib.sh"
cross=powerpc-linux-gnu-gcc
for program in $cross qemu-ppc; do
    command -v $program > /dev/null || {
        echo "SKIP: no $program (tools/setup check)"
        exit 77
    }
done
moult=$MOULT_BUILD/bin/moult
[ -x "$moult" ] && [ -e "$MOULT_BUILD/bin/meter/energy-meter-1.0.0.elf" ] || {
    echo "SKIP: moult or the example firmware is not built"
    exit 77
}
cd "$scratch" || exit 2
for version in 1.0.0 1.1.0; do
    "$moult" image make "$MOULT_BUILD/bin/meter/energy-meter-$version.elf" --version $version \
        --build-time 1 -o $version.bin > /dev/null || exit 1
done
decoder() { # COMPILER OUT
    "$1" -std=c11 -O1 -I "$MOULT_SOURCE" -I "$MOULT_BUILD/gen" -static -o "$2" \
        "$MOULT_SOURCE"/tests/compat/decode_patch.c "$MOULT_SOURCE"/codec/decode/*.c \
        "$MOULT_SOURCE"/formats/patch_header.c "$MOULT_SOURCE"/formats/bytes.c \
        "$MOULT_SOURCE"/formats/reader.c
}
expect 0 "" "it builds for PowerPC" decoder $cross there

# The digest at the end is derived by a hash, which decode_patch leaves out.
same() { # BASE PATCH
    qemu-ppc ./there "$1" "$2" out || return 1
    size=$(wc -c < 1.1.0.bin)
    cmp -n $((size - 32)) out 1.1.0.bin && [ "$(wc -c < out)" -eq "$size" ]
}
for profile in m8 m16; do
    "$moult" patch create 1.0.0.bin 1.1.0.bin --profile $profile -f -o delta > /dev/null || exit 1
    "$moult" patch create --full 1.1.0.bin --profile $profile -f -o full > /dev/null || exit 1
    expect 0 "" "a delta, $profile" same 1.0.0.bin delta
    expect 0 "" "a full image, $profile" same - full
done
head -c 300 full > short
expect 1 "" "half a patch is no image" qemu-ppc ./there - short out
finish
