#!/bin/sh
# first_update.sh - three devices take the whole road from 1.0.0 to 1.1.0: uploaded, offered, downloaded, booted on
# trial, confirmed, soaked, counted.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 3
all_run 1.0.0

code 0 command moult rollout create 1.1.0 --dry-run --json --phase 1 --phase rest
equal 3 "$(printf '%s' "$story_out" | jq .preview.target)" "devices in the preview"
equal 0 "$(m rollout list | jq '.items | length')" "rollouts after a dry run"

create_rollout spring 1.1.0 --phase 1 --phase rest
code 0 m wait rollout spring --timeout 120s
equal 3 "$(count_in_state spring confirmed)" "confirmed devices"
equal '["passed","passed"]' "$(m rollout show spring | jq -c '[.phases[].state]')" "phases"
all_run 1.1.0
check_all

# What exists already is no error, and no second rollout has anybody left to update.
code 0 command moult release upload "$stack_folder/meter-1.1.0.release" "$stack_folder/meter-1.1.0.bin"
code 0 command moult why dev-0001
finish
