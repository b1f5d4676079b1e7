#!/bin/sh
# Prints a folder that has, as PYTHONPATH, TensorBoard's own reader of event files: for the tests. No TensorFlow.
set -eu
. "$(dirname "$0")/common.sh"

WHEEL_PYTHON="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
dest="$CACHE/tensorboard-2.20.0-$WHEEL_PYTHON"
lock
if [ ! -d "$dest" ]; then
    case "$WHEEL_PYTHON" in
        3.11) numpy=ba10f8411898fc418a521833e014a77d3ca01c15b0c6cdcce6a0d2897e6dbbdf ;;
        3.12) numpy=fd83c01228a688733f1ded5201c678f0c53ecc1006ffbc404db9f7a899ac6249 ;;
        3.13) numpy=1bc23a79bfabc5d056d106f9befb8d50c31ced2fbc70eedb8155aec74a45798f ;;
        *) die "no numpy is known for Python $WHEEL_PYTHON: tools/tensorboard.sh knows 3.11 to 3.13" ;;
    esac
    scratch
    say "fetching TensorBoard's reader (23 MB, once) into $dest"
    wheel tensorboard==2.20.0 9dc9f978cb84c0723acf9a345d96c184f0293d18f166bb8d59ee098e6cfaaba6
    wheel protobuf==6.33.0 35be49fd3f4fefa4e6e2aacc35e8b837d6703c37a2168a55ac21e9b1bc7559ef
    wheel absl-py==2.3.1 eeecf07f0c2a93ace0772c92e596ace6d3d3996c042b2128459aaae2a76de11d
    wheel packaging==25.0 29572ef2b1f17581046b3a2227d5c611fb25ec70ca1ba8554b24b0e69331a484
    wheel numpy==2.2.6 "$numpy"
    unpack_wheels "$SCRATCH/python" 'tensorboard/*' 'google/*' 'absl/*' 'packaging/*' 'numpy/*' 'numpy.libs/*'
    mv "$SCRATCH/python" "$dest"
fi
echo "$dest"
