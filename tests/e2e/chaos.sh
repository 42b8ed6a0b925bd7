#!/bin/sh
# chaos.sh - power cuts (SIGKILL) of a fifth of the devices, of moultd and of the broker at random moments of a rollout, each
# switched on again. Afterwards every device runs a confirmed image, every report is counted once, and the registry agrees
# with the flash files.
#
# MOULT_CHAOS=long: 50 devices and more cuts (make chaos). SEED=n repeats the plan of another run.
. "$MOULT_SOURCE/tests/e2e/lib.sh"

seed=${SEED:-}
[ -n "$seed" ] || seed=$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')
if [ "${MOULT_CHAOS:-short}" = long ]; then count=50 cuts=48; else count=15 cuts=20; fi
say "SEED=$seed, $count devices, $cuts power cuts"

# 170 KB at 100 KB/s: downloads long enough to be cut.
stack_device_options="$stack_device_options --set throttle_bps=100000"
start_stack $count

# A plan, all of it by the seed: pause in ms, what is cut, how long it is off. A fifth of the devices, again and again; in
# between the server and the broker.
make_plan() { # SEED
    awk -v seed="$1" -v devices=$count -v cuts=$((cuts / 2)) 'BEGIN {
        srand(seed)
        victims = int((devices + 4) / 5)
        first = 1 + int(rand() * devices)
        for (i = 0; i < cuts; i++) {
            what = sprintf("dev-%04d", 1 + (first + (i % victims) * 5) % devices)
            if (i == int(cuts / 3)) what = "server"
            if (i == int(2 * cuts / 3)) what = "broker"
            printf "%d %s %d\n", 100 + rand() * 900, what, rand() * 1500
        }
    }'
}

milliseconds() { printf '%d.%03d\n' $(($1 / 1000)) $(($1 % 1000)); }

cut_power() { # PLAN
    while read -r wait_ms what off_ms <&3; do
        sleep "$(milliseconds "$wait_ms")"
        stack_end "$what" KILL
        sleep "$(milliseconds "$off_ms")"
        case $what in
        server) stack_start_server ;;
        broker) stack_start_broker ;;
        *) stack_start_device "$what" ;;
        esac
    done 3< "$1"
    say "$(grep -c dev- "$1") cuts of $(grep -o 'dev-[0-9]*' "$1" | sort -u | wc -l) devices, one of the server, one of the broker"
}

# Everything is on. Now it has to come to rest by itself: nobody on the way, nothing waiting in an outbox.
at_rest() { # ROLLOUT
    has '[.counts | to_entries[] | select(.key as $state | ["planned", "offered", "downloading", "written", "verified", "rebooting",
        "trial", "soaking"] | index($state)) | .value] | add // 0 | . == 0' m rollout show "$1"
}
delivered() { moult-device show --json --flash "$(stack_flash "$1")" | jq -e '.outbox == 0'; }
comes_to_rest() { # ROLLOUT
    within 240 "the rollout comes to rest" at_rest "$1"
    for name in $(device_names); do stack_running "$name" || die "$name is not running"; done
    for name in $(device_names); do within 60 "$name has told everything" delivered "$name"; done
}

# The gates of these rollouts do not stop them: what is judged here is that nothing gets lost.
no_gates="--failure-count 1000 --failure-sample 1000 --success-pct 1 --success-sample 1"

create_rollout good 1.1.0 --phase 20% --phase rest $no_gates
make_plan "$seed" > "$stack_folder/plan-good"
cut_power "$stack_folder/plan-good"
comes_to_rest good
equal $count "$(count_in_state good confirmed)" "devices confirmed on 1.1.0"
check_all --power-cuts --devices $count --version 1.1.0

# The same while every device tries 1.2.0, whose health check fails, and returns.
create_rollout bad 1.2.0 --phase rest $no_gates
make_plan $((seed + 1)) > "$stack_folder/plan-bad"
cut_power "$stack_folder/plan-bad"
comes_to_rest bad
equal 0 "$(count_in_state bad confirmed)" "devices confirmed on 1.2.0"
check_all --power-cuts --devices $count --version 1.1.0
finish
