"""Writes the four files of a tiny data set: 12 x 12 stripes in three directions, in the format of MNIST."""
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import idx  # noqa: E402

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
draw = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)


def pixel(label, y, x):
    along = (y, x, x + y)[label]
    return (160 if along % 4 < 2 else 40) + draw.randrange(64)


for part, count in (("train", 96), ("t10k", 30)):
    idx.write(folder, part, 12, (i % 3 for i in range(count)), pixel, compressed=("images",))
