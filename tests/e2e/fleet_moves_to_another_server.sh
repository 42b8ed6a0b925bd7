#!/bin/sh
# fleet_moves_to_another_server.sh - devices know one address from the factory; a signed endpoint list names another, and
# when the first is gone for good, the next update reaches them all the same.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 2 broker=no start=no
list=$stack_folder/fleet.endpoints
stack_set endpoints "$list"
stack_end server

# A list that no device would take is refused at the start.
printf 'no list' > "$list"
code 1 "$MOULT_BIN/moultd" --config "$stack_folder/moultd.conf"
case $story_out in *E0319*) ;; *) die "expected E0319, found $story_out" ;; esac
code 0 command moult endpoints create "$list" --force --dir "$stack_folder" --version 2 \
    --endpoint "https://127.0.0.1:$stack_device_port"
stack_start_server

# The old address: a proxy that hands everything on and will be taken away.
old_port=$(stack_free_ports 1)
stack_spawn old "$MOULT_BIN/cut-proxy" "$old_port" "$stack_device_port" 1000000000 1000000000 1 0 "$stack_folder/cuts"
stack_wait_for 10 old stack_listens "$old_port"
for name in $(device_names); do
    moult-device set --json --flash "$(stack_flash "$name")" --server "https://127.0.0.1:$old_port" > /dev/null
    stack_start_device "$name"
done
within 60 "all devices have checked in" has "[.items[] | select(.running.digest)] | length == 2" m device list
for name in $(device_names); do
    within 60 "$name has adopted the list" grep -q endpoints_adopted "$stack_folder/log/$name.log"
done

stack_end old
create_rollout moved 1.1.0 --phase rest
code 0 m wait rollout moved --timeout 120s
equal 2 "$(count_in_state moved confirmed)" "confirmed devices"
all_run 1.1.0
within 30 "flash files and registry agree" check_all
finish
