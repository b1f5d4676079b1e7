#!/bin/sh
# Builds the eight programs in C, C++ and Go as a user would, runs them on a part of Fashion-MNIST, and compares what they say.
# Then the training of a found network, with a recipe of seconds.
#
#     NSE_LIB     folder of libnse.so, with nse.pc in pkgconfig
#     TORCH       folder of libtorch, with include and lib, for the trainer on LibTorch
#     DATA        folder of Fashion-MNIST
#     OUT         folder to build in
#     PKG_CONFIG  pkg-config command, for Go
#     GO          go command; default: go
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
: "${NSE_LIB:?}" "${TORCH:?}" "${DATA:?}" "${OUT:?}" "${PKG_CONFIG:?}"
link="-L$NSE_LIB -lnse -Wl,-rpath,$NSE_LIB"
strict="-Wall -Wextra -pedantic -Werror -I$root/include"
torch_lib=${LIBTORCH_LIB:-$TORCH}/lib torch_include=${LIBTORCH_INCLUDE:-$TORCH}/include
out=$OUT/examples
rm -rf "$out"
mkdir -p "$out"
cd "$out"
export OMP_NUM_THREADS=1

fail() { echo "examples: $1" >&2; exit 1; }
# holds FILE PATTERN
holds() { grep -q "$2" "$1" || { cat "$1" >&2 && fail "$1 does not say $2"; }; }

for program in quickstart abs bnas pnas neas restore hostdata async asktell; do
    ${CC:-cc} -std=gnu11 -O2 $strict "$root/examples/c/$program.c" -o "$program-c" $link -lm -pthread
    case $program in
        hostdata) ${CXX:-c++} -std=c++20 $strict -I"$root/bindings/cpp/include" -isystem "$torch_include" \
            -isystem "$torch_include/torch/csrc/api/include" -D_GLIBCXX_USE_CXX11_ABI="${LIBTORCH_CXX11_ABI:-1}" \
            "$root/examples/cpp/$program.cpp" -o "$program-cpp" $link -L"$torch_lib" -ltorch -ltorch_cpu -lc10 -Wl,-rpath,"$torch_lib" ;;
        *) ${CXX:-c++} -std=c++17 $strict -I"$root/bindings/cpp/include" "$root/examples/cpp/$program.cpp" -o "$program-cpp" \
            $link -pthread ;;
    esac
    (cd "$root/examples/go/$program" && PKG_CONFIG="$PKG_CONFIG" PKG_CONFIG_PATH="$NSE_LIB/pkgconfig" GOTOOLCHAIN=local GOPROXY=off \
        GOFLAGS=-mod=readonly GOWORK=off ${GO:-go} build -o "$out/$program-go" .)
done
# The demo is run by `make demo`; here it only has to compile cleanly.
${CC:-cc} -std=gnu11 $strict -fsyntax-only "$root/examples/c/demo.c"

# run PROGRAM LANGUAGE ARGUMENTS...: in a folder of its own. Lines with a carriage return are progress, which holds times: the others
# are said.
run() {
    name=$1-$2
    shift 2
    echo "examples: $name"
    mkdir -p "$name.out"
    (cd "$name.out" && "../$name" "$@") >"$name.raw" || { cat "$name.raw" >&2 && fail "$name failed"; }
    sed '/\r/d; s#model in .*#model#' "$name.raw" >"$name.said"
}

python3 "$root/tests/pictures.py" .
for language in c cpp go; do
    run quickstart $language "$DATA" . 0.01
    [ -s "quickstart-$language.out/model.pt" ] || fail "quickstart in $language wrote no model"
    run abs $language "$DATA" 0.01
    run bnas $language "$DATA" 0.01
    run pnas $language "$DATA" 0.01
    run neas $language "$DATA" 0.01
    [ -s "neas-$language.out/ensemble.onnx" ] || fail "neas in $language wrote no model"
    run restore $language ../noisy.ppm restored.ppm ../clean.ppm
    run async $language "$DATA"
    run asktell $language "$DATA"
done

# The same algorithm: the same words, in all three.
for language in c cpp go; do
    cmp quickstart-c.said "quickstart-$language.said"
    cmp abs-c.said "abs-$language.said"
    cmp bnas-c.said "bnas-$language.said"
    cmp pnas-c.said "pnas-$language.said"
    cmp neas-c.said "neas-$language.said"
    cmp restore-c.said "restore-$language.said"
    cmp restore-c.out/restored.ppm "restore-$language.out/restored.ppm"
    cmp asktell-c.said "asktell-$language.said"
    # Wherever it was cancelled, the front is the same.
    tail -n 1 "async-$language.said" | cmp - "async-c.out/front" 2>/dev/null || {
        [ $language = c ] || fail "async in $language found another front"
        tail -n 1 async-c.said >async-c.out/front
    }
    holds "async-$language.said" '^{"cost":"macs","members":\[{'
done
holds quickstart-c.said '^best: {"space":"nse-27-small"'
holds quickstart-c.said '^test accuracy 0\.[0-9]*, model'
# Every round but the last takes seven choices away, that a cell is skipped among them.
holds abs-c.said '^42 operators$'
awk '/operators left/ { more = more || (last && $1 > last); last = $1; ++rounds } END { exit more || !(rounds > 2 && last < 36) }' abs-c.said ||
    fail "the space of abs does not shrink"
holds abs-c.said '^best: {"space":"nse-27-small"'
# Five edges of two kinds of cells, of which each loses one of four choices in every round but the last.
holds bnas-c.said '^30 operators$'
awk '/operators left/ { more = more || (last && $1 > last); last = $1; ++rounds } END { exit more || !(rounds == 4 && last <= 10) }' bnas-c.said ||
    fail "the space of bnas does not shrink"
holds bnas-c.said '^best: {"space":"bnas-cifar"'
# All ten cells of one block; then the three best of two, and of three.
[ "$(grep ' cells$' pnas-c.said | tr '\n' ' ')" = "10 cells 3 cells 3 cells " ] || { cat pnas-c.said >&2 && fail "pnas has not grown in three rounds"; }
holds pnas-c.said '^best: {"space":"pnas-cifar","cells":\[\["[a-z_0-9]*~[01]"\]'
# So does that of neas; what is found has two paths.
awk '/operators left/ { more = more || (last && $1 > last); last = $1; ++rounds } END { exit more || !(rounds > 2 && last < 22) }' neas-c.said ||
    fail "the space of neas does not shrink"
holds neas-c.said '^best: {"space":"nse-27-small","cells":\[.*,"paths":\[\[.*\],\[.*\]\]}$'
holds neas-c.said '^test accuracy 0\.[0-9]*, model'
# Noise becomes less.
awk '/^noisy/ { better = $5 > $2 + 2 } END { exit !better }' restore-c.said || fail "what restore gives is not better than what it was given"
[ "$(grep -c ': accuracy 0\.' asktell-c.said)" = 16 ] || fail "asktell has not told two rounds of 8"
grep -q '^cancelled, and going on' async-*.said || fail "no async was cancelled"

# Ctrl-C: it saves, and goes on from there to the same front.
mkdir interrupted
cd interrupted
../async-c "$DATA" >../interrupted.raw &
running=$!
until grep -q 'step [1-9]' ../interrupted.raw || ! kill -0 $running 2>/dev/null; do sleep 0.05; done
kill -INT $running
wait $running && fail "async was not interrupted" || [ $? = 130 ] || fail "async did not end as after Ctrl-C"
[ -s async.nse ] || fail "async saved nothing"
../async-c "$DATA" >../interrupted.raw
cd ..
holds interrupted.raw '^going on from async.nse'
tail -n 1 interrupted.raw | cmp - async-c.out/front

# Trainers with loops of their own: a loss that falls, and a network that is better than chance (a tenth).
learns() { awk -v least="$3" 'BEGIN { bad = 1 } $0 ~ "'"$2"'" { bad = !($NF > least) } END { exit bad }' "$1" || fail "$1: not better than $3"; }
for language in c go; do
    run hostdata $language "$DATA"
    holds hostdata-$language.said '^round 2 is complete'
    holds hostdata-$language.said '^front: [0-9]* multiply-accumulates, accuracy 0\.[0-9]*$'
    holds hostdata-$language.said '^best: {"space":"nse-27-small"'
    learns hostdata-$language.said '^trained alone' 0.3
    sed -n 's/^round [12].*: loss \([0-9.]*\),.*/\1/p' hostdata-$language.said | head -n 4 |
        awk 'NR == 1 { first = $1 } { last = $1 } END { exit !(last < 0.95 * first) }' || fail "the loss of hostdata in $language does not fall"
done
run hostdata cpp "$DATA" .
learns hostdata-cpp.said '^own network' 0.3
learns hostdata-cpp.said '^fine-tuned' 0.3
sed -n 's/^fine-tuned: loss \(.*\) before, \(.*\) after; .*/\1 \2/p' hostdata-cpp.said | awk '{ better = $2 < 0.95 * $1 } END { exit !better }' ||
    fail "the trainer's optimizer made nothing better of what was found"
[ -s hostdata-cpp.out/tuned.pt ] || fail "hostdata in C++ saved nothing"

# The training of `make train-demo`, cut short: a curve, and a model in three formats.
${CC:-cc} -std=gnu11 -O2 $strict "$root/examples/c/train.c" -o train-c $link
echo '{"calibration": 64, "train": {"epochs": 0.01, "batch": 64, "ema": 0.9}}' >train.json
run train c "$DATA" . ../train.json
holds train-c.said '^n1kycv.36spet37j1x8sj3: 4.683 M multiply-accumulates, 157146 parameters$'
holds train-c.said '^epoch 1/1  held-out loss'
holds train-c.said '^test loss [0-9.]*, accuracy [0-9.]*%$'
for file in model.safetensors model.onnx model.pt history.json; do
    [ -s "train-c.out/$file" ] || fail "train wrote no $file"
done
