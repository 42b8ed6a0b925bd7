# conformance_test.sh - tools/conformance says what it expects, before it builds anything.
. "$MOULT_SOURCE/tests/tools/lib.sh"
cd "$MOULT_SOURCE" || exit 1
mkdir "$scratch/empty"

expect 2 "Usage: tools/conformance PORT" "no port" tools/conformance
expect 2 "Usage: tools/conformance PORT" "too much" tools/conformance sim store. more
expect 2 "or a folder, found \"nothing\"" "no such port" tools/conformance nothing
expect 2 "has no C file; next: cp -r ports/template" "an empty folder" tools/conformance "$scratch/empty"

# The ports it names are those that are built.
for port in sim sim-encrypted sim-secure posix template; do
    expect 0 "" "conformance-$port is a program" grep -qE "moult_conformance_program\($port " cmake/conformance.cmake
    expect 0 "" "$port is in the usage" grep -q "^#.*\b$port\b" tools/conformance
done

finish
