#!/bin/sh
# Builds and runs what a host does with the library as a file: links it, or loads it at run time.
#
#     NSE_LIB  folder of libnse.so
#     OUT      folder to build in
#     TORCH    folder of libtorch
#
# Programs that use more threads than one are given two: a machine with more cores would not show more.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${OUT:?}" "${TORCH:?}"
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
scratch=$(mktemp -d "$OUT/host.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
torch_lib=${LIBTORCH_LIB:-$TORCH}/lib
torch_include=${LIBTORCH_INCLUDE:-$TORCH}/include
nse="-L$NSE_LIB -lnse -Wl,-rpath,$NSE_LIB"

# build PROGRAM OPTIONS...
build() {
    program=$1
    shift
    ${CC:-cc} -std=gnu11 -O1 -g -Wall -Wextra -Werror -I"$root/include" "$root/tests/host/$program.c" -o "$OUT/host-$program" "$@"
}

export OMP_NUM_THREADS=1
build linked $nse -ldl
"$OUT/host-linked"
build dlopen -ldl
"$OUT/host-dlopen" "$NSE_LIB"

# Many threads of a host, with and without threads of OpenMP.
build threads $nse -pthread
"$OUT/host-threads"
OMP_NUM_THREADS=2 "$OUT/host-threads"

# A host that shares libtorch and has its own ways; nothing is printed.
${CXX:-c++} -std=c++20 -O1 -g -Wall -Wextra -Werror -I"$root/include" -isystem "$torch_include" \
    -isystem "$torch_include/torch/csrc/api/include" -D_GLIBCXX_USE_CXX11_ABI="${LIBTORCH_CXX11_ABI:-1}" \
    "$root/tests/host/guest.cc" -o "$OUT/host-guest" $nse -L"$torch_lib" -ltorch_cpu -lc10 -Wl,-rpath,"$torch_lib"
"$OUT/host-guest" "$scratch" >"$scratch/printed" 2>&1 || { cat "$scratch/printed" && exit 1; }
if [ -s "$scratch/printed" ]; then
    echo "host-guest printed:" && cat "$scratch/printed" && exit 1
fi

# Another version of libtorch is refused.
build mismatch $nse
${CC:-cc} -shared -fPIC "$root/tests/host/torch_2_12.c" -o "$scratch/torch_2_12.so"
"$OUT/host-mismatch" make "$scratch/saved"
LD_PRELOAD="$scratch/torch_2_12.so" "$OUT/host-mismatch" refuse "$scratch/saved"

# Another copy of the same version is shared.
build two_torch -ldl
${CC:-cc} -std=gnu11 -O1 -g -Wall -Wextra -Werror -I"$root/include" -shared -fPIC "$root/tests/host/two_torch_plugin.c" \
    -o "$scratch/plugin.so" $nse
"$OUT/host-two_torch" "$scratch/plugin.so"
mkdir "$scratch/torch"
cp -R --reflink=auto "$torch_lib/." "$scratch/torch"
for scope in local global; do
    "$OUT/host-two_torch" "$scratch/plugin.so" "$scratch/torch" $scope
done

# Two OpenMP runtimes: the second has its name only.
build openmp $nse -ldl
echo 'int nothing;' | ${CC:-cc} -shared -fPIC -x c - -o "$scratch/libiomp5.so"
"$OUT/host-openmp" "$scratch/libiomp5.so"

build memory $nse
"$OUT/host-memory"
