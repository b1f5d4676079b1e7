#!/bin/sh
# Builds examples/go/jobs, and kills its processes: jobs.py.
#
#     NSE_LIB     folder of libnse.so
#     DATA        folder of Fashion-MNIST
#     OUT         folder to build in
#     GO          go command; default: go
#     PKG_CONFIG  pkg-config command
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
: "${NSE_LIB:?}" "${OUT:?}" "${DATA:?}" "${PKG_CONFIG:?}"
rm -rf "$OUT/jobs"
mkdir -p "$OUT/jobs"
cd "$root/examples/go/jobs"
PKG_CONFIG_PATH="$NSE_LIB/pkgconfig" GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=readonly GOWORK=off ${GO:-go} build -o "$OUT/jobs/jobs" .
cd "$OUT/jobs"
OMP_NUM_THREADS=1 exec python3 "$root/tests/jobs.py" ./jobs "$DATA"
