#!/bin/sh
# The upper rungs: slow, or in need of a tool that not every machine has. A tool that is missing is a failure with its name; only
# what no stable machine has (nightly, Miri) is named and left out.
#
#     slow.sh [RUNG...]    all of them unless told: hosts random valgrind asan-host asan-library miri fuzz abi python
#
#     NSE_LIB PURE_LIB CMOCKA OUT  as for tests/c/run.sh and tests/host/rungs.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
: "${NSE_LIB:?}" "${PURE_LIB:?}" "${CMOCKA:?}" "${OUT:?}"
export OMP_NUM_THREADS=1
slow="$OUT/slow"
mkdir -p "$slow"
cmocka=$(dirname "$(find "$CMOCKA" -name libcmocka.so)")
triple=$(uname -m)-unknown-linux-gnu

say() { printf 'nse: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# pure SOURCE PROGRAM OPTIONS...: a program with the library without libtorch, as a shared object unless told otherwise
pure() {
    source=$1 program=$2
    shift 2
    [ $# -gt 0 ] || set -- -L"$PURE_LIB" -lnse -Wl,-rpath,"$PURE_LIB"
    ${CC:-cc} -std=gnu11 -O1 -g -I"$root/include" -I"$OUT" -I"$root/tests/host" -isystem "$CMOCKA/usr/include" "$root/$source" \
        -o "$slow/$program" "$@" -L"$cmocka" -lcmocka -Wl,-rpath,"$cmocka" -lm -pthread -ldl
}

hosts() {
    NSE_TEST_SLOW=1 CC="${CC:-cc}" "$root/tests/host/rungs.sh"
}

# Ten times as many calls as in `make test`, with other seeds and other numbers of threads.
random() {
    pure tests/host/random.c random
    for threads in 1 2 3 8; do "$slow/random" "$((threads + 10))" 3000000 "$threads"; done
}

# No error and no definite leak. What libtorch does is no business of memcheck: the build without it runs here.
valgrind() {
    command -v valgrind >/dev/null || die "valgrind is not on this machine (Debian: apt-get install valgrind)"
    check="command valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=30"
    pure tests/c/unsupported.c unsupported
    pure tests/c/source.c source
    pure tests/c/dlpack.c dlpack
    pure tests/host/random.c random
    $check "$slow/unsupported" "$OUT/c-checkpoint.saved"
    # It forks, and the child has lost the threads of its parent.
    for program in source dlpack; do $check --suppressions="$root/tests/c/forked.supp" "$slow/$program"; done
    $check "$slow/random" 1 20000 2
}

# Hosts that are instrumented, with the library as it is shipped: whoever hands over memory, and whoever takes it.
asan_host() {
    mkdir -p "$slow/asan"
    ${CC:-cc} -fsanitize=address,undefined -x c - -o "$slow/asan/probe" <<'C' || die "the C compiler has no -fsanitize=address,undefined"
int main(void) { return 0; }
C
    export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    export LSAN_OPTIONS="suppressions=$root/tests/host/leaks.supp:print_suppressions=0"
    for test in handles input events results source dlpack latency measure checkpoint damage continued async push spaces told log shutdown; do
        ${CC:-cc} -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -I"$root/include" -isystem "$CMOCKA/usr/include" \
            "$root/tests/c/$test.c" -o "$slow/asan/$test" -L"$NSE_LIB" -lnse -Wl,-rpath,"$NSE_LIB" -L"$cmocka" -lcmocka \
            -Wl,-rpath,"$cmocka" -lm -pthread
        "$slow/asan/$test"
    done
    for host in misuse signals; do
        ${CC:-cc} -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -I"$root/include" -I"$OUT" -I"$root/tests/host" "$root/tests/host/$host.c" \
            -o "$slow/asan/$host" -L"$NSE_LIB" -lnse -Wl,-rpath,"$NSE_LIB" -lm -pthread -ldl
    done
    (cd "$slow" && asan/misuse && asan/signals "$slow")
    unset ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
}

# The library itself, without libtorch, instrumented by a nightly compiler and linked into the programs as an archive.
asan_library() {
    cargo +nightly --version >/dev/null 2>&1 || { say "LEFT OUT: no nightly toolchain, so no AddressSanitizer in the library"; return; }
    cd "$root"
    RUSTFLAGS="-Zsanitizer=address -Cdebuginfo=line-tables-only" cargo +nightly build --quiet --release --no-default-features \
        --target "$triple" --target-dir target/asan
    # The archive and the run-time library of the same compiler.
    runtime=$(cargo +nightly rustc --help >/dev/null 2>&1 && rustc +nightly --print sysroot)/lib/rustlib/$triple/lib/librustc-nightly_rt.asan.a
    set -- "target/asan/$triple/release/libnse.a" -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive -rdynamic -lstdc++ -lgcc_s -lrt
    pure tests/host/random.c asan-random "$@"
    pure tests/c/source.c asan-source "$@"
    pure tests/c/dlpack.c asan-dlpack "$@"
    pure tests/c/unsupported.c asan-unsupported "$@"
    ASAN_OPTIONS=allocator_may_return_null=1 "$slow/asan-random" 1 200000 4
    ASAN_OPTIONS=allocator_may_return_null=1 "$slow/asan-source"
    ASAN_OPTIONS=allocator_may_return_null=1 "$slow/asan-dlpack"
    ASAN_OPTIONS=allocator_may_return_null=1 "$slow/asan-unsupported" "$OUT/c-checkpoint.saved"
    cd "$OLDPWD"
}

# Handles, buffers and JSON, where the toolchain has Miri.
miri() {
    cargo +nightly miri --version >/dev/null 2>&1 || {
        say "LEFT OUT: Miri is not there (rustup component add --toolchain nightly miri)"
        return
    }
    (cd "$root" && MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --no-default-features --target-dir target/miri --test core -- \
        options:: space_errors:: strided:: pixels::)
}

fuzz() { "$root/tools/fuzz.sh" "${NSE_FUZZ_SECONDS:-60}"; }

abi() { "$root/tools/abi.sh"; }

# Exported TorchScript in Python's PyTorch, and its launcher.
python() {
    (cd "$root" && cargo test --release --test supernet -- --ignored --exact onnx::pytorch_in_python_agrees) | tee "$slow/python.log"
    grep -q "^test result: ok. 1 passed" "$slow/python.log"
    torchrun
}

# Two ranks as torchrun starts them, with its own store: they find what one process alone does.
torchrun() {
    rm -rf "$slow/torchrun" && mkdir "$slow/torchrun"
    ${CC:-cc} -std=gnu11 -O1 -g -I"$root/include" -I"$root/tests/host" "$root/tests/dist/rank.c" -o "$slow/torchrun/rank" -L"$NSE_LIB" -lnse \
        -Wl,-rpath,"$NSE_LIB"
    python=$("$root/tools/pytorch.sh")
    (
        cd "$slow/torchrun"
        "$python" -m torch.distributed.run --nproc-per-node 2 --no-python ./rank together together.ckpt
        ./rank alone alone.ckpt
        cmp alone.0 together.0
        cmp alone.0 together.1
    )
}

for rung in ${*:-hosts random valgrind asan-host asan-library miri fuzz abi python}; do
    say "rung: $rung"
    case $rung in
        hosts | random | valgrind | miri | fuzz | abi | python) $rung ;;
        asan-host) asan_host ;;
        asan-library) asan_library ;;
        *) die "$rung is no rung" ;;
    esac
done
say "rungs passed"
