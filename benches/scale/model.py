"""The tables of docs/scale.md that are no measurement: the model there, with constants that are given here.

    model.py [PER_BYTE [CONVERT]]    seconds that a rank takes for a byte of a sum, and for one of the conversions, as scale.py measures them
"""

import math
import random
import sys

RANKS = [1, 8, 64, 512]
PER_BYTE = float(sys.argv[1]) if len(sys.argv) > 1 else 0.65e-9
# Published space, 22 cells, five of 27 operators active: nse_search_estimate, weights and momenta of 161 MB, half of them open.
BYTES = 80.5e6
TENSORS = 500
PART, CANDIDATE, COUNT = 0.05, 0.5, 1000
LATENCY = 50e-6
# What a gradient takes to become whole numbers and back, for a byte of the sum.
CONVERT = float(sys.argv[2]) if len(sys.argv) > 2 else 0.5e-9
# How much of a part is the backward pass, beside which buckets are added; src/dist/crew.rs has their size.
BACKWARD = 0.6
SPREAD = 0.05


def ring(ranks, size, bandwidth):
    """Seconds of a sum or a maximum: everyone sends and adds 2 (N - 1) times an N-th of it."""
    turns = 2 * (ranks - 1)
    return turns * (LATENCY + size / ranks * (1 / bandwidth + PER_BYTE))


def slowest(ranks, turns=2000):
    """How much longer than the mean the slowest of so many takes, in the mean: simulated."""
    stream = random.Random(1)
    return sum(max(stream.gauss(1, SPREAD) for _ in range(ranks)) for _ in range(turns)) / turns


def step(ranks, bandwidth):
    """One part for a rank, the sums, what is left of them after the backward pass, and the last maximum."""
    buckets = math.ceil(BYTES / max(2**22, ranks * 2**17))
    sums = (ranks > 1) * CONVERT * BYTES + buckets * (ring(ranks, BYTES / buckets, bandwidth) + ring(ranks, 8 * (ranks + TENSORS / buckets), bandwidth))
    return PART * slowest(ranks), sums, max(sums / buckets, sums - BACKWARD * PART), ring(ranks, 8 * 3 * ranks, bandwidth)


def main():
    print(f"a part of {PART * 1e3:.0f} ms, {BYTES / 1e6:.1f} MB a sum, {LATENCY * 1e6:.0f} us a message, {PER_BYTE * 1e9:.2f} ns a byte, spread {SPREAD:.0%}")
    for gigabits in (10, 25, 100):
        print(f"\n{gigabits} Gb/s\n| ranks | part | sums | left of them | maximum | step | images of a step, to one rank | candidates |\n|---|---|---|---|---|---|---|---|")
        for ranks in RANKS:
            parts = step(ranks, gigabits / 8 * 1e9)
            share = math.ceil(COUNT / ranks) * CANDIDATE
            taken = parts[0] + parts[2] + parts[3]
            print(f"| {ranks} | {' | '.join(f'{one * 1e3:.0f} ms' for one in parts)} | {taken * 1e3:.0f} ms | {ranks * PART / taken:.1f} | {share:.1f} s |")


main()
