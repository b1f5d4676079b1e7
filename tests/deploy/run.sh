#!/bin/sh
# Installs a tree, and runs what examples/deploy says: deploy.py.
#
#     NSE_LIB     folder of libnse.so
#     OUT         folder to build in
#     GO          go command; default: go
#     YAML        folder that `tools/debian.sh python3-yaml` prints
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${OUT:?}" "${YAML:?}"
work="$OUT/deploy"
rm -rf "$work" && mkdir -p "$work"
PREFIX="$work/tree" LIBDIR= DESTDIR= WITH_TORCH= "$root/tools/install.sh" "$NSE_LIB" >/dev/null
${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -pedantic -Werror -I"$work/tree/include" "$root/examples/c/launched.c" -o "$work/tree/bin/launched" \
    -L"$work/tree/lib" -lnse -Wl,-rpath,"$work/tree/lib"
export GOTOOLCHAIN=local GOWORK=off OMP_NUM_THREADS=1
PYTHONPATH="$YAML/usr/lib/python3/dist-packages" exec python3 "$root/tests/deploy/deploy.py" "$root" "$work/tree" \
    "$(dirname "$(command -v "${GO:-go}")")" "$work/run"
