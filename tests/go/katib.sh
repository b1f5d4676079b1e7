#!/bin/sh
# Checks the suggestion service for Katib in bindings/go/katib: gofmt, vet, its tests under the race detector, and builds it. The Go modules
# it needs, Katib's own among them, are fetched once, into Go's own cache, and held against go.sum.
#
#   NSE_LIB     folder of libnse.so (default: target/release of this checkout)
#   PKG_CONFIG  pkg-config command (default: pkg-config)
#   GO          go command (default: go)
#   OUT         folder for the program
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
NSE_LIB=$(cd "${NSE_LIB:-$root/target/release}" && pwd)
GO=${GO:-go}
: "${OUT:?}"
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)

export NSE_LIB CGO_ENABLED=1 PKG_CONFIG_PATH="$NSE_LIB/pkgconfig"
export GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOWORK=off
# The tests build the program themselves.
PATH="$(dirname "$("$GO" env GOROOT)/bin/go"):$PATH"

cd "$root/bindings/go/katib"
"$GO" mod download || {
    echo "katib: the Go modules of bindings/go/katib could not be fetched" >&2
    exit 1
}
"$GO" mod verify >/dev/null
echo "katib: vet" >&2
"$GO" vet ./...
echo "katib: test -race" >&2
"$GO" test -race -count=1 ./...
"$GO" build -o "$OUT/nse-katib" ./cmd/nse-katib
