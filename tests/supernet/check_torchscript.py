"""Holds the TorchScript files of a folder, in Python's PyTorch, against what cases.json and the files beside them say: see onnx.rs."""

import json
import sys
from pathlib import Path

import torch

folder = Path(sys.argv[1])
cases = json.loads((folder / "cases.json").read_text())
for case in cases:
    name, shape = case["name"], case["shape"]
    card = {"nse.json": ""}
    model = torch.jit.load(str(folder / f"{name}.pt"), map_location="cpu", _extra_files=card)
    assert json.loads(card["nse.json"]) == case["card"], name
    images, expected = (
        torch.frombuffer(bytearray((folder / f"{name}.{end}").read_bytes()), dtype=torch.float32) for end in ("in", "out")
    )
    images, expected = images.reshape(shape), expected.reshape(shape[0], -1)
    with torch.no_grad():
        for few in (slice(0, 1), slice(0, 5)):  # any number of images
            got = model(images[few])
            assert got.shape == expected[few].shape, (name, got.shape)
            apart = (got - expected[few]).abs().max().item()
            assert apart < 1e-4, (name, apart)
    # What was read can be trained on: every parameter that takes part has a gradient.
    model(images).square().sum().backward()
    parameters = dict(model.named_parameters())
    missing = [key for key, parameter in parameters.items() if parameter.grad is None]
    assert parameters and not missing, (name, missing)
print(len(cases), "models")
