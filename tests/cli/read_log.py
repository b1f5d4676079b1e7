"""Has TensorBoard itself read the log of a run, and holds it against the run's report. PYTHONPATH: see tools/tensorboard.sh."""
import json
import math
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = pathlib.Path(sys.argv[1])
report = json.loads((run / "report.json").read_text())
assert len(list((run / "tensorboard").iterdir())) == 1, "one file for a run"
# Everything, not a sample.
log = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "histograms": 0, "images": 0})
log.Reload()
rounds = report["rounds"]
numbers = [record["round"] for record in rounds]

losses = log.Scalars("supernet/loss")
assert [event.step for event in losses] == list(range(1, sum(record["steps"] for record in rounds) + 1)), "every step once"
assert all(math.isfinite(event.value) for event in losses)
assert math.isclose(losses[-1].value, rounds[-1]["loss"], rel_tol=1e-6)
assert len(log.Scalars("supernet/accuracy")) == len(losses)

best = log.Scalars("round/best_accuracy")
assert [event.step for event in best] == numbers
for event, record in zip(best, rounds):
    assert math.isclose(event.value, max(member["accuracy"] for member in record["front"]), rel_tol=1e-6)
assert [event.value for event in log.Scalars("round/front_size")] == [len(record["front"]) for record in rounds]


def histograms(tag, wanted):
    found = log.Histograms(tag)
    assert [event.step for event in found] == [number for number, values in zip(numbers, wanted) if values], tag
    for event, values in zip(found, filter(None, wanted)):
        histogram = event.histogram_value
        assert histogram.num == len(values) == sum(histogram.bucket), tag
        assert math.isclose(histogram.min, min(values)) and math.isclose(histogram.max, max(values)), tag
        assert math.isclose(histogram.sum, sum(values), abs_tol=1e-9), tag


for cell in range(len(report["space"]["cells"])):
    histograms(f"fitness/cell_{cell:02}", [[fit["theta"] for fit in record["fitness"][cell]] for record in rounds])
for what in ("accuracy", "cost"):
    histograms(f"front/{what}", [[member[what] for member in record["front"]] for record in rounds])
    histograms(f"candidates/{what}", [[point[what] for point in record["candidates"]] for record in rounds])
pictures = log.Images("front/picture")
assert [picture.step for picture in pictures] == numbers
assert all(picture.encoded_image_string.startswith(b"\x89PNG") and picture.width == 1920 for picture in pictures)
