#!/bin/sh
# What a user does with an installed tree, with a tarball and with the tree it was built in, from a folder outside this checkout.
#
#     NSE_LIB     folder of libnse.so, as `make build` leaves it
#     CMAKE       cmake command
#     PKG_CONFIG  pkg-config command
#     GO          go command
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${CMAKE:?}" "${PKG_CONFIG:?}" "${GO:?}"
lib=$(cd "$NSE_LIB" && pwd)
here=$(mktemp -d "${TMPDIR:-/tmp}/nse-install.XXXXXX")
trap 'chmod -R u+w "$here"; rm -rf "$here"' EXIT
here=$(realpath "$here")
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" CC="${CC:-cc}" CXX="${CXX:-c++}"
unset LD_LIBRARY_PATH CPATH LIBRARY_PATH PKG_CONFIG_LIBDIR CGO_LDFLAGS CGO_CFLAGS DESTDIR PREFIX LIBDIR WITH_TORCH 2>/dev/null || true

step() { echo "install: $1" >&2; }
fail() { echo "install: $1" >&2; exit 1; }

# says PROGRAM FOLDER: it runs, with the libtorch of that folder
says() {
    "$1" >"$here/said" || fail "$1 does not run"
    grep -q '^[1-9][0-9]* parameters$' "$here/said" || fail "$1 does not say how large the network is"
    file=$(sed -n 's/.*"file": *"\([^"]*\)".*/\1/p' "$here/said")
    [ "$(realpath "$file")" = "$(realpath "$2/libtorch_cpu.so")" ] || fail "$1 runs with $file and not with what is in $2"
    tail -n 1 "$here/said" >"$1.said"
    ! LC_ALL=C readelf -d "$1" | grep -qF "$root" || [ "${3:-}" = "built here" ] || fail "$1 names a folder of this checkout"
}
# flags OPTION...: of pkg-config
flags() { "$PKG_CONFIG" "$@" nse; }
# with_pkg_config TREE WHERE LIBTORCH [built here]: a program in C, one in C++, and one without exceptions
with_pkg_config() {
    mkdir "$here/$2"
    cp "$root"/tests/install/app.c "$root"/tests/install/*.cpp "$here/$2"
    cd "$here/$2"
    export PKG_CONFIG_PATH="$1"
    [ "$(flags --modversion)" = "$version" ] || fail "pkg-config finds nse $(flags --modversion)"
    eval $CC -std=c11 -pedantic -Wall -Wextra -Werror app.c -o app-c $(flags --cflags --libs)
    eval $CXX -std=c++17 -Wall -Wextra -Werror app.cpp -o app-cpp $(flags --cflags --libs)
    eval $CXX -std=c++17 -fno-exceptions -fno-rtti -Wall -Wextra -Werror noexcept.cpp -o app-noexcept $(flags --cflags --libs)
    for program in c cpp noexcept; do says "$here/$2/app-$program" "$3" "${4:-}"; done
}
# with_cmake OPTION WHERE LIBTORCH [built here]
with_cmake() {
    mkdir "$here/$2"
    cp "$root"/tests/install/app.c "$root"/tests/install/*.cpp "$root/tests/install/CMakeLists.txt" "$here/$2"
    cd "$here/$2"
    { "$CMAKE" -G "Unix Makefiles" -DCMAKE_BUILD_TYPE=Release "$1" -S . -B build && "$CMAKE" --build build; } >log 2>&1 ||
        { cat log && fail "CMake does not build with $1"; }
    for program in c cpp noexcept; do says "$here/$2/build/app-$program" "$3" "${4:-}"; done
}
# with_go MODULE PKGCONFIG WHERE LIBTORCH: linked, and loaded when it runs
with_go() {
    mkdir "$here/$3"
    cp "$root/tests/install/app.go" "$here/$3/main.go"
    cd "$here/$3"
    export GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=1 PKG_CONFIG PKG_CONFIG_PATH="$2"
    module=github.com/nse-project/nse/bindings/go
    "$GO" mod init mine 2>/dev/null
    "$GO" mod edit -require "$module@v0.0.0" -replace "$module=$1"
    "$GO" build -o app-go . || fail "go does not build"
    says "$here/$3/app-go" "$4"
    "$GO" build -tags nse_dlopen -o app-loaded . || fail "go does not build with the tag nse_dlopen"
    NSE_LIBRARY="$2/../libnse.so.1" says "$here/$3/app-loaded" "$4"
}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)

step "a package for other machines"
make -s -C "$root" install LIB="$lib" PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu DESTDIR="$here/stage"
stage=$here/stage/usr/lib/x86_64-linux-gnu
[ ! -e "$stage/nse-torch" ] || fail "it has a libtorch that nobody asked for"
[ -e "$here/stage/usr/include/nse.h" ] || fail "headers are not in PREFIX/include"
export PKG_CONFIG_PATH="$stage/pkgconfig"
! flags --libs | grep -q rpath || fail "programs of a system's library get a RUNPATH"
[ "$(realpath "$(flags --variable=includedir)")" = "$here/stage/usr/include" ] || fail "LIBDIR elsewhere: the headers are not found"

step "an installed tree, moved"
make -s -C "$root" install LIB="$lib" PREFIX="$here/first/place" WITH_TORCH=1
make -s -C "$root" install LIB="$lib" PREFIX="$here/first/place" WITH_TORCH=1 # over what is there
mkdir "$here/another place"
mv "$here/first/place" "$here/another place/nse"
rmdir "$here/first"
tree="$here/another place/nse"
chmod -R a-w "$tree"
! grep -rlF --exclude-dir=nse-torch -e "$root" -e "$here" "$tree" >"$here/found" || fail "$(cat "$here/found") name where they were built"
runpath=$(LC_ALL=C readelf -d "$tree/lib/libnse.so" | sed -n 's/.*(RUNPATH).*\[\(.*\)\]/\1/p')
[ "$runpath" = '$ORIGIN:$ORIGIN/nse-torch' ] || fail "the library looks for libtorch in $runpath"
grep -q '^tch [0-9.]*: ' "$tree/share/licenses/nse/THIRD-PARTY" || fail "the licences of what is in the library are not there"
with_pkg_config "$tree/lib/pkgconfig" moved "$tree/lib/nse-torch"
with_cmake "-DCMAKE_PREFIX_PATH=$tree" moved-cmake "$tree/lib/nse-torch"
with_go "$tree/share/nse/go" "$tree/lib/pkgconfig" moved-go "$tree/lib/nse-torch"

step "a tarball, and a libtorch beside it"
tarball=$("$root/tools/dist.sh" "$lib" "$here/dist")
case ${tarball##*/} in nse-$version-linux-*-torch2.*.tar.gz) ;; *) fail "the tarball is called $tarball" ;; esac
(cd "$here/dist" && sha256sum --quiet --check SHA256SUMS)
mkdir "$here/opt"
tar -C "$here/opt" -xzf "$tarball"
tree=$(echo "$here"/opt/nse-*)
[ ! -e "$tree/lib/nse-torch" ] || fail "it has a libtorch that nobody asked for"
ln -s "$(realpath "$lib/nse-torch")" "$tree/lib/nse-torch"
with_cmake "-Dnse_DIR=$tree/lib/cmake/nse" unpacked "$lib/nse-torch"
with_go "$tree/share/nse/go" "$tree/lib/pkgconfig" unpacked-go "$lib/nse-torch"
rm "$tree/lib/nse-torch"
LD_LIBRARY_PATH=$(realpath "$lib/nse-torch")
export LD_LIBRARY_PATH
says "$here/unpacked/build/app-c" "$lib/nse-torch"
unset LD_LIBRARY_PATH
! "$here/unpacked/build/app-c" >/dev/null 2>"$here/said" || fail "a libtorch was found that is not there"
grep -q libtorch "$here/said" || fail "without libtorch it says: $(cat "$here/said")"

step "the tree it was built in"
with_pkg_config "$lib/pkgconfig" built "$lib/nse-torch" "built here"
with_cmake "-DCMAKE_PREFIX_PATH=$lib" built-cmake "$lib/nse-torch" "built here"

sort -u "$here"/*/*.said "$here"/*/build/*.said >"$here/all"
[ "$(wc -l <"$here/all")" = 1 ] || fail "the programs do not say the same: $(cat "$here/all")"
