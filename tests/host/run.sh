#!/bin/sh
# Builds and runs what a host does with the library as a file: links it, or loads it at run time.
#
#     NSE_LIB  folder of libnse.so
#     OUT      folder to build in
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${OUT:?}"
mkdir -p "$OUT"

# build PROGRAM OPTIONS...
build() {
    program=$1
    shift
    ${CC:-cc} -std=gnu11 -O1 -g -Wall -Wextra -Werror -I"$root/include" "$root/tests/host/$program.c" -o "$OUT/host-$program" "$@"
}

export OMP_NUM_THREADS=1
build linked -L"$NSE_LIB" -lnse -Wl,-rpath,"$NSE_LIB" -ldl
"$OUT/host-linked"
build dlopen -ldl
"$OUT/host-dlopen" "$NSE_LIB"
build memory -L"$NSE_LIB" -lnse -Wl,-rpath,"$NSE_LIB"
"$OUT/host-memory"
