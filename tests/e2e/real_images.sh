#!/bin/sh
# real_images.sh - `moult image inspect` accepts what ESP-IDF and Arduino really produce.
#
# MOULT_REAL_IMAGES=DIR names a folder of application images (*.bin) of any chip, with or without a
# Secure Boot V2 signature. Each must be accepted whole; the same image one byte short, cut in half
# and with a byte changed must be refused with the code that says so. Images are not part of this
# project: they belong to their authors.
set -eu
: "${MOULT_BIN:?folder of the programs}"
if [ -z "${MOULT_REAL_IMAGES:-}" ]; then
    echo "SKIP: MOULT_REAL_IMAGES is not set; it names a folder of ESP32 application images"
    exit 77
fi
moult=$MOULT_BIN/moult
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
failed=0 count=0

bad() {
    printf 'real_images: FAILED: %s\n' "$*" >&2
    failed=$((failed + 1))
}

# A member of the document's first level.
member() { sed -n "s/^  \"$1\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$2" | head -n 1; }

# refused FILE CODE WHAT
refused() {
    status=0
    "$moult" image inspect "$1" > "$work/out" 2> "$work/err" || status=$?
    [ $status -eq 6 ] && grep -q "MOULT-$2" "$work/err" && return
    bad "$image, $3: expected exit 6 and $2, found $status: $(head -n 1 "$work/err")"
}

for image in "$MOULT_REAL_IMAGES"/*.bin; do
    [ -f "$image" ] || continue
    count=$((count + 1))
    if ! "$moult" image inspect "$image" --json > "$work/json" 2> "$work/err"; then
        bad "$image: $(head -n 1 "$work/err")"
        continue
    fi
    size=$(member size "$work/json")
    printf '%-8s %8d bytes  %s\n' "$(member chip "$work/json")" "$size" "$(basename "$image")"
    head -c $((size - 1)) "$image" > "$work/short"
    refused "$work/short" E2402 "one byte short"
    head -c $((size / 2)) "$image" > "$work/half"
    refused "$work/half" E2402 "cut in half"
    byte=$(od -An -tu1 -j 200 -N 1 "$image" | tr -d ' ')
    { head -c 200 "$image"; printf '%b' "\\0$(printf %03o $(((byte + 1) % 256)))"; tail -c +202 "$image"; } > "$work/flipped"
    refused "$work/flipped" E2405 "byte 200 changed"
done
[ $count -gt 0 ] || bad "no *.bin in $MOULT_REAL_IMAGES"
printf '%d images, %d failures\n' $count $failed
[ $failed -eq 0 ]
