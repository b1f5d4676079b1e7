#!/bin/sh
# Makes a tarball of what `make build` has left in a folder, to unpack anywhere, and a list of SHA-256 sums beside it. Prints its path.
#
#     dist.sh FOLDER INTO
#
# WITH_TORCH=1 in the environment: with libtorch inside.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
built=$(cd "$1" && pwd)
mkdir -p "$2"
into=$(cd "$2" && pwd)
version=$(sed -n 's/^Version: //p' "$built/pkgconfig/nse.pc")
torch=$(sed -n 's/^torch_version=//p' "$built/pkgconfig/nse.pc")
name="nse-$version-$(uname -s | tr 'A-Z' 'a-z')-$(uname -m)-${torch:+torch$torch}"
[ -n "$torch" ] || name="${name}pure"
[ "${WITH_TORCH:-}" != 1 ] || name="$name-bundled"

scratch=$(mktemp -d "$into/.dist.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
DESTDIR="$scratch" PREFIX="/$name" LIBDIR= "$root/tools/install.sh" "$built"
# The same content makes the same file: names in order, nobody's ids, one time.
date=$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/Cargo.toml")
chmod -R u=rwX,go=rX "$scratch/$name"
tar -C "$scratch" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$date" -cf - "$name" | gzip -n -6 >"$scratch/$name.tar.gz"
mv -f "$scratch/$name.tar.gz" "$into/$name.tar.gz"
(cd "$into" && sha256sum nse-*.tar.gz >"$scratch/SHA256SUMS" && mv -f "$scratch/SHA256SUMS" SHA256SUMS)
echo "$into/$name.tar.gz"
