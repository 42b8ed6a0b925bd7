# lib.sh - for the tests of tools/: a scratch folder, and claims about a command.
# Sourced; MOULT_SOURCE is the tree.
set -u
: "${MOULT_SOURCE:?}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0

# expect STATUS TEXT NAME COMMAND...: the command ends with STATUS and prints TEXT (a fixed string)
expect() {
    want=$1 text=$2 what=$3
    shift 3
    "$@" > "$scratch/.out" 2>&1 < /dev/null
    have=$?
    if [ $have -ne "$want" ]; then
        echo "FAILED $what: expects exit $want, found $have"
        cat "$scratch/.out"
        failed=$((failed + 1))
    elif [ -n "$text" ] && ! grep -qF -- "$text" "$scratch/.out"; then
        echo "FAILED $what: expects the output to hold: $text"
        cat "$scratch/.out"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
}
