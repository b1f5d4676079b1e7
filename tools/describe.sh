#!/bin/sh
# Tells pkg-config and CMake of a tree with the library: writes nse.pc, nseConfig.cmake and nseConfigVersion.cmake into it, with no
# path but those from one to another, so that the tree may be moved.
#
#     describe.sh LIB PKGCONFIG CMAKE INCLUDE...
#
# LIB        folder of libnse.so
# PKGCONFIG  folder for nse.pc
# CMAKE      folder for the files of CMake
# INCLUDE    folders of the headers
#
# In the environment:
#
# TORCH_VERSION  version of libtorch that the library was made for; empty: none
# RPATH          1 has programs that are linked with nse.pc look for the library in LIB: for folders that the system's loader does
#                not know
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lib=$1 pkgconfig=$2 cmake=$3
shift 3
mkdir -p "$pkgconfig" "$cmake"

value() { sed -n "s/^$2\$/\\1/p" "$root/$1" | head -n 1; }
version=$(value Cargo.toml 'version = "\(.*\)"')
abi=$(value src/ffi/library.rs 'pub const NSE_ABI_VERSION: u32 = \([0-9]*\);')
from() { realpath -m -s --relative-to "$1" "$2"; }

more= includes=
for include; do
    includes="$includes\"$(from "$cmake" "$include")\" "
    [ "$include" = "$1" ] || more="$more -I\${pcfiledir}/$(from "$pkgconfig" "$include")"
done
rpath=
[ "${RPATH:-}" != 1 ] || rpath=' -Wl,-rpath,${libdir}'

# fill TEMPLATE FROM: to stdout, with the folders as seen from FROM
fill() {
    sed -e "s|@VERSION@|${version:?}|g" -e "s|@MAJOR@|${version%%.*}|g" -e "s|@ABI@|${abi:?}|g" -e "s|@TORCH_VERSION@|${TORCH_VERSION:-}|g" \
        -e "s|@TO_LIB@|$(from "$2" "$lib")|g" -e "s|@TO_INCLUDE@|$(from "$2" "${3:-}")|g" -e "s|@TO_INCLUDES@|${includes% }|g" \
        -e "s|@MORE_CFLAGS@|$more|g" -e "s|@RPATH@|$rpath|g" "$root/bindings/cpp/$1"
}
fill nse.pc.in "$pkgconfig" "$1" >"$pkgconfig/nse.pc"
fill nseConfig.cmake.in "$cmake" "$1" >"$cmake/nseConfig.cmake"
fill nseConfigVersion.cmake.in "$cmake" "$1" >"$cmake/nseConfigVersion.cmake"
