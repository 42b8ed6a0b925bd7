#!/bin/sh
# gate_pauses_bad_release.sh - 1.2.0 fails its sensor check: the devices of the first phase return to what they ran,
# the gate pauses the rollout and says why, and nobody else is touched.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 6
create_rollout bad 1.2.0 --phase 3 --phase rest

code 0 m wait rollout bad --until 'state = paused' --timeout 180s
within 60 "all three returned" has '.counts.rolled_back == 3' m rollout show bad
equal failed "$(m rollout show bad | jq -r '.phases[0].state')" "first phase"
equal waiting "$(m rollout show bad | jq -r '.phases[1].state')" "second phase"
equal 0 "$(count_in_state bad confirmed)" "confirmed devices"
equal R806 "$(m rollout show bad | jq -r '.failures[0].reason')" "reason"
equal 3 "$(m rollout show bad | jq '.failures[0].count')" "devices with that reason"
m rollout show bad | jq -re .state_reason | grep -q . || die "the pause has no reason in words"

# The old image runs, confirmed, on all six; the registry knows what happened to the three.
within 30 "all six are back on 1.0.0" all_run 1.0.0
equal 3 "$(m device list | jq '[.items[] | select(.last_failure.reason == "R806")] | length')" "devices that say why"
failed=$(m rollout show bad --devices | jq -r '[.devices[] | select(.state == "rolled_back")][0].device')
code 0 command moult why "$failed" --rollout bad
printf '%s\n' "$story_out" | grep -q R806 || die "why does not name the reason: $story_out"

# For scripts: waiting for success ends at once, and says how.
code 9 m wait rollout bad --timeout 60s
code 9 command moult rollout watch bad --end-on-pause
check_all
finish
