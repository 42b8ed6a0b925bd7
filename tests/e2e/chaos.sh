#!/bin/sh
# chaos.sh - power cuts (SIGKILL) of a fifth of the devices, of moultd and of the broker at random moments of a rollout, each
# switched on again. Afterwards every device runs a confirmed image, every report is counted once, and the registry agrees
# with the flash files.
#
# MOULT_CHAOS=long: 50 devices and more cuts (make chaos). SEED=n repeats the plan of another run.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

seed=${SEED:-}
[ -n "$seed" ] || seed=$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')
if [ "${MOULT_CHAOS:-short}" = long ]; then count=50 cuts=40; else count=15 cuts=12; fi
say "SEED=$seed, $count devices, $cuts power cuts"

# 170 KB at 100 KB/s: downloads long enough to be cut.
stack_device_options="$stack_device_options --set throttle_bps=100000"
start_stack $count
# The gates of this rollout do not stop it: what is judged here is that nothing gets lost.
create_rollout chaos 1.1.0 --phase 20% --phase rest --failure-count 1000 --failure-pct 100 --success-pct 1 --success-sample 1

# The plan, all of it by the seed: pause in ms, and what is cut. A fifth of the devices, again and again; in the middle the
# server and the broker.
awk -v seed="$seed" -v devices=$count -v cuts=$cuts 'BEGIN {
    srand(seed)
    victims = int((devices + 4) / 5)
    first = 1 + int(rand() * devices)
    for (i = 0; i < cuts; i++) {
        what = sprintf("dev-%04d", 1 + (first + int(rand() * victims) * 5) % devices)
        if (i == int(cuts / 3) || i == int(2 * cuts / 3)) what = "server"
        if (i == int(cuts / 2)) what = "broker"
        printf "%d %s %d\n", 100 + rand() * 900, what, rand() * 1500
    }
}' > "$stack_folder/plan"

milliseconds() { printf '%d.%03d\n' $(($1 / 1000)) $(($1 % 1000)); }

while read -r wait_ms what off_ms <&3; do
    sleep "$(milliseconds "$wait_ms")"
    stack_end "$what" KILL
    sleep "$(milliseconds "$off_ms")"
    case $what in
    server) stack_start_server ;;
    broker) stack_start_broker ;;
    *) stack_start_device "$what" ;;
    esac
done 3< "$stack_folder/plan"
say "$(grep -c dev- "$stack_folder/plan") cuts of $(grep -o 'dev-.* ' "$stack_folder/plan" | sort -u | wc -l) devices," \
    "$(grep -c server "$stack_folder/plan") of the server, $(grep -c broker "$stack_folder/plan") of the broker"

# Everything is on. Now it has to come to rest by itself: nobody on the way, nothing waiting in an outbox.
at_rest() {
    has '[.counts | to_entries[] | select(.key as $state | ["planned", "offered", "downloading", "written", "verified", "rebooting",
        "trial", "soaking"] | index($state)) | .value] | add // 0 | . == 0' m rollout show chaos
}
within 240 "the rollout comes to rest" at_rest
for name in $(device_names); do stack_running "$name" || die "$name is not running"; done
delivered() { moult-device show --json --flash "$(stack_flash "$1")" | jq -e '.outbox == 0'; }
for name in $(device_names); do within 60 "$name has told everything" delivered "$name"; done
[ "$(count_in_state chaos confirmed)" -gt $((count * 3 / 4)) ] || die "only $(count_in_state chaos confirmed) of $count devices are confirmed"
check_all --power-cuts --devices $count
finish
