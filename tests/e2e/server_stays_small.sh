#!/bin/sh
# server_stays_small.sh - the release build with 50 devices: at most 40 MB of memory over a whole rollout, and idle check-ins
# that do not touch the database.
if [ -x "$MOULT_SOURCE/build/bin/moultd" ]; then MOULT_BIN=$MOULT_SOURCE/build/bin; fi
. "$MOULT_SOURCE/tests/e2e/lib.sh"
if nm "$MOULT_BIN/moultd" 2> /dev/null | grep -q __asan_init; then
    skip "memory is measured on the release build; run make build first"
fi

metric() { # NAME{LABELS} as awk pattern
    curl -sS --cacert "$stack_folder/ca.pem" "https://127.0.0.1:$stack_operator_port/metrics" |
        awk -v want="$1" 'index($0, want) == 1 { sum += $NF } END { printf "%d\n", sum }'
}

start_stack 50
create_rollout small 1.1.0 --phase 5% --phase rest
code 0 m wait rollout small --until 'state = completed' --timeout 200s
all_run 1.1.0

peak_kb=$(awk '/^VmHWM/ { print $2 }' "/proc/$(stack_pid server)/status")
say "moultd's peak memory with 50 devices over a whole rollout: $peak_kb KB"
[ "$peak_kb" -le 40960 ] || die "peak memory: expected at most 40960 KB, found $peak_kb KB"

# All is quiet: what the devices still had to tell has been told.
within 60 "no report waits" has '[.items[] | select(.assignment != null)] | length == 0' m device list
sleep 6
idle=$(metric 'moult_checkins_total{result="idle"}')
written=$(metric 'moult_checkins_total{result="written"}')
sql=$(metric 'moult_sql_statements_total{kind="checkin"}')
sleep 12
more_idle=$(($(metric 'moult_checkins_total{result="idle"}') - idle))
more_written=$(($(metric 'moult_checkins_total{result="written"}') - written))
more_sql=$(($(metric 'moult_sql_statements_total{kind="checkin"}') - sql))
say "$more_idle idle check-ins: $more_sql SQL statements by check-ins ($more_written were written)"
[ "$more_idle" -ge 50 ] || die "idle check-ins in 12 s: expected at least 50, found $more_idle"
equal 0 "$more_sql" "SQL statements by idle check-ins"
finish
