#!/bin/sh
# Prints a pkg-config command: the one on PATH, or one fetched from the wheel pkgconf.
set -eu
command -v pkg-config && exit 0
. "$(dirname "$0")/common.sh"

dest="$CACHE/pkgconf-3.0.7"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching pkgconf 3.0.7 (80 KB, once) into $dest"
    wheel pkgconf==3.0.7.post0 bd3ee4b5294a888d58462324cb83b7c0bc7150cc15b64b36aaf983e4b0ab90d5
    unpack_wheels "$SCRATCH" 'pkgconf/.bin/pkgconf'
    mv "$SCRATCH/pkgconf/.bin" "$dest"
fi
echo "$dest/pkgconf"
