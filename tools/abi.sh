#!/bin/sh
# Holds include/nse.h against the header of the last release (the newest tag v*, or REF): nothing that was there may be gone or
# changed. Additions, fields at the end of a struct included, are listed. Before the first release the start of this branch is
# compared, and changes are only listed.
#
#     abi.sh [REF]
#
# Compared is what a C compiler makes of the headers, so no library is built: tests/abi holds the library against its header.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tools/common.sh"
cd "$root"
tools=$(tools/debian.sh abigail-tools libabigail0)
LD_LIBRARY_PATH="$(dirname "$(find "$tools" -name 'libabigail.so.*' | head -n 1)")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
abidiff=$tools/usr/bin/abidiff
"$abidiff" --version >/dev/null 2>&1 || die "abidiff does not run here; it needs libdw1, libelf1 and libxml2"

released=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)
base=${1:-${released:-$(git merge-base HEAD main 2>/dev/null || git rev-parse HEAD)}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git show "$base:include/nse.h" >"$work/old.h"
cp include/nse.h "$work/new.h"

# A library with the functions of a header and nothing in them.
stub() {
    ${CC:-cc} -E -P -DNSE_API= -x c "$work/$1.h" | awk 'BEGIN { RS = ";" }
        /nse_[a-z_]+\(/ && !/typedef/ && !/\{/ { print $0 " { __builtin_trap(); }"; next }
        NF { print $0 ";" }' >"$work/$1.c"
    ${CC:-cc} -g -fno-eliminate-unused-debug-types -shared -fPIC -Wl,-soname,libnse.so.1 "$work/$1.c" -o "$work/$1.so"
}
stub old
stub new
constants() { sed -n 's/^#define \(NSE_[A-Z_]*\) \(.*\)$/\1 \2/p' "$work/$1.h" | grep -v '_INIT \|^NSE_H \|^NSE_API' | sort; }
constants old >"$work/old.txt"
constants new >"$work/new.txt"
cat >"$work/suppress" <<'SUPPRESS'
[suppress_type]
type_kind = struct
has_data_member_inserted_at = end
SUPPRESS

broken=0
comm -23 "$work/old.txt" "$work/new.txt" >"$work/gone.txt"
[ ! -s "$work/gone.txt" ] || { broken=1; say "gone or changed since $base:"; cat "$work/gone.txt" >&2; }
"$abidiff" --suppressions "$work/suppress" --no-added-syms "$work/old.so" "$work/new.so" >"$work/changes" || {
    broken=1
    say "changed since $base:"
    cat "$work/changes" >&2
}
say "new since $base:"
comm -13 "$work/old.txt" "$work/new.txt" >&2
"$abidiff" --suppressions "$work/suppress" --added-fns "$work/old.so" "$work/new.so" | sed -n 's/.*\[A\] //p' >&2 || true

if [ "$broken" = 1 ] && [ -z "${1:-}$released" ]; then
    say "there is no release yet, so that is allowed"
elif [ "$broken" = 1 ]; then
    die "a host of $base would break: NSE_ABI_VERSION must grow"
fi
