#!/bin/sh
# checker_notices_lies.sh - tools/check-fleet is what chaos is judged by, so it must fail when something is wrong: a flash file
# that is not what the server believes, a device nobody knows, a report counted twice, a counter that is not the recount.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

start_stack 2
cp "$(stack_flash dev-0001)" "$stack_folder/old.flash"
create_rollout spring 1.1.0 --phase rest
code 0 m wait rollout spring --timeout 120s
within 60 "nothing waits in an outbox" "$MOULT_SOURCE/tools/check-fleet" "$stack_folder"
check_all --version 1.1.0 --devices 2

# finds WORDS: the checker fails, and says so.
finds() {
    code 1 "$MOULT_SOURCE/tools/check-fleet" "$stack_folder"
    printf '%s\n' "$story_out" | grep -q "$1" || die "expected \"$1\", found: $story_out"
    say "found: $(printf '%s\n' "$story_out" | grep "$1" | head -n 1)"
}
sql() {
    stack_end server
    sqlite3 "$stack_folder/data/moult.db" "$1"
    stack_start_server
}

code 1 "$MOULT_SOURCE/tools/check-fleet" "$stack_folder" --version 1.2.0
code 1 "$MOULT_SOURCE/tools/check-fleet" "$stack_folder" --devices 3

stack_end dev-0001
cp "$(stack_flash dev-0001)" "$stack_folder/new.flash"
cp "$stack_folder/old.flash" "$(stack_flash dev-0001)"
finds 'dev-0001: runs 1.0.0, the registry says 1.1.0'
cp "$stack_folder/new.flash" "$(stack_flash dev-0001)"

stack_provision 3 3
finds 'dev-0003: is not in the registry'
rm "$stack_folder"/devices/dev-0003.*

sql "INSERT INTO event (time, device, rollout, kind, text, data)
     SELECT time, device, rollout, kind, text, data FROM event WHERE kind = 'report.confirmed' LIMIT 1"
finds 'counted 2 times'
sql "DELETE FROM event WHERE num = (SELECT max(num) FROM event WHERE kind = 'report.confirmed')"

sql "DELETE FROM assignment WHERE device = (SELECT min(device) FROM assignment)"
finds 'phases count 2 confirmed, recounted 1'
finish
