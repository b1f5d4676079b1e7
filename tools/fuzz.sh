#!/bin/sh
# Feeds the parsers of tests/fuzz, one after another, for SECONDS each (60 unless told): with what is checked in, and with what was
# found before, which stays in target/fuzz/found. An input that breaks one stays in target/fuzz/broken; once it is mended, it belongs
# into tests/fuzz/corpus.
#
#     fuzz.sh [SECONDS [TARGET...]]
#
# Needs a nightly toolchain (rustup toolchain install nightly); cargo-fuzz is built once, into the cache.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tools/common.sh"
seconds=${1:-60}
[ $# -eq 0 ] || shift

cargo +nightly --version >/dev/null 2>&1 || die "there is no nightly toolchain, and fuzzing needs one: rustup toolchain install nightly"
dest="$CACHE/cargo-fuzz-0.13"
lock
if [ ! -x "$dest/bin/cargo-fuzz" ]; then
    say "building cargo-fuzz (once) into $dest"
    cargo install --quiet --locked --version 0.13.2 --root "$dest" cargo-fuzz >&2
fi
exec 9>&-

cd "$root"
run="$dest/bin/cargo-fuzz"
export RUSTUP_TOOLCHAIN=nightly
"$run" build --fuzz-dir tests/fuzz --target-dir target/fuzz 2>"$root/target/fuzz-build.log" || {
    cat "$root/target/fuzz-build.log" >&2
    exit 1
}
broken=0
for target in ${*:-$("$run" list --fuzz-dir tests/fuzz)}; do
    # What a host asks for is asked for, if only to be refused.
    case $target in source | dlpack) most=0 ;; *) most=1024 ;; esac
    mkdir -p "target/fuzz/found/$target" target/fuzz/broken
    say "feeding $target for $seconds seconds"
    ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=1024 "target/fuzz/x86_64-unknown-linux-gnu/release/$target" \
        "target/fuzz/found/$target" "tests/fuzz/corpus/$target" -max_total_time="$seconds" -timeout=10 -max_len=8192 \
        -malloc_limit_mb="$most" -artifact_prefix="target/fuzz/broken/$target-" >target/fuzz/log 2>&1 || {
        tail -n 40 target/fuzz/log >&2
        say "$target breaks; see target/fuzz/broken"
        broken=1
    }
done
exit "$broken"
