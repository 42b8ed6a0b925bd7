#!/bin/sh
# bench_patch.sh - patches of `moult patch create` beside those of other tools, as ratios of size.
#
# Usage: tests/bench/bench_patch.sh OLD NEW [OLD NEW ...]      images of one program, pair by pair
#
# Peers are used when they are installed: bsdiff, xdelta3, zstd (--patch-from); for full images xz.
# A line per pair, then the geometric mean of each ratio: below 1 is smaller than the peer. MOULT_BIN is
# the folder of `moult` (default build/bin). Times are information only: machines differ.
set -eu
bin=${MOULT_BIN:-build/bin}
[ $# -ge 2 ] || {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

size() { wc -c < "$1" | tr -d ' '; }
has() { command -v "$1" > /dev/null 2>&1; }
note() { echo "$1 $2 $3" >> "$work/ratios"; } # PEER OURS THEIRS

peer_patches() { # OLD NEW OURS
    if has bsdiff; then
        bsdiff "$1" "$2" "$work/peer"
        note bsdiff "$3" "$(size "$work/peer")"
    fi
    if has xdelta3; then
        xdelta3 -e -9 -S lzma -f -s "$1" "$2" "$work/peer"
        note xdelta3 "$3" "$(size "$work/peer")"
    fi
    if has zstd; then
        zstd -qq -f --ultra -22 --long=27 --patch-from="$1" "$2" -o "$work/peer" 2> /dev/null
        note zstd "$3" "$(size "$work/peer")"
    fi
}

while [ $# -ge 2 ]; do
    began=$(date +%s%N)
    "$bin/moult" patch create "$1" "$2" -f -o "$work/ours" > /dev/null
    took=$((($(date +%s%N) - began) / 1000000))
    ours=$(size "$work/ours")
    "$bin/moult" patch create --full "$2" -f -o "$work/full" > /dev/null
    full=$(size "$work/full")
    echo "$(basename "$1") -> $(basename "$2"): image $(size "$2"), patch $ours ($took ms), full $full"
    peer_patches "$1" "$2" "$ours"
    if has xz; then
        xz -9e -k -c "$2" > "$work/peer"
        note full/xz "$full" "$(size "$work/peer")"
    fi
    shift 2
done
echo "moult / peer, geometric mean (least .. most)"
awk '{
    r = $2 / $3
    sum[$1] += log(r); n[$1]++
    if (!($1 in least) || r < least[$1]) least[$1] = r
    if (r > most[$1]) most[$1] = r
} END {
    for (peer in n) printf "  %-10s %.3f (%.3f .. %.3f) of %d\n", peer, exp(sum[peer] / n[peer]), least[peer], most[peer], n[peer]
}' "$work/ratios"
