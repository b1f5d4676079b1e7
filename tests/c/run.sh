#!/bin/sh
# Builds and runs the C tests.
#
#     NSE_LIB   folder of libnse.so
#     PURE_LIB  folder of a libnse.so built without libtorch
#     CMOCKA    folder of the unpacked packages libcmocka-dev and libcmocka0
#     OUT       folder to build in
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${PURE_LIB:?}" "${CMOCKA:?}" "${OUT:?}"
mkdir -p "$OUT"
cmocka=$(dirname "$(find "$CMOCKA" -name libcmocka.so)")

# The header alone, in every language that is promised, with all warnings as errors.
for language in "c -std=c99" "c -std=c11" "c -std=c17" "c++ -std=c++17" "c++ -std=c++20"; do
    echo "#include <nse.h>" | ${CC:-cc} -x $language -pedantic -Wall -Wextra -Wconversion -Werror -I"$root/include" -fsyntax-only -
done

# build SOURCE PROGRAM LIBRARY-FOLDER
build() {
    ${CC:-cc} -std=gnu11 -O1 -g -Wall -Wextra -Werror -I"$root/include" -isystem "$CMOCKA/usr/include" "$root/$1" -o "$OUT/$2" \
        -L"$3" -lnse -Wl,-rpath,"$3" -L"$cmocka" -lcmocka -Wl,-rpath,"$cmocka" -lm -pthread
}

# Tiny networks gain nothing from more threads.
export OMP_NUM_THREADS=1
for test in handles input events results model source dlpack latency measure checkpoint damage continued async push shrink eliminate grow neas spaces told ranks report log restoration shutdown; do
    build "tests/c/$test.c" "c-$test" "$NSE_LIB"
    "$OUT/c-$test"
done
for test in unsupported source dlpack spaces grow told restoration; do
    build "tests/c/$test.c" "c-pure-$test" "$PURE_LIB"
done
"$OUT/c-checkpoint" make "$OUT/c-checkpoint.saved"
"$OUT/c-pure-unsupported" "$OUT/c-checkpoint.saved"
"$OUT/c-pure-source"
"$OUT/c-pure-dlpack"
"$OUT/c-pure-spaces"
"$OUT/c-pure-grow"
"$OUT/c-pure-told"
"$OUT/c-pure-restoration"
