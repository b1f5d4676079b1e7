#!/bin/sh
# Installs what `make build` has left in a folder. It builds and fetches nothing, so it may run as another user.
#
#     install.sh FOLDER
#
# In the environment, all optional:
#
# PREFIX     where it will be (default: /usr/local)
# LIBDIR     where libraries will be (default: PREFIX/lib)
# DESTDIR    put in front of both while it is copied, for those who make packages
# WITH_TORCH 1 copies libtorch too, into LIBDIR/nse-torch. Without, a link of that name is made to the libtorch of the build, unless
#            DESTDIR is set: then the package is for other machines, and has neither.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
say() { printf 'nse: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
built=$(cd "$1" && pwd)
prefix=$(realpath -m -s "${PREFIX:-/usr/local}")
libdir=$(realpath -m -s "${LIBDIR:-$prefix/lib}")
dest=${DESTDIR:+$(realpath -m -s "$DESTDIR")}
lib=$dest$libdir include=$dest$prefix/include share=$dest$prefix/share
real=$(basename "$(realpath "$built/libnse.so")")
soname=$(readlink "$built/libnse.so")
TORCH_VERSION=$(sed -n 's/^torch_version=//p' "$built/pkgconfig/nse.pc")
export TORCH_VERSION

# The files of libtorch that the library needs: what is named in them, and lies beside them.
closure() {
    LC_ALL=C readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r name; do
        if [ -e "$built/nse-torch/$name" ] && ! grep -qx "$name" "$2"; then
            echo "$name" >>"$2"
            closure "$built/nse-torch/$name" "$2"
        fi
    done
}
bundle() {
    list=$(mktemp)
    closure "$built/$real" "$list"
    ! grep -q '_cuda\.so' "$list" || die "WITH_TORCH=1 is for a libtorch without CUDA: the one of this build needs libraries beside it"
    mkdir -p "$lib/nse-torch"
    while read -r name; do
        cp -L --reflink=auto "$built/nse-torch/$name" "$lib/nse-torch/.$name.new"
        mv -f "$lib/nse-torch/.$name.new" "$lib/nse-torch/$name"
    done <"$list"
    rm -f "$list"
    texts=$(realpath "$built/nse-torch")/../licenses
    if [ -d "$texts" ]; then
        cp -R "$texts/." "$share/licenses/nse"
    else
        say "there is no $texts: add the licence of this libtorch before you hand it on"
    fi
}

# What runs now keeps the file that it has mapped: the new one is written beside it and renamed.
mkdir -p "$lib" "$include/nse"
install -m 755 "$built/$real" "$lib/.$real.new"
mv -f "$lib/.$real.new" "$lib/$real"
ln -sfn "$real" "$lib/$soname"
ln -sfn "$soname" "$lib/libnse.so"
# The program looks for the library in ../lib, and then where the system does.
install -D -m 755 "$built/nse" "$dest$prefix/bin/.nse.new"
mv -f "$dest$prefix/bin/.nse.new" "$dest$prefix/bin/nse"
install -m 644 "$root/include/nse.h" "$include"
install -m 644 "$root"/bindings/cpp/include/nse/*.hpp "$include/nse"
case $libdir in
    /lib | /lib64 | /usr/lib | /usr/lib64 | /usr/lib/*-linux-gnu) rpath=0 ;;
    *) rpath=1 ;;
esac
RPATH=$rpath "$root/tools/describe.sh" "$lib" "$lib/pkgconfig" "$lib/cmake/nse" "$include"

# The Go module, as `replace` takes it.
cd "$root"
for file in $(find bindings/go -type f ! -name '*_test.go' ! -path '*/.*'); do
    install -D -m 644 "$file" "$share/nse/go/${file#bindings/go/}"
done
install -m 644 LICENSE "$share/nse/go/LICENSE"
for file in README.md CHANGELOG.md $(find docs examples -type f ! -path '*/.*'); do
    install -D -m 644 "$file" "$share/doc/nse/$file"
done
sed -i 's|=> ../../../bindings/go$|=> ../../../../../nse/go|' "$share"/doc/nse/examples/go/*/go.mod
install -D -m 644 LICENSE "$share/licenses/nse/LICENSE"
install -m 644 "$built/THIRD-PARTY" "$share/licenses/nse/THIRD-PARTY"

[ -n "$TORCH_VERSION" ] || exit 0
if [ "${WITH_TORCH:-}" = 1 ]; then
    [ ! -L "$lib/nse-torch" ] || rm "$lib/nse-torch"
    bundle
elif [ -z "$dest" ] && { [ -L "$lib/nse-torch" ] || [ ! -e "$lib/nse-torch" ]; }; then
    ln -sfn "$(realpath "$built/nse-torch")" "$lib/nse-torch"
    say "$libdir/nse-torch is a link to the libtorch of this build, $(realpath "$built/nse-torch"); WITH_TORCH=1 copies it"
fi
