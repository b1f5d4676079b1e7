"""What more ranks cost and bring: measures the constants of docs/scale.md on this machine, and prints its tables: `make bench-scale`.

    scale.py NETWORK STEPS OUT [TURNS]    NETWORK, STEPS: the programs made of network.rs and steps.c

Runs are in turns, one rank on one core and two on two, each rank on a core of its own; figures are medians over all of them, with the middle half, and go to
OUT/scale.json. Ranks that share cores, four on two, are not timed. On a machine that does other things too only the work is of use: what a rank's core did for it.
"""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys

NETWORK, STEPS, OUT = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
TURNS = int(sys.argv[4]) if len(sys.argv) > 4 else 5
CORES = sorted(os.sched_getaffinity(0))[:2]
COUNTS = [1, 1_000, 30_000, 300_000, 3_000_000]

SMALL = {"input": {"channels": 3, "height": 32, "width": 32}, "classes": 10, "layout": "NR", "repeats": [1, 2, 2, 1], "stem_stride": 2}
# Name: space, changes, channels, side and classes of the images, batch, steps, candidates.
SETTINGS = {
    "S": ("nse-27", {**SMALL, "channels": [16, 24, 40, 80]}, 3, 32, 10, 128, 16, 64),
    "S, 4 times as wide": ("nse-27", {**SMALL, "channels": [64, 96, 160, 320]}, 3, 32, 10, 64, 8, 48),
}


def port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return str(any_port.getsockname()[1])


def launch(size, command):
    """Lines of JSON that rank 0 prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port()}
    ranks = [
        subprocess.Popen(
            ["taskset", "-c", str(CORES[rank]), *map(str, command)], env={**environment, "RANK": str(rank)}, stdout=subprocess.PIPE, text=True
        )
        for rank in range(size)
    ]
    said = [rank.communicate()[0] for rank in ranks]
    assert all(rank.returncode == 0 for rank in ranks), command
    return [json.loads(line) for line in said[0].splitlines()]


def spread(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": middle, "low": low, "high": high, "runs": len(values)}


def text(values, unit=1e3):
    return f"{values['median'] * unit:.3g} ({values['low'] * unit:.3g} to {values['high'] * unit:.3g})"


def network():
    """Seconds of a sum by bytes, and what a straight line through them says: a + b * bytes."""
    sums, maxima, converted = {}, {}, {}
    for _ in range(TURNS):
        for line in launch(2, [NETWORK, 9, *COUNTS]):
            sums.setdefault(line["bytes"], []).extend(line["sum"])
            maxima.setdefault(line["bytes"], []).extend(line["max"])
            converted.setdefault(line["bytes"], []).extend(line["convert"])
    print("\nbetween two ranks of this machine: bytes, ms of a sum, ms of a maximum, ms of conversions")
    for size, values in sums.items():
        print(f"  {size:>10}  {text(spread(values))}  {text(spread(maxima[size]))}  {text(spread(converted[size]))}")
    medians = {size: statistics.median(values) for size, values in sums.items()}
    least, greatest = min(medians), max(medians)
    return {
        "sum": {size: spread(values) for size, values in sums.items()},
        "max": {size: spread(values) for size, values in maxima.items()},
        "convert": {size: spread(values) for size, values in converted.items()},
        "convert_per_byte": statistics.median(converted[greatest]) / greatest,
        "latency": medians[least],
        "per_byte": (medians[greatest] - medians[least]) / (greatest - least),
    }


def steps(name):
    space, overrides, channels, side, classes, batch, count, candidates = SETTINGS[name]
    arguments = [space, json.dumps(overrides), channels, side, classes, batch]
    (estimate,) = launch(1, [STEPS, "estimate", *arguments, 2, count, candidates])
    # Weights and momenta of the active operators, 4 bytes each; half of the operators are open in a step, and a sum has 8 bytes a number.
    sent = estimate["memory"]["weights"] / 2
    found = {}
    for _ in range(TURNS):
        for size in (1, 2):
            (line,) = launch(size, [STEPS, *arguments, 2, count, candidates])
            for what in ("steps", "candidates"):
                seconds, work = found.setdefault((what, size), ([], []))
                for done, took, worked in line[what]:
                    seconds.append(took / done)
                    work.append(worked / done)
    print(f"\n{name}: batches of {batch} images in 2 parts, about {sent / 1e6:.2f} MB a sum; ms, and ms of rank 0's work")
    report = {"batch": batch, "sent": sent}
    for what in ("steps", "candidates"):
        alone, both, own, part = (spread(found[what, size][which]) for which in (0, 1) for size in (1, 2))
        # Of n candidates that two ranks score, rank 0 has half, and the event counts all.
        ratio, least = alone["median"] / both["median"], own["median"] / part["median"]
        report[what] = {"alone": alone, "both": both, "ratio": ratio, "work_alone": own, "work_of_two": part, "work_ratio": least}
        print(f"  {what:<10}  one rank {text(alone)}, two {text(both)}: {ratio:.2f} times the throughput")
        print(f"  {'':<10}  work     {text(own)}, each {text(part)}: {least:.2f}")
    return report


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()
    report = {"load": load, "turns": TURNS, "network": network(), "settings": {name: steps(name) for name in SETTINGS}}
    print(f"\na sum: {report['network']['latency'] * 1e6:.0f} us and {report['network']['per_byte'] * 1e9:.2f} ns a byte, conversions {report['network']['convert_per_byte'] * 1e9:.2f} ns; load when it began {load[0]:.1f}")
    (OUT / "scale.json").write_text(json.dumps(report, indent=1))


main()
