"""Writes images as files of MNIST's format."""

import gzip
import pathlib
import struct


def write(folder, name, side, labels, pixel, compressed=("images", "labels")):
    """NAME-images-idx3-ubyte and NAME-labels-idx1-ubyte: a square image of `pixel(label, row, column)` for each of `labels`."""
    labels = bytes(labels)
    pixels = bytes(pixel(label, row, column) for label in labels for row in range(side) for column in range(side))
    files = {
        "images": (f"{name}-images-idx3-ubyte", struct.pack(">4I", 0x803, len(labels), side, side) + pixels),
        "labels": (f"{name}-labels-idx1-ubyte", struct.pack(">2I", 0x801, len(labels)) + labels),
    }
    for kind, (file, content) in files.items():
        if kind in compressed:
            file, content = f"{file}.gz", gzip.compress(content)
        (pathlib.Path(folder) / file).write_bytes(content)
