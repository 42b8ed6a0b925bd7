#!/bin/sh
# packets_are_lost.sh - one packet in five between devices and server is lost, both ways: the update ends right all the
# same. In a network namespace of its own; skipped where that is refused.
set -eu
if [ -z "${MOULT_STORY_NETWORK:-}" ]; then
    for inside in "unshare -n" "unshare -rn"; do
        if $inside sh -c 'ip link set lo up && nft add table inet moult' 2> /dev/null; then
            MOULT_STORY_NETWORK=own
            export MOULT_STORY_NETWORK
            exec $inside sh "$0"
        fi
    done
    echo "SKIP: this machine refuses a network namespace with nft; try it as root, with iproute2 and nftables installed"
    exit 77
fi
ip link set lo up
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 3 broker=no start=no
nft -f - <<RULES
table inet moult {
    chain arrives {
        type filter hook input priority 0;
        tcp dport $stack_device_port numgen random mod 100 < 20 counter drop
        tcp sport $stack_device_port numgen random mod 100 < 20 counter drop
    }
}
RULES
for name in $(device_names); do
    moult-device set --json --flash "$(stack_flash "$name")" --set http_timeout_ms=10000 > /dev/null
    stack_start_device "$name"
done
within 90 "all devices have checked in" has "[.items[] | select(.running.digest)] | length == 3" m device list

create_rollout lossy 1.1.0 --phase rest
code 0 m wait rollout lossy --timeout 180s
equal 3 "$(count_in_state lossy confirmed)" "confirmed devices"
all_run 1.1.0
dropped=$(nft list table inet moult | sed -n 's/.*counter packets \([0-9]*\).*/\1/p' | awk '{ n += $1 } END { print n }')
[ "$dropped" -ge 20 ] || die "expected at least 20 lost packets, found $dropped: the rule did nothing"
nft delete table inet moult
within 60 "flash files and registry agree" check_all
say "$dropped packets lost"
finish
