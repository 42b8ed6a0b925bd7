#!/bin/sh
# server_stopped_devices_keep_metering.sh - the server is away in the middle of an update: devices go on metering with
# what they run, and the update ends right when it is back.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 3
samples() { moult-device show --flash "$(stack_flash "$1")" --json | jq .samples.taken; }

create_rollout interrupted 1.1.0 --phase rest
within 30 "a download has begun" has '[.counts.downloading, .counts.written, .counts.verified, .counts.rebooting, .counts.trial]
    | map(. // 0) | add > 0' m rollout show interrupted
stack_end server
code 10 m server status

before=$(samples dev-0001)
sleep 5
after=$(samples dev-0001)
[ "$after" -gt "$before" ] || die "dev-0001 stopped metering: $before samples, then $after"
for name in $(device_names); do stack_running "$name" || die "$name ended while the server was away"; done

stack_start_server
code 0 m wait rollout interrupted --timeout 180s
all_run 1.1.0
check_all
finish
