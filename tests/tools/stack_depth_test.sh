# stack_depth_test.sh - tools/stack-depth adds up the right frames and refuses what it cannot.
. "$MOULT_SOURCE/tests/tools/lib.sh"
cross=riscv64-unknown-elf
command -v $cross-gcc > /dev/null || {
    echo "SKIP: no $cross-gcc"
    exit 77
}

tree() { # a small library: step() -> leaf() by name, and -> read_target() by pointer
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/tools" "$scratch/tree/formats" "$scratch/tree/device/include/moult" "$scratch/tree/out"
    cp "$MOULT_SOURCE/tools/stack-depth" "$scratch/tree/tools/"
    cd "$scratch/tree" || exit 2
    echo 'struct moult_port { int (*flash_read)(int); };' > device/include/moult/port.h
    : > device/include/moult/update.h
    : > formats/crypto.h
    cat > code.c <<'C'
#include "device/include/moult/port.h"
struct reader { int (*read)(int); };
int leaf(int x);
int step(const struct moult_port *port, const struct reader *reader, int x);
#include "planted.h"
__attribute__((noinline)) int leaf(int x) { volatile char a[100]; a[0] = (char)x; return a[0] + PLANT_LEAF; }
__attribute__((noinline, used)) static int read_target(int x) { volatile char a[300]; a[0] = (char)x; return a[0]; }
int step(const struct moult_port *port, const struct reader *reader, int x)
{
    volatile char a[40];
    struct reader own = {read_target};
    a[0] = (char)x;
    if (!reader) { reader = &own; }
    return port->flash_read(x) + leaf(a[0]) + reader->read(x) + 1;
}
C
    echo '#define PLANT_LEAF 0' > planted.h
}

build_and_run() {
    $cross-gcc -march=rv32imc -mabi=ilp32 -Os -I. -c code.c -ffunction-sections -fcallgraph-info=su -o out/code.o &&
        $cross-gcc -march=rv32imc -mabi=ilp32 -nostdlib -Wl,-e,step out/code.o -o out/linked.elf &&
        echo step > out/roots && tools/stack-depth out
}

tree
expect 0 "code.c:read_target" "the deepest chain goes through the pointer" build_and_run
sum=$(awk '/^ +[0-9]+  /{sum += $1} END {print sum}' "$scratch/.out")
expect 0 "stack: $sum" "the sum is that of the frames" build_and_run

tree
sed -i 's/PLANT_LEAF 0/PLANT_LEAF again(x)/' planted.h
echo 'int again(int x);' >> planted.h
echo '__attribute__((noinline)) int again(int x) { volatile char a = (char)x; return a ? leaf(a) + a : 0; }' >> code.c
expect 1 "recursion through leaf" "a function that calls itself" build_and_run

tree
echo 'struct odd { int (*way)(int); }; extern struct odd *odd;' >> planted.h
sed -i 's/reader->read(x) + 1/odd->way(x) + 1/' code.c
echo 'struct odd *odd;' >> code.c
expect 1 "odd->way" "a pointer that the table does not know" build_and_run

tree
echo 'int hidden(int x); int hidden(int x) { return x; } int (*const unlisted)(int) = hidden;' >> code.c
expect 1 "the address of hidden() is taken" "a function behind an unknown pointer" build_and_run

tree
sed -i 's/PLANT_LEAF 0/PLANT_LEAF dynamic(x)/' planted.h
echo 'int dynamic(int x);' >> planted.h
echo '__attribute__((noinline)) int dynamic(int x) { volatile char a[x]; a[0] = 1; return a[x - 1]; }' >> code.c
expect 1 "a frame without a static bound" "a frame of variable size" build_and_run

expect 2 "make sizes" "a folder that is none of size-report's" "$MOULT_SOURCE/tools/stack-depth" /nonexistent

finish
