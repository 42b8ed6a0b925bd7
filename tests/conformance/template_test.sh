#!/bin/sh
# template_test.sh - ports/template must fail the kit: whatever it does not do is broken, by name, and
# nothing that could be vacuous passes.
set -eu
out=$("$MOULT_BIN/conformance-template") && {
    echo "expected conformance-template to fail, found exit 0"
    exit 1
}
fail() {
    echo "$1"
    printf '%s\n' "$out"
    exit 1
}

# What an empty port keeps: it has all callbacks, two slots, a silent log, and a clock.
kept=$(printf '%s\n' "$out" | sed -n 's/^ok  *\([^ ]*\)$/\1/p' | LC_ALL=C sort | tr '\n' ' ')
expected="port.callbacks port.geometry time.clock-never-goes-back "
[ "$kept" = "$expected" ] || fail "expected only these kept: $expected; found: $kept"

# What nobody can try on it, and why.
skipped=$(printf '%s\n' "$out" | sed -n 's/^skipped  *\([^ :]*\):.*/\1/p' | LC_ALL=C sort | tr '\n' ' ')
expected="boot.cut-set-boot-leaves-a-boot boot.raise-secure-version boot.reboot boot.secure-boot \
boot.secure-version boot.table-digest \
flash.cut-harms-one-sector log.no-secret region.apart-from-slots region.bounds region.erase-one-sector \
region.is-erased-on-raw-bytes store.cut-erase-harms-no-other-key \
store.cut-set-harms-no-other-key store.cut-set-is-old-or-new "
[ "$skipped" = "$expected" ] || fail "expected these skipped: $expected; found: $skipped"

# Everything else is broken, and says what was expected and found.
names=$("$MOULT_BIN/conformance-template" --list | wc -l)
broken=$(printf '%s\n' "$out" | grep -c '^FAILED  [a-z.-]*: expected .* found ')
[ "$broken" -eq $((names - 3 - 15)) ] || fail "expected $((names - 3 - 15)) of $names broken, found $broken"
echo "an empty port: 3 kept, $broken broken, 15 skipped"
