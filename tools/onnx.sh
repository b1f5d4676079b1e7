#!/bin/sh
# Prints a folder with the Python packages onnx and onnxruntime and what they need, for the tests of exported models: for the python3 on
# PATH, 3.11 to 3.14.
set -eu
. "$(dirname "$0")/common.sh"

WHEEL_PYTHON=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') || die "the tests of ONNX need python3"
dest="$CACHE/onnx-1.23.2-python$WHEEL_PYTHON"
lock
if [ ! -d "$dest" ]; then
    case $WHEEL_PYTHON in 3.1[1-4]) ;; *) die "onnx and onnxruntime are known for Python 3.11 to 3.14, python3 is $WHEEL_PYTHON" ;; esac
    scratch
    say "fetching onnx 1.23.2 and onnxruntime 1.32.0 (54 MB, once) into $dest"
    wheel flatbuffers==25.12.19 7634f50c427838bb021c2d66a3d1168e9d199b0607e6329399f04846d42e20b4
    wheel ml_dtypes==0.6.0 \
        6c8e39b53e90afda8ce52859c93de4dba3e02b76d85dcf091cc469f9184c6dae \
        3b4a480aa8fd54a1805b8ac10f3f91763926a74f73c0c364c10f9231854f4170 \
        26b1f1fa4f0435a2946859823f6e2bf06796f1e9f10f5a05b08a5e3c8f46ff69 \
        8f490c003369ce60e514a0c3b12374f05274c101fee1bead6740ec8a564032b0
    wheel numpy==2.4.6 \
        89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93 \
        90f9849678c75fe7afa2d348ac842c168b0a4d3d61919687216dfc547976d853 \
        a7830bab239b79cda9c08c2da014761cafb48da6150e1da17ac06283f43b6089 \
        a2c306dea656c12c68f51f4cea133cbe78ca7435eb28c735eac1d3ebe73be6e8
    wheel onnx==1.23.2 \
        c03ecf6b835d136108eeaeeafbd0026fc7b3cf98661409fbc6b63d5a29361348 \
        7abf381d278f31ac62487fddedc9dd42da842dce94d5d43536836ee3efdf4a2b
    wheel onnxruntime==1.32.0 \
        5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d \
        99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8 \
        02ea12a28c069ea8510093d95a7f6ff8126bfd9fc5c0d3381c03b80fb2b424ba \
        48b878f9551d465aa79ee94ecaf49a1f6b5d27f2975efa775ded374db14d0af1
    wheel packaging==26.4 81383611a09c1bc0b08b76e0fd5829d7c6824c65b27a6aee339da133f4233ea2
    wheel protobuf==7.36.2 89f23aa53c24553a2416fd4fd1ec06f74fa42b14b546d8883128813f775bbfd2
    wheel typing_extensions==4.16.0 481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
    mkdir "$SCRATCH/packages"
    unpack_wheels "$SCRATCH/packages" '*'
    mv "$SCRATCH/packages" "$dest"
fi
echo "$dest"
