#!/bin/sh
# Prints a folder with an nse.pc of the build tree, made in OUT, for `#cgo pkg-config: nse`.
#
#     NSE_LIB  folder of libnse.so
#     OUT      folder to make it in
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${OUT:?}"
mkdir -p "$OUT/pkgconfig"
cat >"$OUT/pkgconfig/nse.pc" <<END
Name: nse
Description: neural architecture search
Version: $(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
Cflags: -I$root/include
Libs: -L$NSE_LIB -lnse -Wl,-rpath,$NSE_LIB
END
echo "$OUT/pkgconfig"
