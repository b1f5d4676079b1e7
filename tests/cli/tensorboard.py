"""Has TensorBoard itself read the log of a run, and holds it against the run's report. PYTHONPATH: see tools/tensorboard.sh."""
import json
import math
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

run = pathlib.Path(sys.argv[1])
report = json.loads((run / "report.json").read_text())
assert len(list((run / "tensorboard").iterdir())) == 1, "one file for a run"
log = EventAccumulator(str(run / "tensorboard"), size_guidance={"tensors": 0})
log.Reload()
tags = set(log.Tags()["tensors"])


def values(tag):
    assert tag in tags, f"{tag} is not among {sorted(tags)}"
    return [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in log.Tensors(tag)]


rounds = report["rounds"]
steps = sum(record["steps"] for record in rounds)
losses = values("supernet/loss")
assert [step for step, _ in losses] == list(range(1, steps + 1)), "every step once"
assert all(math.isfinite(float(loss)) for _, loss in losses)
assert math.isclose(float(losses[-1][1]), rounds[-1]["loss"], rel_tol=1e-6)
best = [(record["round"], max(member["accuracy"] for member in record["front"])) for record in rounds]
assert [(step, round(float(value), 6)) for step, value in values("round/best_accuracy")] == [(n, round(a, 6)) for n, a in best]
assert [int(value) for _, value in values("round/front_size")] == [len(record["front"]) for record in rounds]
for cell in range(len(report["space"]["cells"])):
    # Rows of left edge, right edge and count.
    counts = [int(buckets[:, 2].sum()) for _, buckets in values(f"fitness/cell_{cell:02}")]
    assert counts == [len(record["fitness"][cell]) for record in rounds if record["fitness"][cell]], cell
for tag in ("front/accuracy", "front/cost", "candidates/accuracy", "candidates/cost"):
    assert len(values(tag)) == len(rounds), tag
pictures = values("front/picture")
assert len(pictures) == len(rounds) and all(bytes(picture[2]).startswith(b"\x89PNG") for _, picture in pictures)
