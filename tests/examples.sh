#!/bin/sh
# Builds the quickstart in C, C++ and Go as a user would, runs all three on a part of Fashion-MNIST, and compares what they say.
# Then the trainer in C that pushes its batches, and the training of a found network with a recipe of seconds.
#
#     NSE_LIB  folder of libnse.so
#     DATA     folder of Fashion-MNIST
#     OUT      folder to build in
#     GO       go command; default: go
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
: "${NSE_LIB:?}" "${DATA:?}" "${OUT:?}"
link="-L$NSE_LIB -lnse -Wl,-rpath,$NSE_LIB"
strict="-Wall -Wextra -pedantic -Werror -I$root/include"

${CC:-cc} -std=c11 $strict "$root/examples/c/quickstart.c" -o "$OUT/quickstart-c" $link
${CXX:-c++} -std=c++17 $strict -I"$root/bindings/cpp/include" "$root/examples/cpp/quickstart.cpp" -o "$OUT/quickstart-cpp" $link
(cd "$root/examples/go/quickstart" && CGO_LDFLAGS="$link" GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=readonly \
    ${GO:-go} build -o "$OUT/quickstart-go" .)
${CC:-cc} -std=gnu11 -Wall -Wextra -pedantic -Werror -I"$root/include" -O2 "$root/examples/c/trainer.c" -o "$OUT/trainer" $link -lm
# The demo is run by `make demo`; here it only has to compile cleanly.
${CC:-cc} -std=gnu11 -Wall -Wextra -Werror -I"$root/include" -fsyntax-only "$root/examples/c/demo.c"

for language in c cpp go; do
    folder="$OUT/quickstart-$language-out"
    mkdir -p "$folder"
    echo "examples: quickstart in $language"
    # Progress lines overwrite each other and hold times; what follows the last carriage return of a line is a result.
    OMP_NUM_THREADS=1 "$OUT/quickstart-$language" "$DATA" "$folder" 0.01 | sed 's/.*\r.*//; s#model in .*#model#' >"$folder/said"
    [ -s "$folder/model.pt" ] || { echo "quickstart in $language wrote no model" >&2; exit 1; }
done
grep -q '^best: {"space":"nse-27-small"' "$OUT/quickstart-c-out/said"
grep -q '^test accuracy 0\.[0-9]*, model' "$OUT/quickstart-c-out/said"
cmp "$OUT/quickstart-c-out/said" "$OUT/quickstart-cpp-out/said"
cmp "$OUT/quickstart-c-out/said" "$OUT/quickstart-go-out/said"

# The trainer with a loop of its own: two rounds, and a loss that falls.
echo "examples: trainer"
OMP_NUM_THREADS=1 "$OUT/trainer" "$DATA" >"$OUT/trainer-said"
grep -q '^round 2 is complete' "$OUT/trainer-said"
grep -q '^front: [0-9]* multiply-accumulates, accuracy 0\.[0-9]*$' "$OUT/trainer-said"
grep -q '^best: {"space":"nse-27-small"' "$OUT/trainer-said"
sed -n 's/^round 2.*: loss \([0-9.]*\),.*/\1/p' "$OUT/trainer-said" | awk 'NR == 1 { first = $1 } { last = $1 } END { exit !(last < 0.95 * first) }'

# The training of `make train-demo`, cut short: a curve, and a model in three formats.
echo "examples: train"
${CC:-cc} -std=gnu11 -Wall -Wextra -Werror -I"$root/include" -O2 "$root/examples/c/train.c" -o "$OUT/train" $link
mkdir -p "$OUT/train-out"
rm -f "$OUT"/train-out/*
echo '{"calibration": 64, "train": {"epochs": 0.01, "batch": 64, "ema": 0.9}}' >"$OUT/train-options.json"
OMP_NUM_THREADS=1 "$OUT/train" "$DATA" "$OUT/train-out" "$OUT/train-options.json" >"$OUT/train-said"
grep -q '^n1kycv.36spet37j1x8sj3: 4.683 M multiply-accumulates, 157146 parameters$' "$OUT/train-said"
grep -q '^epoch 1/1  held-out loss' "$OUT/train-said"
grep -q '^test loss [0-9.]*, accuracy [0-9.]*%$' "$OUT/train-said"
for file in model.safetensors model.onnx model.pt history.json; do
    [ -s "$OUT/train-out/$file" ] || { echo "train wrote no $file" >&2; exit 1; }
done
