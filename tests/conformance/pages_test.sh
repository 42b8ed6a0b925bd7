#!/bin/sh
# pages_test.sh - docs/PORTING.md lists every promise of the kit by name, and no other.
set -eu
"$MOULT_BIN/conformance-sim" --list | LC_ALL=C sort > conformance_kit.txt
sed -n 's/^| `\([a-z]*\.[a-z-]*\)` |.*/\1/p' "$MOULT_SOURCE/docs/PORTING.md" | LC_ALL=C sort > conformance_page.txt
if ! diff conformance_kit.txt conformance_page.txt; then
    echo "'<' is missing in docs/PORTING.md, '>' is there and not in the kit"
    exit 1
fi
rm conformance_kit.txt conformance_page.txt
