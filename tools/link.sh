#!/bin/sh
# Links libnse.so from the archive libnse.a that cargo left in a folder, and tells pkg-config and CMake of it. A cdylib is not it:
# rustc links one with a version script of its own, so symbols have no versions, and those of other crates (bz_*, tch_*) get out.
#
# The library looks for libtorch beside itself, then in a folder nse-torch beside itself, which is a link here: so it is the same
# file here and wherever it is installed, and has no path of this machine.
#
#     link.sh FOLDER [LIBTORCH]    without LIBTORCH: the archive was built without it too
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
torch=${2:+$(realpath -s "${LIBTORCH_LIB:-$2}/lib")}
headers=${2:+$(realpath -s "${LIBTORCH_INCLUDE:-$2}/include")}
cd "$1"

abi=$(sed -n 's/^pub const NSE_ABI_VERSION: u32 = \([0-9]*\);$/\1/p' "$root/src/ffi/library.rs")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
soname="libnse.so.${abi:?is not in src/ffi/library.rs}"
real="libnse.so.${version:?is not in Cargo.toml}"

TORCH_VERSION=
if [ -n "$torch" ]; then
    TORCH_VERSION=$(awk '/^#define TORCH_VERSION_M(AJOR|INOR) / { printf "%s%s", dot, $3; dot = "." }' "$headers/torch/headeronly/version.h")
    ln -sfn "$torch" nse-torch
fi
export TORCH_VERSION
RPATH=1 "$root/tools/describe.sh" . pkgconfig cmake "$root/include" "$root/bindings/cpp/include"
if [ "$real" -nt libnse.a ] && [ "$real" -nt "$root/tools/link.sh" ] && [ libnse.so -ef "$real" ] && [ "$soname" -ef "$real" ]; then
    exit 0
fi

# What runs now keeps the file that it has mapped: the new one is written beside it and renamed.
scratch=$(mktemp -d ./link.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
echo "NSE_$abi { global: nse_*; local: *; };" >"$scratch/map"

# libtorch.so carries CUDA in a CUDA set, though nothing names it.
set -- -lrt -lpthread -ldl -lgcc_s -lm -lc
if [ -n "$torch" ]; then
    set -- -Wl,-rpath,'$ORIGIN' -Wl,-rpath,'$ORIGIN/nse-torch' -L"$torch" -Wl,--no-as-needed -l:libtorch.so -Wl,--as-needed \
        -ltorch_cpu -lc10 -lstdc++ "$@"
fi
# Whole, for the initialisers that nothing names; what is not reachable from them or the ABI goes again. nodelete: a Rust
# library that was loaded cannot be unloaded safely, so dlclose does nothing.
${CC:-cc} -shared -o "$scratch/$real" -Wl,--whole-archive libnse.a -Wl,--no-whole-archive -Wl,--gc-sections \
    -Wl,--strip-debug -Wl,--as-needed -Wl,-soname,"$soname" -Wl,--version-script,"$scratch/map" -Wl,--enable-new-dtags \
    -Wl,-z,defs -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now "$@"
mv -f "$scratch/$real" "$real"
ln -sfn "$real" "$soname"
ln -sfn "$soname" libnse.so
