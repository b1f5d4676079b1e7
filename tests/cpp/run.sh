#!/bin/sh
# Builds and runs the C++ tests; arguments go to GoogleTest.
#
#     NSE_LIB  folder of libnse.so
#     GTEST    folder of an unpacked libgtest-dev package; empty: GoogleTest is installed
#     TORCH    folder of libtorch, with include and lib
#     OUT      folder to build in
#     CXX      compiler; default: c++. clang++, where there is one, compiles everything too.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?folder of libnse.so}" "${TORCH:?folder of libtorch}" "${OUT:?folder to build in}"
lib=$(cd "$NSE_LIB" && pwd)
torch=$(cd "$TORCH" && pwd)
gtest=
if [ -n "${GTEST:-}" ]; then
    gtest=$(cd "$GTEST" && pwd)
fi
mkdir -p "$OUT"
cd "$OUT"

compile() {
    ${CXX:-c++} -Wall -Wextra -Wpedantic -Werror -Wconversion -Wsign-conversion -Wshadow -I"$root/include" \
        -I"$root/bindings/cpp/include" ${gtest:+-isystem "$gtest/usr/include"} "$@"
}
nse="-L$lib -lnse -Wl,-rpath,$lib"
gtests="${gtest:+-L$gtest/usr/lib/x86_64-linux-gnu} -lgtest_main -lgtest -pthread"

# Every function of nse.h is called by some header of the binding.
grep -hv '^ *//' "$root"/bindings/cpp/include/nse/*.hpp | grep -o 'nse_[a-z_]*' | sort -u >reached
${CC:-cc} -E -P -x c "$root/include/nse.h" | grep -o 'nse_[a-z_]*(' | tr -d '(' | sort -u >declared
[ "$(wc -l <declared)" -gt 50 ] || { echo "cpp: no functions found in nse.h" >&2; exit 1; }
[ -z "$(comm -23 declared reached)" ] || { echo "cpp: not reachable from C++:" $(comm -23 declared reached) >&2; exit 1; }

# Every header alone (but torch.hpp, which torch_test.cc begins with), and all of them in every mode that is promised. The tests
# make the templates concrete, so they too are compiled strictly, those of the callbacks in more than one mode.
headers() {
    for header in "$root"/bindings/cpp/include/nse/*.hpp; do
        case $header in */torch.hpp) ;; *) echo "#include <nse/${header##*/}>" | compile "$@" -fsyntax-only -x c++ - ;; esac
    done
}
headers -std=c++17
headers -std=c++17 -fno-exceptions -fno-rtti
for mode in "c++17 -fno-rtti" "c++20" "c++23" "c++20 -DNSE_RESULTS=1"; do
    echo "#include <nse/nse.hpp>" | compile -std=$mode -fsyntax-only -x c++ -
done
for unit in callback source push; do
    compile -std=c++20 -fsyntax-only "$root/tests/cpp/${unit}_test.cc"
done
if command -v clang++ >/dev/null; then
    for mode in "c++17" "c++20 -DNSE_RESULTS=1" "c++17 -fno-exceptions -fno-rtti"; do
        echo "#include <nse/nse.hpp>" | CXX=clang++ compile -std=$mode -fsyntax-only -x c++ -
    done
    for unit in handle callback source search push told; do
        CXX=clang++ compile -std=c++17 -fsyntax-only "$root/tests/cpp/${unit}_test.cc"
    done
    CXX=clang++ compile -std=c++17 -fno-exceptions -fsyntax-only "$root/tests/cpp/results.cc"
fi

units="handle error callback comm source search latency checkpoint continued push shrink eliminate grow neas cells told two_units op log model restoration"
for unit in $units abi; do
    compile -std=c++17 -g -c "$root/tests/cpp/${unit}_test.cc" -o "$unit.o"
done
compile $(printf '%s.o ' $units) -o tests $nse $gtests
compile abi.o -o abi_test $nse $gtests
compile -std=c++20 -isystem "$torch/include" "$root/tests/cpp/torch_test.cc" -o torch_test $nse \
    -L"$torch/lib" -ltorch_cpu -lc10 -Wl,-rpath,"$torch/lib" $gtests

# The Result form, in a program that has the throwing form too.
compile -std=c++17 -c "$root/tests/cpp/results_other.cc" -o results_other.o
compile -std=c++17 -fno-exceptions -fno-rtti "$root/tests/cpp/results.cc" results_other.o -o results_noexcept $nse
compile -std=c++20 -DNSE_RESULTS=1 "$root/tests/cpp/results.cc" results_other.o -o results $nse

# The example, as its user might compile it.
compile -std=c++17 -fno-rtti -c "$root/examples/cpp/quickstart.cpp" -o quickstart.o

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
./abi_test --gtest_brief=1
./torch_test --gtest_brief=1
./results_noexcept
./results
./tests --gtest_brief=1 "$@"
