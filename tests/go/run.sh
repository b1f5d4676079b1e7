#!/bin/sh
# Checks the Go binding: gofmt, vet; the tests under the race detector; with cgo's pointer checks and the library loaded, not linked;
# with a collector that runs in every accessor; then the module as a stranger fetches it, and the examples. Needs no network.
#
#   NSE_LIB  folder of libnse.so (default: target/release of this checkout)
#   GO       go command (default: go)
#   PKG_CONFIG  pkg-config command (default: pkg-config)
#   OUT      folder for the programs (default: a temporary one, removed at the end)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
NSE_LIB=$(cd "${NSE_LIB:-$root/target/release}" && pwd)
GO=${GO:-go}
if [ -z "${OUT:-}" ]; then
    OUT=$(mktemp -d)
    trap 'rm -rf "$OUT"' EXIT
fi
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)

export CGO_ENABLED=1 PKG_CONFIG_PATH="$NSE_LIB/pkgconfig"
export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=readonly GOWORK=off
# One thread for tensors: what is small is not quicker with more, and other tests run beside this one.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

step() {
    echo "go: $1" >&2
}

step gofmt
unformatted=$("$("$GO" env GOROOT)/bin/gofmt" -l "$root/bindings/go" "$root/examples/go")
if [ -n "$unformatted" ]; then
    echo "not formatted: $unformatted" >&2
    exit 1
fi

cd "$root/bindings/go"
step vet
for tags in "" nse_dlopen nse_gcstress; do
    "$GO" vet -tags "$tags" ./...
done
step "test -race"
"$GO" test -race -count=1 ./...
# No pkg-config, and no folder of the library: nothing is linked.
step "test with nse_dlopen and cgocheck2"
NSE_LIBRARY="$NSE_LIB/libnse.so" PKG_CONFIG=false GOEXPERIMENT=cgocheck2 "$GO" test -tags nse_dlopen -count=1 ./...
# Not those that count or race: a collection takes longer than what they look at.
step "test with nse_gcstress"
"$GO" test -tags nse_gcstress -count=1 -run 'Nothing|Closed|Nil|AnyOrder|Told|Source|Borrowed|Front|Loop|Codes|Budget' .

step "go get"
NSE_LIB="$NSE_LIB" GO="$GO" "$root/tests/go/module.sh"

for example in "$root"/examples/go/*/; do
    # It needs modules of others: tests/go/service.sh.
    [ "$(basename "$example")" != service ] || continue
    cd "$example"
    step "build $(basename "$example")"
    "$GO" vet ./...
    "$GO" build -o "$OUT/$(basename "$example")" .
done
