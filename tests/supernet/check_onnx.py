"""Holds the ONNX files of a folder against what cases.json and the files beside them say: see onnx.rs."""

import json
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime

folder = Path(sys.argv[1])
cases = json.loads((folder / "cases.json").read_text())
for case in cases:
    name, shape = case["name"], case["shape"]
    path = str(folder / f"{name}.onnx")
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    assert model.opset_import[0].version >= 17, model.opset_import
    assert json.loads({p.key: p.value for p in model.metadata_props}["nse.json"]) == case["card"], name
    kinds = {node.op_type for node in model.graph.node}
    # Of stacked cells some stand behind no convolution.
    assert ("BatchNormalization" in kinds) == (case["stacked"] or not case["fold"]), (name, kinds)
    assert ("Sigmoid" in kinds) == case["swish"], (name, kinds)
    assert ("HardSigmoid" in kinds) == case["hard"], (name, kinds)
    images = numpy.fromfile(folder / f"{name}.in", numpy.float32).reshape(shape)
    expected = numpy.fromfile(folder / f"{name}.out", numpy.float32).reshape(shape[0], -1)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for few in (slice(0, 1), slice(0, 5)):  # any number of images
        got = session.run(["logits"], {"images": images[few]})[0]
        assert got.shape == expected[few].shape, (name, got.shape)
        apart = numpy.abs(got - expected[few]).max()
        assert apart < 1e-4, (name, apart)
print(len(cases), "models")
