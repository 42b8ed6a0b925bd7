#!/bin/sh
# tofu_accept.sh - a device nobody announced waits as pending, gets nothing, is accepted by an operator, and then takes
# part like any other.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 1 register=no
within 60 "the unknown device is pending" has '[.items[] | select(.state == "pending")] | length == 1' m device list

create_rollout later 1.1.0 --phase rest
sleep 3
equal pending "$(show_device dev-0001 | jq -r .state)" "state before accept"
equal null "$(show_device dev-0001 | jq -c .assignment)" "assignment before accept"
code 0 command moult why "$(device_id dev-0001)"

code 0 command moult device accept "$(device_id dev-0001)"
code 0 m wait rollout later --until 'confirmed = 1' --timeout 120s
equal 1.1.0 "$(show_device dev-0001 | jq -r .running.version)" "running version"
check_all

# A rejected device is refused, and an accepted one comes back.
code 0 command moult device reject "$(device_id dev-0001)"
equal rejected "$(show_device dev-0001 | jq -r .state)" "state after reject"
code 0 command moult device accept "$(device_id dev-0001)"
seen=$(show_device dev-0001 | jq -r .last_seen)
within 60 "it checks in again" has ".last_seen > \"$seen\"" show_device dev-0001
finish
