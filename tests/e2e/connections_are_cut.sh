#!/bin/sh
# connections_are_cut.sh - between devices and server stands a proxy that cuts every connection after 3 to 30 KB: the
# update ends right all the same, resumed again and again.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 3 broker=no start=no
seed=${SEED:-$(date +%s)}
say "SEED=$seed"
proxy_port=$(stack_free_ports 1)
stack_spawn proxy "$MOULT_BIN/cut-proxy" "$proxy_port" "$stack_device_port" 3000 30000 "$seed" 0 "$stack_folder/cuts"
stack_wait_for 10 proxy stack_listens "$proxy_port"

for name in $(device_names); do
    moult-device set --json --flash "$(stack_flash "$name")" --server "https://127.0.0.1:$proxy_port" > /dev/null
    stack_start_device "$name"
done
within 60 "all devices have checked in" has "[.items[] | select(.running.digest)] | length == 3" m device list

create_rollout cut 1.1.0 --phase rest
code 0 m wait rollout cut --timeout 150s
equal 3 "$(count_in_state cut confirmed)" "confirmed devices"
all_run 1.1.0
within 30 "flash files and registry agree" check_all
stack_end proxy
cuts=$(cat "$stack_folder/cuts")
[ "$cuts" -ge 5 ] || die "expected at least 5 connections cut, found $cuts"
say "$cuts connections cut"
finish
