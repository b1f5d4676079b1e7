#!/bin/sh
# Compiles and runs every code block of README.md and docs/: see blocks.py.
#
#     NSE_LIB  folder of libnse.so
#     OUT      folder to build in
#     GO       go command; default: go
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${OUT:?}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec python3 "$root/tests/docs/blocks.py" "$root" "$NSE_LIB" "$OUT/docs" "$@"
