#!/bin/sh
# Searches in several processes, started as launchers start them: the same result for every number of ranks, a rank that is killed ends
# all, and another number of ranks goes on from the checkpoint.
#
#     NSE_LIB   folder of libnse.so
#     OUT       folder to build in
#     MPI       folder that tools/mpi.sh makes
#     DATA      folder of Fashion-MNIST
#     GO        go command; default: go
#     PKG_CONFIG  pkg-config command, for Go
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
: "${NSE_LIB:?}" "${OUT:?}" "${MPI:?}" "${DATA:?}" "${PKG_CONFIG:?}"
work="$OUT/dist"
rm -rf "$work" && mkdir -p "$work"
${CC:-cc} -std=gnu11 -O1 -g -Wall -Wextra -Werror -I"$root/include" -I"$root/tests/host" "$root/tests/dist/rank.c" -o "$work/rank" \
    -L"$NSE_LIB" -lnse -Wl,-rpath,"$NSE_LIB" -Wl,--export-dynamic-symbol=writev
export OMP_NUM_THREADS=1
unset RANK WORLD_SIZE MASTER_ADDR MASTER_PORT LOCAL_RANK
other=
die() { echo "tests/dist: $*" >&2; exit 1; }
# A port that nobody has, as far as one can tell.
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# launch SIZE ARGUMENT...: as torchrun and PyTorchJob do. The exit codes are in $work/code.RANK.
launch() {
    size=$1 free=$(port)
    shift
    for rank in $(seq 0 $((size - 1))); do
        (
            code=0
            RANK=$rank WORLD_SIZE=$size LOCAL_RANK=$rank MASTER_ADDR=127.0.0.1 MASTER_PORT=$free \
                timeout 120 "$work/rank" "$@" 2>"$work/stderr.$rank" || code=$?
            echo $code >"$work/code.$rank"
        ) &
    done
    wait
}
codes() { for rank in $(seq 0 $(($1 - 1))); do cat "$work/code.$rank"; done | tr '\n' ' '; }
# same OUT SIZE: what every rank found is what one process alone finds.
same() {
    [ "$(codes "$2")" = "$(for _ in $(seq "$2"); do printf '0 '; done)" ] || die "$1: exit codes $(codes "$2"): $(cat "$work"/stderr.*)"
    for rank in $(seq 0 $(($2 - 1))); do
        cmp "$work/alone.0" "$work/$1.$rank" || die "$1: rank $rank of $2 found something else"
    done
}

"$work/rank" "$work/alone" "$work/alone.ckpt"
for size in 1 2 4; do
    launch $size "$work/found$size" "$work/$size.ckpt"
    same "found$size" $size
done

# Statistics over all ranks: the same on each, and not those of parts. One that is killed ends the other.
export RANK_BATCH_NORM=batch
launch 2 "$work/whole" "$work/whole.ckpt"
[ "$(codes 2)" = '0 0 ' ] && cmp "$work/whole.0" "$work/whole.1" || die "batch_norm over 2 ranks: exit codes $(codes 2): $(cat "$work"/stderr.*)"
! cmp -s "$work/alone.0" "$work/whole.0" || die "batch_norm changes nothing"
RANK_TIMEOUT_MS=60000 launch 2 "$work/killed" "$work/killed.ckpt" 1 8
[ "$(codes 2)" = '10 137 ' ] || die "rank 1 killed among statistics: exit codes $(codes 2)"
rm "$work/killed.ckpt"
unset RANK_BATCH_NORM

# Killed in the middle of a step, and in the middle of a sum: the others say so, before the time limit. Then with more ranks, and with fewer.
for victim in 0 1; do
    RANK_TIMEOUT_MS=60000 launch 2 "$work/killed" "$work/killed.ckpt" $victim 8 $([ $victim = 0 ] && echo cut || echo kill)
    [ "$(codes 2)" = "$([ $victim = 0 ] && echo '137 10 ' || echo '10 137 ')" ] || die "rank $victim killed: exit codes $(codes 2)"
    grep -q "NSE_ERR_COLLECTIVE" "$work/stderr.$((1 - victim))" || die "a rank that is left says $(cat "$work/stderr.$((1 - victim))")"
    [ -e "$work/killed.ckpt" ] || die "there is no checkpoint"
    size=$((victim * 2 + 1))
    launch $size "$work/again$size" "$work/killed.ckpt"
    same "again$size" $size
    rm "$work/killed.ckpt"
done

# Killed, and stopped for good, with gradients half on their way: no rank but itself sees what it is at, and the time limit is the end of waiting.
RANK_TIMEOUT_MS=60000 launch 3 "$work/killed" "$work/killed.ckpt" 1 9 cut
[ "$(codes 3)" = '10 137 10 ' ] || die "rank 1 of 3 killed in a sum: exit codes $(codes 3): $(cat "$work"/stderr.*)"
rm "$work/killed.ckpt"
free=$(port)
for rank in 0 1; do
    RANK=$rank WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$free RANK_TIMEOUT_MS=15000 \
        "$work/rank" "$work/hangs" "$work/hangs.ckpt" 1 8 hang 2>"$work/stderr.$rank" &
    last=$other
    other=$!
done
code=0
wait $last || code=$?
[ -e "$work/hangs.pid" ] && kill -9 "$(cat "$work/hangs.pid")" || die "rank 1 did not come to a sum: $(cat "$work"/stderr.*)"
[ $code = 10 ] && grep -qE "not all ranks came within [0-9]+ ms" "$work/stderr.0" || die "rank 1 hangs in a sum: $code, $(cat "$work/stderr.0")"
wait

# A rank that never comes.
code=0
RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$(port) RANK_TIMEOUT_MS=1500 timeout 60 "$work/rank" "$work/no" "$work/no.ckpt" \
    2>"$work/stderr.0" || code=$?
[ $code = 10 ] || die "alone of two: exit code $code, $(cat "$work/stderr.0")"

# Kubeflow Trainer v2 sets only PET_*.
free=$(port)
for rank in 0 1; do
    PET_NNODES=2 PET_NPROC_PER_NODE=1 PET_NODE_RANK=$rank PET_MASTER_ADDR=localhost PET_MASTER_PORT=$free timeout 120 \
        "$work/rank" "$work/pet" "$work/pet.ckpt" &
done
wait
cmp "$work/alone.0" "$work/pet.1" || die "by PET_* something else was found"

# Half a set is no set.
code=0
RANK=0 WORLD_SIZE=2 MASTER_PORT=1 "$work/rank" "$work/no" "$work/no.ckpt" 2>"$work/stderr.0" || code=$?
[ $code = 1 ] && grep -q "MASTER_ADDR is not set, but RANK, WORLD_SIZE, MASTER_PORT are" "$work/stderr.0" || die "half a set: $code, $(cat "$work/stderr.0")"

# MPI of the host, as mpirun starts it.
${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -Werror -I"$root/include" -isystem "$MPI/mpi-include" "$root/examples/c/mpi.c" -o "$work/mpi" \
    "$MPI/mpi-lib/libmpi.so.40" -Wl,--allow-shlib-undefined -L"$NSE_LIB" -lnse -Wl,-rpath,"$NSE_LIB"
for size in 1 2 4; do
    timeout 300 "$MPI/mpirun" -n $size "$work/mpi" "$DATA" >"$work/mpi.$size" 2>"$work/stderr.mpi" || die "mpirun -n $size: $(cat "$work/stderr.mpi")"
    cmp "$work/mpi.1" "$work/mpi.$size" || die "mpirun -n $size found something else"
done
grep -q '"accuracy"' "$work/mpi.1" || die "mpi found nothing: $(cat "$work/mpi.1")"

# A Go program with a network of its own: the same algorithm, so the same words. A rank that is killed is the end of the others.
(cd "$root/examples/go/ranks" && PKG_CONFIG_PATH="$NSE_LIB/pkgconfig" GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=readonly GOWORK=off \
    ${GO:-go} build -o "$work/ranks" .)
# in_go RANK SIZE: as rank, at $free.
in_go() { timeout 300 "$work/ranks" -rank "$1" -size "$2" -address "127.0.0.1:$free" "$DATA"; }
for size in 1 2 3; do
    free=$(port)
    for rank in $(seq $((size - 1))); do in_go "$rank" $size 2>"$work/stderr.$rank" & done
    in_go 0 $size >"$work/go.$size" 2>"$work/stderr.0" || die "ranks of Go, $size: $(cat "$work"/stderr.*)"
    wait
    cmp "$work/mpi.1" "$work/go.$size" || die "$size ranks of Go found something else"
done
free=$(port)
"$work/ranks" -rank 1 -size 2 -address "127.0.0.1:$free" "$DATA" 2>"$work/stderr.1" &
victim=$!
in_go 0 2 2>"$work/stderr.0" >"$work/go.no" &
left=$!
until grep -q 'round 1 of 2' "$work/stderr.1"; do kill -0 $victim 2>/dev/null || die "rank 1 ended: $(cat "$work/stderr.1")"; sleep 0.02; done
kill -9 $victim
code=0
wait $left || code=$?
[ $code = 1 ] && grep -q "rank 0: nse: .* the host's function returned 1" "$work/stderr.0" || die "rank 1 of Go killed: $code, $(cat "$work/stderr.0")"
wait
