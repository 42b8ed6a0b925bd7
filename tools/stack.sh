# stack.sh - a whole moult on one machine, in one folder: broker, signer, server, virtual devices.
#
# Sourced by tools/demo and tests/e2e/lib.sh. POSIX sh; sets and uses names that begin with stack_.
#
#     stack_open FOLDER PROGRAMS     a clean folder; what an earlier run left running there is ended
#     stack_ports                    free ports on loopback into FOLDER/ports
#     stack_spawn NAME COMMAND...    a background process: log/NAME.log, run/NAME.pid
#     stack_end NAME [SIGNAL]        end it and wait; harmless when it is not running
#     stack_stop                     end all, in reverse order of need
#
# Processes are ended by the pid that was noted when they were started, and only while that pid's
# command line still names FOLDER: a pid may have been used again.

stack_marker=.moult-stack

stack_say() { printf '%s\n' "$*"; }
stack_fail() { printf 'stack: %s\n' "$*" >&2; return 1; }

# A clean folder. One that we did not make is never emptied.
stack_open() {
    case $1 in /*) stack_folder=$1 ;; *) stack_folder=$(pwd)/$1 ;; esac
    stack_programs=$2
    if [ -e "$stack_folder" ] && [ -n "$(ls -A "$stack_folder" 2>/dev/null)" ]; then
        if [ ! -e "$stack_folder/$stack_marker" ]; then
            stack_fail "$stack_folder is not empty and was not made by this script; name another folder"
            return 1
        fi
        stack_stop
        rm -rf "$stack_folder"
    fi
    mkdir -p "$stack_folder/log" "$stack_folder/run" "$stack_folder/devices" || return 1
    chmod 700 "$stack_folder"
    : > "$stack_folder/$stack_marker"
}

# The pid of NAME if it is still that process.
stack_pid() {
    stack_pid_file=$stack_folder/run/$1.pid
    [ -s "$stack_pid_file" ] || return 1
    read -r stack_found_pid < "$stack_pid_file"
    { tr '\0' ' ' < "/proc/$stack_found_pid/cmdline"; } 2> /dev/null | grep -qF "$stack_folder" || return 1
    printf '%s\n' "$stack_found_pid"
}

stack_spawn() {
    stack_name=$1
    shift
    "$@" >> "$stack_folder/log/$stack_name.log" 2>&1 < /dev/null &
    printf '%s\n' $! > "$stack_folder/run/$stack_name.pid"
    # Between fork and exec the command line is still the shell's: wait until it is the program's, or gone.
    stack_left=50
    until stack_running "$stack_name" || ! kill -0 $! 2>/dev/null || [ $stack_left -eq 0 ]; do
        stack_left=$((stack_left - 1))
        sleep 0.02
    done
}

stack_running() { stack_pid "$1" > /dev/null; }

# Wait until NAME has gone; after 10 s it is killed. A child that ends with a status of its own, other
# than 0, is noted in run/ended.
stack_wait_gone() {
    stack_left=100 # tenths of a second
    while stack_running "$1"; do
        stack_left=$((stack_left - 1))
        if [ $stack_left -eq 0 ]; then
            stack_say "stack: $1 did not end within 10 s and is killed; see $stack_folder/log/$1.log" >&2
            kill -KILL "$(stack_pid "$1")" 2>/dev/null || true
        fi
        [ $stack_left -gt -20 ] || return 1
        sleep 0.1
    done
    [ -s "$stack_folder/run/$1.pid" ] || return 0
    read -r stack_gone_pid < "$stack_folder/run/$1.pid"
    stack_status=0
    wait "$stack_gone_pid" 2>/dev/null || stack_status=$?
    case $stack_status in
    0 | 127 | 129 | 130 | 137 | 143) ;; # 127: no child of this shell; others: the signal it was sent
    *) echo "$1 ended with status $stack_status" >> "$stack_folder/run/ended" ;;
    esac
    rm -f "$stack_folder/run/$1.pid"
}

stack_end() {
    stack_end_pid=$(stack_pid "$1") || stack_end_pid=
    [ -z "$stack_end_pid" ] || kill -"${2:-TERM}" "$stack_end_pid" 2>/dev/null || true
    stack_wait_gone "$1"
}

# All of a kind at once: a signal to each first, then the waiting.
stack_end_all() {
    for stack_one in "$@"; do
        stack_end_pid=$(stack_pid "$stack_one") || continue
        kill -TERM "$stack_end_pid" 2>/dev/null || true
    done
    for stack_one in "$@"; do stack_wait_gone "$stack_one" || true; done
}

stack_names() { # those of run/ that begin with $1
    for stack_file in "$stack_folder/run/$1"*.pid; do
        [ -e "$stack_file" ] || continue
        stack_file=${stack_file##*/}
        printf '%s\n' "${stack_file%.pid}"
    done
}

stack_stop() {
    stack_end_all $(stack_names dev-)
    stack_end_all $(stack_names '')
}

# COUNT ports nobody listens on or talks from, one a line.
stack_free_ports() {
    awk -v want="$1" -v seed="$$" '
        FNR > 1 { split($2, local, ":"); used[local[2]] = 1 }
        END {
            port = 20000 + (seed * 37) % 10000
            while (want > 0 && port < 32000) {
                if (!(sprintf("%04X", port) in used)) { print port; want-- }
                port++
            }
        }' /proc/net/tcp $( [ -r /proc/net/tcp6 ] && echo /proc/net/tcp6 )
}

stack_ports() {
    set -- $(stack_free_ports 3)
    [ $# -eq 3 ] || { stack_fail "no three free ports between 20000 and 32000"; return 1; }
    stack_device_port=$1 stack_operator_port=$2 stack_broker_port=$3
}

stack_listens() { # a port of loopback or any address
    stack_hex=$(printf '%04X' "$1")
    awk -v port="$stack_hex" '$4 == "0A" { split($2, local, ":"); if (local[2] == port) found = 1 }
        END { exit !found }' /proc/net/tcp $( [ -r /proc/net/tcp6 ] && echo /proc/net/tcp6 )
}

# stack_wait_for SECONDS NAME COMMAND...: until COMMAND succeeds; NAME must go on running meanwhile.
stack_wait_for() {
    stack_deadline=$(($1 * 10)) stack_name=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        stack_deadline=$((stack_deadline - 1))
        if [ $stack_deadline -le 0 ] || ! stack_running "$stack_name"; then
            stack_fail "$stack_name did not get ready; the end of its log:"
            tail -n 5 "$stack_folder/log/$stack_name.log" >&2
            return 1
        fi
        sleep 0.1
    done
}

# --- moult in the folder -------------------------------------------------------------------------

# Keys, certificates, configuration, broker files: moult dev init writes them all.
stack_init() {
    stack_ports || return 1
    "$stack_programs/moult" --quiet dev init --demo --dir "$stack_folder" --device-port "$stack_device_port" \
        --operator-port "$stack_operator_port" --broker-port "$stack_broker_port" > "$stack_folder/log/init.log" || {
        cat "$stack_folder/log/init.log" >&2
        return 1
    }
    MOULT_PROFILE=$stack_folder
    export MOULT_PROFILE
}

# A setting over what dev init wrote; later lines win.
stack_set() { printf '%s = %s\n' "$1" "$2" >> "$stack_folder/moultd.conf"; }

stack_start_broker() {
    stack_mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
    stack_spawn broker "$stack_mosquitto" -c "$stack_folder/mosquitto.conf"
    stack_wait_for 10 broker stack_listens "$stack_broker_port"
}

stack_start_signer() {
    stack_spawn signer "$stack_programs/moult-signer" --config "$stack_folder/signer.conf"
    stack_wait_for 10 signer test -S "$stack_folder/signer.sock"
}

stack_answers() { "$stack_programs/moult" --quiet server status; }

stack_start_server() {
    stack_spawn server "$stack_programs/moultd" --config "$stack_folder/moultd.conf"
    stack_wait_for 20 server stack_answers
}

# A text member of a flat JSON file.
stack_member() { sed -n "s/.*\"$2\": *\"\([^\"]*\)\".*/\1/p" "$1"; }

# stack_make_release VERSION SEQUENCE: image and signed release, which allows the way back to 1.0.0.
stack_make_release() {
    "$stack_programs/moult" --quiet image make "$stack_programs/meter/energy-meter-$1.elf" --out "$stack_folder/meter-$1.bin" \
        --project energy-meter --version "$1" --sequence "$2" --rollback-floor 100 \
        --fleet-id "$(stack_member "$stack_folder/fleet.json" fleet_id)" \
        --class-id "$(stack_member "$stack_folder/fleet.json" class_id)" \
        --keyset "$stack_folder/keyset.cbor" > /dev/null &&
        "$stack_programs/moult" --quiet release create "$stack_folder/meter-$1.bin" --dir "$stack_folder" \
            --out "$stack_folder/meter-$1.release" --sequence "$2" --rollback-to 100 > /dev/null
}

stack_upload() {
    "$stack_programs/moult" --quiet release upload "$stack_folder/meter-$1.release" "$stack_folder/meter-$1.bin"
}

stack_device_name() { printf 'dev-%04d\n' "$1"; }
stack_flash() { printf '%s/devices/%s.flash\n' "$stack_folder" "$1"; }

# Of the update engine, so that an update takes seconds and can still be watched.
stack_device_options="--set interval_s=2 --set interval_min_s=1 --set cold_boot_wait_max_s=2
    --set trial_interval_s=1 --set backoff_first_ms=500 --set backoff_max_ms=4000 --set progress_s=1
    --set http_timeout_ms=5000"

# stack_provision FIRST LAST: flash files with 1.0.0, keys and certificates; devices/NAME.json says who it is.
stack_provision() {
    stack_number=$1
    while [ "$stack_number" -le "$2" ]; do
        stack_name=$(stack_device_name "$stack_number")
        "$stack_programs/moult-device" provision --json --flash "$(stack_flash "$stack_name")" \
            --image "$stack_folder/meter-1.0.0.bin" --name "$stack_name" --ca "$stack_folder/ca.pem" \
            --ca-key "$stack_folder/ca.key" --server "https://127.0.0.1:$stack_device_port" \
            --broker "127.0.0.1:$stack_broker_port" $stack_device_options \
            > "$stack_folder/devices/$stack_name.json" || return 1
        stack_number=$((stack_number + 1))
    done
}

stack_names_of_devices() {
    for stack_file in "$stack_folder"/devices/*.json; do
        stack_file=${stack_file##*/}
        printf '%s\n' "${stack_file%.json}"
    done
}

# stack_register [COUNT]: announce the first COUNT devices (all) to the server.
stack_register() {
    {
        echo id,spki_sha256,name
        stack_names_of_devices | head -n "${1:-100000}" | while read -r stack_name; do
            stack_json=$stack_folder/devices/$stack_name.json
            echo "$(stack_member "$stack_json" id),$(stack_member "$stack_json" spki_sha256),$stack_name"
        done
    } > "$stack_folder/devices.csv"
    "$stack_programs/moult" --quiet device import "$stack_folder/devices.csv"
}

stack_start_device() {
    stack_spawn "$1" "$stack_programs/moult-device" run --flash "$(stack_flash "$1")"
}

# --- what the fleet looks like, from the server (jq) ------------------------------------------------

stack_devices_json() { "$stack_programs/moult" --quiet --json device list; }

# stack_all_called COUNT: COUNT accepted devices have checked in.
stack_all_called() {
    stack_devices_json | jq -e "[.items[] | select(.state == \"accepted\" and .running.digest)] | length >= $1"
}

# stack_all_on COUNT VERSION: COUNT devices run VERSION, confirmed.
stack_all_on() {
    stack_devices_json | jq -e "[.items[]
        | select(.running.version == \"$2\" and .running.slot_state == \"confirmed\")] | length >= $1"
}

stack_is_pending() { stack_devices_json | jq -e '[.items[] | select(.state == "pending")] | length > 0'; }

# The id of a device that returned to its old image in rollout $1.
stack_first_failed() {
    "$stack_programs/moult" --quiet --json rollout show "$1" --devices |
        jq -r '[.devices[] | select(.state == "rolled_back")][0].device // empty'
}
