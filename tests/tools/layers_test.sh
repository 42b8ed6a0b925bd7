# layers_test.sh - tools/check-layers finds every forbidden include, and this tree has none.
. "$MOULT_SOURCE/tests/tools/lib.sh"
check=$MOULT_SOURCE/tools/check-layers

expect 0 "" "this tree is clean" "$check" "$MOULT_SOURCE"

tree() { # a fresh small tree
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/tools" "$scratch/tree/formats" "$scratch/tree/device/src" \
        "$scratch/tree/server/rollout" "$scratch/tree/server/http" "$scratch/tree/cli"
    cp "$MOULT_SOURCE/tools/layers.txt" "$scratch/tree/tools/"
    echo '#include "formats/bytes.h"' > "$scratch/tree/device/src/session.c"
    echo '#include <string.h>' > "$scratch/tree/formats/bytes.c"
}

# plant FILE INCLUDE: the include is reported
plant() {
    tree
    echo "#include \"$2\"" > "$scratch/tree/$1"
    expect 1 "must not include ${2%/*}/" "$1 including $2" "$check" "$scratch/tree"
}

tree
expect 0 "" "a clean small tree" "$check" "$scratch/tree"
plant formats/bytes.c device/port.h
plant device/src/session.c server/store/store.h
plant device/src/session.h cli/output.h
plant server/rollout/engine.c server/store/store.h
plant server/rollout/engine.c server/base/log.h
plant server/http/handle_poll.c server/main/config.h
plant server/http/handle_poll.c device/port.h
plant cli/main.c server/base/log.h

finish
