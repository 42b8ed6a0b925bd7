#!/bin/sh
# chip_test.sh - the kit's core compiles for an ESP32-C3's instruction set with nothing but a C library:
# no POSIX, no heap.
set -eu
cc=riscv64-unknown-elf-gcc
command -v $cc > /dev/null || {
    echo "SKIP: no $cc; next: tools/setup test"
    exit 77
}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cd "$MOULT_SOURCE"
for source in tests/conformance/*.c; do
    $cc -march=rv32imc -mabi=ilp32 -std=c11 -Os -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
        --specs=picolibc.specs -include formats/banned_heap.h -I. -Idevice/include \
        -c "$source" -o "$out/$(basename "$source" .c).o"
done
undefined=$(riscv64-unknown-elf-nm -u "$out"/*.o | awk '$1 == "U" {print $2}' | LC_ALL=C sort -u |
    grep -Ev '^(conform_|moult_|__|mem|str|v?snprintf$)' || true)
[ -z "$undefined" ] || {
    echo "expected the C library's memory, string and snprintf functions only, found: $undefined"
    exit 1
}
riscv64-unknown-elf-size -t "$out"/*.o | tail -1 | awk '{print "the kit on RV32IMC: " $1 + $2 " bytes"}'
