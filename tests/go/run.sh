#!/bin/sh
# Checks the Go binding: gofmt, vet, the tests under the race detector and with cgo's pointer checks, and builds the
# examples. Needs no network.
#
#   NSE_LIB  folder of libnse.so (default: target/release of this checkout)
#   GO       go command (default: go)
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

export CGO_ENABLED=1 PKG_CONFIG_PATH="$(NSE_LIB="$NSE_LIB" OUT="$OUT" "$root/tests/go/pkgconfig.sh")"
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
"$GO" vet ./...
step "test -race"
"$GO" test -race -count=1 ./...
step "test with cgocheck2"
GOEXPERIMENT=cgocheck2 "$GO" test -count=1 ./...

for example in "$root"/examples/go/*/; do
    cd "$example"
    step "build $(basename "$example")"
    "$GO" vet ./...
    "$GO" build -o "$OUT/$(basename "$example")" .
done
