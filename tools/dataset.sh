#!/bin/sh
# Prints a folder with the four IDX files of Fashion-MNIST (Xiao et al. 2017, MIT licence), from Debian's package.
set -eu
. "$(dirname "$0")/common.sh"

dest="$CACHE/fashion-mnist"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching Fashion-MNIST (31 MB, once) into $dest"
    unpack_deb dataset-fashion-mnist "$SCRATCH/deb"
    cd "$SCRATCH/deb/usr/share/datasets/fashion-mnist"
    sha256sum --quiet --check >&2 <<'SUMS' || die "the Fashion-MNIST files do not have the expected content"
cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa  t10k-images-idx3-ubyte.gz
8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05  t10k-labels-idx1-ubyte.gz
b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7  train-images-idx3-ubyte.gz
0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056  train-labels-idx1-ubyte.gz
SUMS
    mv "$PWD" "$dest"
fi
echo "$dest"
