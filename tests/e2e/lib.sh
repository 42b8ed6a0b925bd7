# lib.sh - what a story needs: the real daemon, signer, broker and devices in a folder of its own.
#
#     . "$MOULT_SOURCE/tests/e2e/lib.sh"
#     start_stack 3                  three devices on 1.0.0, registered and running; 1.1.0, 1.2.0 uploaded
#     start_stack 3 broker=no        ... options below
#     finish                         the last line of a story: ends all, looks for sanitizer reports
#
# Any failed command ends the story (set -e) and prints the ends of the logs. The folder is kept then, and
# removed otherwise. MOULT_BIN: programs; MOULT_SOURCE: the tree. SEED repeats what is drawn by chance.
set -eu

: "${MOULT_BIN:?folder of the programs}" "${MOULT_SOURCE:?the source tree}"
story=$(basename "$0" .sh)
. "$MOULT_SOURCE/tools/stack.sh"
PATH=$MOULT_BIN:$PATH
export PATH
# Sanitizer reports end a program with this status, which stop and finish look for.
ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99:detect_leaks=1}
UBSAN_OPTIONS=${UBSAN_OPTIONS:-exitcode=99:print_stacktrace=1}
export ASAN_OPTIONS UBSAN_OPTIONS
unset MOULT_SERVER MOULT_TOKEN MOULT_CA 2>/dev/null || true

story_done=no

say() { printf '%s: %s\n' "$story" "$*"; }

skip() {
    printf 'SKIP: %s\n' "$*"
    story_done=yes
    exit 77
}

die() {
    printf '%s: FAILED: %s\n' "$story" "$*" >&2
    exit 1
}

on_exit() {
    status=$?
    trap - EXIT INT TERM
    set +e
    [ -n "${stack_folder:-}" ] || exit $status
    if [ $story_done = yes ]; then
        stack_stop
        rm -rf "$stack_folder"
        exit $status
    fi
    [ $status -ne 0 ] || status=1
    printf '%s: ended early (%s); %s is kept\n' "$story" "$status" "$stack_folder" >&2
    for log in "$stack_folder"/log/server.log "$stack_folder"/log/signer.log "$stack_folder"/log/dev-0001.log; do
        [ -s "$log" ] || continue
        printf -- '--- the end of %s\n' "$log" >&2
        tail -n 15 "$log" >&2
    done
    stack_stop
    exit $status
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- asking -----------------------------------------------------------------------------------------

# moult with JSON on stdout. Without it: `command moult`.
m() { command moult --json --quiet "$@"; }

# equal WANT HAVE WHAT
equal() { [ "$1" = "$2" ] || die "$3: expected $1, found $2"; }

# code N COMMAND...: COMMAND ends with exit code N; its output is in $story_out.
code() {
    want_code=$1
    shift
    have_code=0
    story_out=$("$@" 2>&1) || have_code=$?
    [ "$have_code" = "$want_code" ] || die "$*: expected exit code $want_code, found $have_code: $story_out"
}

# within SECONDS WHAT COMMAND...: until COMMAND succeeds.
within() {
    limit=$(($(date +%s) + $1))
    what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        [ "$(date +%s)" -lt "$limit" ] || die "not within the time: $what"
        sleep 0.2
    done
}

has() { # has JQ-CONDITION COMMAND...: the condition holds for the command's JSON
    condition=$1
    shift
    "$@" | jq -e "$condition" > /dev/null
}

device_id() { jq -r .id "$stack_folder/devices/$1.json"; }
show_device() { m device show "$(device_id "$1")"; }
device_names() { stack_names_of_devices; }

# --- the stack --------------------------------------------------------------------------------------

# start_stack COUNT [broker=no] [register=no] [start=no] [upload=no] [KEY=VALUE of moultd.conf ...]
start_stack() {
    count=$1
    shift
    with_broker=yes with_register=yes with_start=yes with_upload=yes
    stack_open "${TMPDIR:-/tmp}/moult-e2e-$story-$$" "$MOULT_BIN"
    stack_init
    for option in "$@"; do
        case $option in
        broker=no) with_broker=no ;;
        register=no) with_register=no ;;
        start=no) with_start=no ;;
        upload=no) with_upload=no ;;
        *) stack_set "${option%%=*}" "${option#*=}" ;;
        esac
    done
    [ $with_broker = no ] || stack_start_broker
    stack_start_signer
    stack_start_server
    stack_make_release 1.0.0 100
    stack_make_release 1.1.0 110
    stack_make_release 1.2.0 120
    if [ $with_upload = yes ]; then
        for version in 1.0.0 1.1.0 1.2.0; do stack_upload $version > /dev/null; done
    fi
    stack_provision 1 "$count"
    [ $with_register = no ] || stack_register
    if [ $with_start = yes ]; then
        for name in $(device_names); do stack_start_device "$name"; done
        if [ $with_register = yes ]; then
            within 60 "all devices have checked in" has "[.items[] | select(.running.digest)] | length == $count" m device list
        fi
    fi
    say "broker, signer, server and $count devices run in $stack_folder"
}

# A rollout of VERSION called NAME; further words as for `moult rollout create`.
create_rollout() {
    new_name=$1 new_version=$2
    shift 2
    m rollout create "$new_version" --name "$new_name" "$@" > /dev/null
}

count_in_state() { m rollout show "$1" | jq ".counts.$2 // 0"; }

# Every device runs VERSION, confirmed, in the registry and in its flash file.
all_run() {
    equal 0 "$(m device list | jq "[.items[] | select(.running.version != \"$1\" or .running.slot_state != \"confirmed\")] | length")" \
        "devices not confirmed on $1"
}

# Nothing crashed, nothing was lost: the checker, then the logs.
check_all() {
    "$MOULT_SOURCE/tools/check-fleet" "$stack_folder" "$@"
}

finish() {
    stack_stop
    if grep -lE 'AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer' "$stack_folder"/log/*.log; then
        grep -hE -A 12 'AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer' "$stack_folder"/log/*.log | head -60
        die "a sanitizer reported (files above)"
    fi
    [ ! -s "$stack_folder/run/ended" ] || die "$(cat "$stack_folder/run/ended")"
    story_done=yes
    say "passed"
    exit 0
}
