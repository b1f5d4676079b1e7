#!/bin/sh
# Builds and runs the C++ tests; arguments go to GoogleTest.
#
#     NSE_LIB  folder of libnse.so
#     GTEST    folder of an unpacked libgtest-dev package; empty: GoogleTest is installed
#     OUT      folder to build in
#     CXX      compiler; default: c++
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?folder of libnse.so}" "${OUT:?folder to build in}"
lib=$(cd "$NSE_LIB" && pwd)
gtest=
if [ -n "${GTEST:-}" ]; then
    gtest=$(cd "$GTEST" && pwd)
fi
mkdir -p "$OUT"
cd "$OUT"

compile() {
    ${CXX:-c++} -Wall -Wextra -Wpedantic -Werror -I"$root/include" -I"$root/bindings/cpp/include" \
        ${gtest:+-isystem "$gtest/usr/include"} "$@"
}
link() {
    compile "$@" -L"$lib" -lnse -Wl,-rpath,"$lib" ${gtest:+-L"$gtest/usr/lib/x86_64-linux-gnu"} -lgtest_main -lgtest -pthread
}

# Every header alone, and all of them in every mode that is promised.
for header in "$root"/bindings/cpp/include/nse/*.hpp; do
    echo "#include <nse/${header##*/}>" | compile -std=c++17 -fsyntax-only -x c++ -
done
for mode in c++17 c++20 c++23; do
    echo "#include <nse/nse.hpp>" | compile -std=$mode -fno-rtti -fsyntax-only -x c++ -
done

# The tests make the templates concrete, so they too are compiled strictly, those of the callbacks in more than one mode.
compile -std=c++20 -fsyntax-only "$root/tests/cpp/callback_test.cc"
compile -std=c++20 -fsyntax-only "$root/tests/cpp/source_test.cc"
compile -std=c++20 -fsyntax-only "$root/tests/cpp/push_test.cc"
for unit in handle error callback source search latency checkpoint continued push told two_units abi op log model; do
    compile -std=c++17 -g -c "$root/tests/cpp/${unit}_test.cc" -o "$unit.o"
done
link handle.o error.o callback.o source.o search.o latency.o checkpoint.o continued.o push.o told.o two_units.o op.o log.o model.o -o tests
link abi.o -o abi_test

# The example, as its user might compile it.
compile -std=c++17 -fno-rtti -c "$root/examples/cpp/quickstart.cpp" -o quickstart.o

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
./abi_test --gtest_brief=1
./tests --gtest_brief=1 "$@"
