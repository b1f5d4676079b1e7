#!/bin/sh
# Prints a folder with the given Debian packages unpacked into it. Nothing is installed, no root is needed.
set -eu
. "$(dirname "$0")/common.sh"

dest="$CACHE/debian-$(echo "$*" | tr ' ' +)"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching $* (Debian packages, once) into $dest"
    for package; do unpack_deb "$package" "$SCRATCH/root"; done
    mv "$SCRATCH/root" "$dest"
fi
echo "$dest"
