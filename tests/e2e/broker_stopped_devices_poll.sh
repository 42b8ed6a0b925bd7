#!/bin/sh
# broker_stopped_devices_poll.sh - the broker is gone for good: devices still update, by polling.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 3
stack_end broker
within 30 "moultd notices" has '.broker.connected == false' m server status

create_rollout polled 1.1.0 --phase rest
code 0 m wait rollout polled --timeout 120s
all_run 1.1.0
check_all
finish
