#!/bin/sh
# The command line as somebody uses it who knows nothing else: every command, what it says when something is wrong, and Ctrl-C.
#
#     NSE          the program
#     PURE         the same on a libnse.so without libtorch
#     OUT          folder to work in
#     TENSORBOARD  folder of TensorBoard's reader, see tools/tensorboard.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${NSE:?}" "${PURE:?}" "${OUT:?}" "${TENSORBOARD:?}"
export OMP_NUM_THREADS=1
rm -rf "$OUT"
mkdir -p "$OUT"
cd "$OUT"
python3 "$here/images.py" data

die() { echo "cli: $*" >&2; exit 1; }

# ends CODE TEXT COMMAND...: the command ends with CODE, and TEXT is in what it says on stdout or stderr.
ends() {
    code=$1 text=$2
    shift 2
    set +e
    "$@" >said 2>&1
    got=$?
    set -e
    [ "$got" = "$code" ] || { cat said >&2; die "$got instead of $code: $*"; }
    grep -qF -e "$text" said || { cat said >&2; die "\"$text\" is not said by: $*"; }
}

# json EXPRESSION COMMAND...: stdout is one JSON document, of which the expression of Python (d) is true. Any exit code.
json() {
    expression=$1
    shift
    "$@" >document 2>/dev/null || :
    python3 -c 'import json, sys; d = json.load(open("document")); assert eval(sys.argv[1]), (sys.argv[1], d)' "$expression" ||
        die "not true of what this writes: $*"
}

cat >space.json <<'SPACE'
{"name": "tiny", "input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "stem": {"channels": 8, "stride": 2},
 "cells": [{"kind": "normal"}, {"kind": "reduce", "channels": 12}, {"kind": "normal"}],
 "operators": ["mbconv_k3_t1", "mbconv_k3_t3", "mbconv_k5_t3", "rec_k5_t1"], "tail": {"channels": 16}}
SPACE
cat >options.json <<'OPTIONS'
{"seed": 2, "rounds": 2, "active": 3, "train": {"epochs": 2, "batch": 16}, "candidates": {"count": 4, "extras": 2},
 "score": {"calibration": 32, "batch": 64}, "held_out": 0.25}
OPTIONS
echo '[1]' >list.json
base="--data data --space space.json --budget 90k --low 30k"
tiny="$base --options options.json"
# Other images, and a file that is cut off.
python3 "$here/images.py" other 2
cp -r data broken
head -c 50 data/train-labels-idx1-ubyte >broken/train-labels-idx1-ubyte

echo "cli: help"
ends 0 "nse search --data DIR" "$NSE" --help
for command in search resume show report train export measure doctor space; do
    ends 0 "Usage: nse $command" "$NSE" $command --help
    "$NSE" help $command >/dev/null || die "help $command"
done
for command in search resume show report train export measure doctor "space describe"; do
    ends 0 "Examples:" "$NSE" $command --help
done
ends 0 "75  interrupted" "$NSE" --help
ends 0 "libnse" "$NSE" version
json 'd["nse"] == d["libnse"]' "$NSE" version --json

echo "cli: a search, its results"
"$NSE" search $tiny --out run --json >result 2>progress
python3 -c 'import json; d = json.load(open("result")); assert d["done"] and d["completed"] == 2 and d["best"]["code"]'
grep -q "round 2 of 2: " progress || die "progress does not tell of rounds"
for file in search.nse report.html report.json best.json run.json tensorboard/events.out.tfevents.nse; do
    [ -s "run/$file" ] || die "run/$file is missing"
done
PYTHONPATH="$TENSORBOARD" python3 "$here/read_log.py" run
ends 0 "rounds   2 of 2, complete" "$NSE" show run
ends 0 "cell  1  " "$NSE" show run/search.nse
json 'd["done"] and len(d["rounds"]) == 2 and d["report"] == 1' "$NSE" show run --json
json 'd["chosen"]["costs"]["macs"] <= d["front"][0]["macs"] and d["chosen"]["code"] == d["front"][0]["code"]' "$NSE" show run --json \
    --max-cost "$(python3 -c 'import json; print(json.load(open("run/report.json"))["front"][0]["cost"])')"
ends 3 "max_cost: 1 is below" "$NSE" show run --max-cost 1
for format in html json svg png diagram; do
    "$NSE" report run --format $format --out "r.$format" >/dev/null
    [ -s "r.$format" ] || die "no $format"
done
"$NSE" report run --format svg --out - | cmp - r.svg
ends 0 "run/report.html" "$NSE" report run

echo "cli: interrupted and gone on with"
"$NSE" search $tiny --out whole --quiet >/dev/null
# The same, interrupted over and over again.
code=$(python3 "$here/interrupt.py" "$NSE" search $tiny --out cut)
[ "$code" = 75 ] || die "an interrupted search ended with $code"
grep -q "nse resume cut" interrupted || die "an interrupted search does not say how to go on"
cp -r cut started
for again in 1 2 3; do
    [ "$code" != 75 ] || code=$(python3 "$here/interrupt.py" "$NSE" resume cut)
done
[ "$code" = 0 ] || "$NSE" resume cut --quiet >/dev/null || die "a resumed search ended with $?"
python3 "$here/same.py" whole/report.json cut/report.json
PYTHONPATH="$TENSORBOARD" python3 "$here/read_log.py" cut
ends 0 "the search is complete" "$NSE" resume cut
mv cut moved
ends 0 "best:" "$NSE" resume moved --data data

echo "cli: training, exports"
ends 0 "test accuracy" "$NSE" train run --data data --out model.pt --epochs 2 --batch 16
[ -s model.pt ] || die "no model"
"$NSE" train run --data data --out model.safetensors --epochs 2 --batch 16 --quiet >/dev/null
for file in from.pt from.onnx from.safetensors; do
    ends 0 "$file" "$NSE" export model.safetensors --out $file
    [ -s $file ] || die "no $file"
done
cmp model.safetensors from.safetensors
ends 0 "folded" "$NSE" export model.safetensors --out folded --format onnx --fold --normalise
ends 3 "/fold" "$NSE" export model.safetensors --out x.safetensors --fold
ends 4 "no/model" "$NSE" export no/model --out x.onnx
ends 4 "space.json" "$NSE" export space.json --out x.onnx
ends 2 "say --format" "$NSE" export model.safetensors --out x.bin
json '0 <= d["test_accuracy"] <= 1 and d["format"] == "torchscript"' "$NSE" train --arch run/best.json --space space.json --data data \
    --out again.pt --epochs 1 --batch 16 --json
best=$(python3 -c 'import json; print(json.load(open("run/report.json"))["best"]["code"])')
json 'd["code"] == "'"$best"'"' "$NSE" train --arch "$best" --space space.json --data data --out again.pt --epochs 1 --batch 16 --json

# Interrupted, and the same command again: the same model.
"$NSE" train run --data data --out slow.safetensors --epochs 40 --batch 16 --quiet >/dev/null
cp slow.safetensors whole.safetensors && rm slow.safetensors
timeout -s INT 3 "$NSE" train run --data data --out slow.safetensors --epochs 40 --batch 16 --quiet >said 2>&1 || :
"$NSE" train run --data data --out slow.safetensors --epochs 40 --batch 16 --quiet >/dev/null
cmp whole.safetensors slow.safetensors
[ ! -e slow.safetensors.checkpoint ] || die "the checkpoint of a finished training is left"

echo "cli: measuring, spaces, doctor"
json 'len(d["networks"]) == 5 and -1 <= d["rank_correlation"] <= 1 and all(n["measured_ms"] > 0 for n in d["networks"])' \
    "$NSE" measure --space space.json --networks 5 --repeats 2 --warmup 1 --out table.csv --json
ends 0 "rank correlation (Spearman)" "$NSE" measure --space space.json --networks 4 --repeats 2 --warmup 0 --out table.csv
ends 0 "latency" "$NSE" space describe --space space.json --cost latency --latency table.csv --budget 1000
ends 0 "nse-27-small" "$NSE" space list
json 'd["cells"] == 3 and d["budget"]["satisfiable"]' "$NSE" space describe --space space.json --budget 90k --json
json 'd["name"] == "nse-27-small" and d["classes"] == 7' "$NSE" space json --overrides '{"classes": 7}'
ends 0 "libtorch  2." "$NSE" doctor
json 'd["healthy"] and d["runtime"]["runtime"]["cuda"]["reason"] is not False' "$NSE" doctor --json
ends 5 "cannot be written to" "$NSE" doctor --folder no/such/folder

echo "cli: what is wrong is named"
ends 2 "Usage: nse" "$NSE"
ends 2 "--budgte" "$NSE" search --budgte 3
ends 2 "lots" "$NSE" search --data data --budget lots --out x
ends 2 "--budget COST is needed" "$NSE" search --data data --space space.json --out x
ends 2 "gif" "$NSE" report run --format gif
ends 3 "seeed" "$NSE" search $base --options '{"seeed": 1}' --out x
ends 3 "no-such-space" "$NSE" search --data data --space no-such-space --budget 90k --out x
ends 3 "the space reaches" "$NSE" search --data data --space space.json --options options.json --budget 10 --low 1 --out x
ends 3 "run: holds a search already" "$NSE" search $tiny --out run
ends 3 "[1] is not a JSON object" "$NSE" search $base --options list.json --out x
ends 3 "is no character of a code" "$NSE" train --arch 1.0x --space space.json --data data --out x.pt
ends 3 "onxx" "$NSE" train run --data data --out x.pt --epochs 0.1 --batch 16 --format onxx
ends 4 "no/data" "$NSE" search --data no/data --budget 90k --out x
ends 4 "neither train-images-idx3-ubyte nor" "$NSE" search --data run --budget 90k --out x
ends 4 "broken/train-labels-idx1-ubyte" "$NSE" search --data broken --space space.json --budget 90k --out x
ends 4 "no/run" "$NSE" show no/run
ends 4 "there is no search in this folder" "$NSE" show data
ends 4 "space.json" "$NSE" report space.json
ends 4 "no/such/folder" "$NSE" train run --data data --out no/such/folder/model.pt
ends 4 "other images" "$NSE" resume started --data other
ends 5 "tpu" "$NSE" search $tiny --device tpu --out x
json 'd["error"]["exit_code"] == 4 and "no/run" in d["error"]["message"]' "$NSE" show no/run --json
json 'd["error"]["status"] == "NSE_ERR_CONFIG" and d["error"]["detail"]["document"] == "search options"' \
    "$NSE" search $base --options '{"seeed": 1}' --out x --json

echo "cli: without libtorch"
ends 0 "rounds   2 of 2, complete" "$PURE" show run
"$PURE" report run --out pure.html >/dev/null
ends 5 "built without libtorch" "$PURE" doctor
ends 5 "needs libtorch" "$PURE" search $tiny --out y
