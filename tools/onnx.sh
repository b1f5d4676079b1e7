#!/bin/sh
# Prints a folder with the Python packages onnx and onnxruntime and what they need, for the tests of exported models. They are for Python 3.11.
set -eu
. "$(dirname "$0")/common.sh"

dest="$CACHE/onnx-1.23.2"
lock
if [ ! -d "$dest" ]; then
    scratch
    say "fetching onnx 1.23.2 and onnxruntime 1.32.0 (54 MB, once) into $dest"
    wheel flatbuffers==25.12.19 7634f50c427838bb021c2d66a3d1168e9d199b0607e6329399f04846d42e20b4
    wheel ml_dtypes==0.6.0 6c8e39b53e90afda8ce52859c93de4dba3e02b76d85dcf091cc469f9184c6dae
    wheel numpy==2.4.6 89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93
    wheel onnx==1.23.2 c03ecf6b835d136108eeaeeafbd0026fc7b3cf98661409fbc6b63d5a29361348
    wheel onnxruntime==1.32.0 5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d
    wheel packaging==26.4 81383611a09c1bc0b08b76e0fd5829d7c6824c65b27a6aee339da133f4233ea2
    wheel protobuf==7.36.2 89f23aa53c24553a2416fd4fd1ec06f74fa42b14b546d8883128813f775bbfd2
    wheel typing_extensions==4.16.0 481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
    mkdir "$SCRATCH/packages"
    unpack_wheels "$SCRATCH/packages" '*'
    mv "$SCRATCH/packages" "$dest"
fi
echo "$dest"
