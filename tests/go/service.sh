#!/bin/sh
# Checks the service in examples/go/service: vet, its tests under the race detector (kills, strangers, load, its page in Chromium), and
# builds it. The Go modules it needs are fetched once, into Go's own cache, and held against go.sum.
#
#   service.sh [build]  only builds it, as OUT/service
#
#   NSE_LIB     folder of libnse.so (default: target/release of this checkout)
#   PKG_CONFIG  pkg-config command (default: pkg-config)
#   GO          go command, 1.26 or later (default: go)
#   CHROMIUM    command of a Chromium
#   OUT         folder for the program
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
NSE_LIB=$(cd "${NSE_LIB:-$root/target/release}" && pwd)
GO=${GO:-go}
: "${OUT:?}"
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)

export CGO_ENABLED=1 PKG_CONFIG_PATH="$NSE_LIB/pkgconfig"
export GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOWORK=off
# Also for tests that run beside each other: what is small is not quicker with more threads.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

cd "$root/examples/go/service"
"$GO" mod download || {
    echo "service: the Go modules of examples/go/service could not be fetched" >&2
    exit 1
}
if [ "${1:-}" != build ]; then
    echo "service: vet" >&2
    "$GO" vet ./...
    echo "service: test -race" >&2
    "$GO" test -race -count=1 -timeout 30m ./...
fi
"$GO" build -o "$OUT/service" .
