#!/bin/sh
# network_loss.sh - every fifth packet between devices and server is lost, at random, in both directions: updates end right all the
# same, only later. Runs in a network namespace of its own; where this machine refuses one it is skipped.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

# nft drops what goes to or comes from a port; tried out before it is relied on.
drop() {
    nft add table inet loss && nft 'add chain inet loss in { type filter hook input priority 0; }' &&
        for side in dport sport; do
            nft add rule inet loss in tcp $side "$1" numgen random mod 100 '<' 20 counter drop || return 1
        done
}

if [ -z "${MOULT_NAMESPACE:-}" ]; then
    command -v nft > /dev/null || PATH=$PATH:/usr/sbin:/sbin
    command -v nft > /dev/null && command -v ip > /dev/null || skip "nft and ip are needed (packages nftables, iproute2)"
    for how in "unshare -n" "unshare -r -n"; do
        $how sh -c "ip link set lo up && nft add table inet loss && nft 'add chain inet loss in { type filter hook input priority 0; }' &&
            nft add rule inet loss in tcp dport 1 numgen random mod 100 '<' 20 counter drop" > /dev/null 2>&1 || continue
        MOULT_NAMESPACE=1 exec $how sh "$0"
    done
    skip "this machine refuses a network namespace with nft in it"
fi

ip link set lo up
start_stack 3
drop "$stack_device_port"
create_rollout lossy 1.1.0 --phase rest
code 0 m wait rollout lossy --timeout 250s
lost=$(nft list table inet loss | sed -n 's/.*counter packets \([0-9]*\).*/\1/p' | awk '{ sum += $1 } END { print sum }')
[ "$lost" -gt 50 ] || die "only $lost packets were lost; this proves nothing"
say "$lost packets were lost"
all_run 1.1.0
check_all --version 1.1.0
finish
