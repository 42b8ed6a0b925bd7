#!/bin/sh
# tofu_accept.sh - a device nobody announced waits as pending, gets nothing, is accepted by an operator, and then takes
# part in the rollout that runs already.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 1
stack_provision 2 2
stack_start_device dev-0002
within 60 "the unknown device is pending" has '[.items[] | select(.state == "pending")] | length == 1' m device list

create_rollout later 1.1.0 --phase rest
code 0 m wait rollout later --until 'confirmed = 1' --timeout 120s
equal pending "$(show_device dev-0002 | jq -r .state)" "state before accept"
equal null "$(show_device dev-0002 | jq -c .assignment)" "assignment before accept"
equal 1.0.0 "$(moult-device show --flash "$(stack_flash dev-0002)" --json | jq -r .version)" "version before accept"
code 0 command moult why "$(device_id dev-0002)"
printf '%s\n' "$story_out" | grep -q pending || die "why does not say that it is pending: $story_out"

# A rejected device is turned away; accepted, it comes by itself and joins.
code 0 command moult device reject "$(device_id dev-0002)"
equal rejected "$(show_device dev-0002 | jq -r .state)" "state after reject"
code 0 command moult device accept "$(device_id dev-0002)"
within 120 "it takes the update that the others have" has '.running.version == "1.1.0" and .running.slot_state == "confirmed"' \
    show_device dev-0002
within 60 "it is counted in the rollout" has '.counts.confirmed == 2' m rollout show later
check_all --version 1.1.0
finish
