#!/bin/sh
# Prints a CMake command: the one on PATH, or one fetched from the wheel cmake.
set -eu
command -v cmake && exit 0
. "$(dirname "$0")/common.sh"

dest="$CACHE/cmake-3.31.10"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching CMake 3.31.10 (28 MB, once) into $dest"
    wheel cmake==3.31.10 2f766bb46367e5e0559fa33184653754bce044583a06014dcaebf8e6dff8a1f1
    unpack_wheels "$SCRATCH" 'cmake/data/*'
    mv "$SCRATCH/cmake/data" "$dest"
fi
echo "$dest/bin/cmake"
