"""Writes the four files of a tiny data set: 12 x 12 stripes in three directions, in the format of MNIST."""
import gzip
import pathlib
import random
import struct
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
draw = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)


def pixel(label, y, x):
    along = (y, x, x + y)[label]
    return (160 if along % 4 < 2 else 40) + draw.randrange(64)


for part, count in (("train", 96), ("t10k", 30)):
    labels = [i % 3 for i in range(count)]
    images = bytes(pixel(label, y, x) for label in labels for y in range(12) for x in range(12))
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">IIII", 0x803, count, 12, 12) + images)
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + bytes(labels))
