#!/bin/sh
# Builds and runs hosts that are hard on the library: how they fork, take signals, end, throw, misuse it, and lose their files and memory.
#
#     NSE_LIB   folder of libnse.so
#     PURE_LIB  folder of a libnse.so built without libtorch
#     OUT       folder to build in
#     NSE_TEST_SLOW=1  every way to end several times
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${PURE_LIB:?}" "${OUT:?}"
mkdir -p "$OUT"
awk -f "$root/tests/host/calls.awk" "$root/include/nse.h" "$root/include/nse.h" >"$OUT/calls.h"

# build PROGRAM OPTIONS...
build() {
    program=$1
    shift
    ${CC:-cc} -std=gnu11 -O1 -g -Wall -Wextra -Werror -I"$root/include" -I"$OUT" -I"$root/tests/host" \
        "$root/tests/host/$program.c" -o "$OUT/host-$program" "$@"
}

# with FOLDER: the options that link libnse.so from there
with() { echo "-L$1 -lnse -Wl,-rpath,$1 -pthread -ldl"; }

export OMP_NUM_THREADS=1
for program in first fork signals exit misuse failures; do
    build "$program" $(with "$NSE_LIB")
done
${CXX:-c++} -std=c++17 -O1 -g -Wall -Wextra -Werror -Wno-unused-function -I"$root/include" -I"$root/tests/host" \
    "$root/tests/host/throw.cc" -o "$OUT/host-throw" $(with "$NSE_LIB")
${CC:-cc} -std=gnu11 -O1 -g -Wall -Wextra -Werror -shared -fPIC "$root/tests/host/inject.c" -o "$OUT/libinject.so" -ldl
"$OUT/host-first"
"$OUT/host-fork"
"$OUT/host-signals" "$OUT"
"$OUT/host-exit"
"$OUT/host-throw"
(cd "$OUT" && ./host-misuse)
LD_PRELOAD="$OUT/libinject.so" "$OUT/host-failures" "$OUT"

build random $(with "$PURE_LIB")
"$OUT/host-random" 1 1000000 4
