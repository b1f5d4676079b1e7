#!/bin/sh
# Writes src/export/onnx_proto.rs anew, with prost-build, from the description of the official onnx.proto that the wheel of onnx carries.
# Only for whoever changes the version of onnx in tools/onnx.sh or of prost in Cargo.toml.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tools/common.sh"
packages=$("$root/tools/onnx.sh")
scratch
mkdir "$SCRATCH/src" "$SCRATCH/out"
PYTHONPATH=$packages python3 - "$SCRATCH/onnx.fds" <<'PY'
import sys
from google.protobuf import descriptor_pb2
from onnx import onnx_ml_pb2
files = descriptor_pb2.FileDescriptorSet()
onnx_ml_pb2.DESCRIPTOR.CopyToProto(files.file.add())
open(sys.argv[1], "wb").write(files.SerializeToString())
PY
cat >"$SCRATCH/Cargo.toml" <<'TOML'
[package]
name = "onnx-proto"
version = "0.0.0"
edition = "2021"
[dependencies]
prost = "0.14"
prost-build = { version = "0.14", default-features = false }
prost-types = "0.14"
TOML
cat >"$SCRATCH/src/main.rs" <<'RUST'
use prost::Message;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = prost_types::FileDescriptorSet::decode(&std::fs::read("onnx.fds")?[..])?;
    Ok(prost_build::Config::new().disable_comments(["."]).out_dir("out").compile_fds(files)?)
}
RUST
(cd "$SCRATCH" && cargo run --quiet >&2)
version=$(PYTHONPATH=$packages python3 -c "import onnx; print(onnx.__version__)")
{
    echo "//! Messages of ONNX, made by prost-build from the official onnx.proto (version $version, Apache-2.0): see tools/onnx-proto.sh."
    echo
    tail -n +2 "$SCRATCH/out/onnx.rs"
} >"$root/src/export/onnx_proto.rs"
