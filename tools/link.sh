#!/bin/sh
# Links libnse.so from the archive libnse.a that cargo left in a folder. A cdylib is not it: rustc links one with a version
# script of its own, so symbols have no versions, and those of other crates (bz_*, tch_*) get out.
#
#     link.sh FOLDER [LIBTORCH]    without LIBTORCH: the archive was built without it too
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$1"
torch=${2:+${LIBTORCH_LIB:-$2}/lib}

abi=$(sed -n 's/^pub const NSE_ABI_VERSION: u32 = \([0-9]*\);$/\1/p' "$root/src/ffi/library.rs")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
soname="libnse.so.${abi:?is not in src/ffi/library.rs}"
real="libnse.so.${version:?is not in Cargo.toml}"
if [ "$real" -nt libnse.a ] && [ "$real" -nt "$root/tools/link.sh" ] && [ libnse.so -ef "$real" ] && [ "$soname" -ef "$real" ]; then
    exit 0
fi

# What runs now keeps the file that it has mapped: the new one is written beside it and renamed.
scratch=$(mktemp -d ./link.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
echo "NSE_$abi { global: nse_*; local: *; };" >"$scratch/map"

# The library is looked for beside this one first (an installed tree), then where it was built. libtorch.so carries CUDA in a
# CUDA set, though nothing names it.
set -- -lrt -lpthread -ldl -lgcc_s -lm -lc
if [ -n "$torch" ]; then
    set -- -Wl,-rpath,'$ORIGIN' -Wl,-rpath,"$torch" -L"$torch" -Wl,--no-as-needed -l:libtorch.so -Wl,--as-needed \
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
