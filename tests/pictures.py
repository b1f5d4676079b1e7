"""Writes clean.ppm and noisy.ppm, a picture of 48 x 40 without and with noise, to a folder.

    pictures.py FOLDER
"""

import pathlib
import random
import sys

WIDTH, HEIGHT = 48, 40


def clean(x, y):
    """A disc and a bar on a ground that changes slowly."""
    ground = (60 + 2 * y, 90 + x, 140 - y)
    if (x - 16) ** 2 + (y - 18) ** 2 < 110:
        return (230, 200 - 2 * y, 60)
    return (40, 60, 200) if 32 < x < 40 else ground


def write(path, pixels):
    path.write_bytes(b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT) + bytes(value for pixel in pixels for value in pixel))


folder, draw = pathlib.Path(sys.argv[1]), random.Random(1)
picture = [clean(x, y) for y in range(HEIGHT) for x in range(WIDTH)]
write(folder / "clean.ppm", picture)
write(folder / "noisy.ppm", [[min(255, max(0, round(value + draw.gauss(0, 30)))) for value in pixel] for pixel in picture])
