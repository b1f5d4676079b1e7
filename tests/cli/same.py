"""Two reports are of the same search: all but the times, and where its files are, is equal."""
import json
import sys


def timeless(path):
    report = json.load(open(path))
    report.pop("event")
    for key in ("checkpoint", "tensorboard"):
        report["options"].pop(key)
    for record in report["rounds"]:
        record.pop("seconds")
    return report


first, second = map(timeless, sys.argv[1:])
for key in first:
    assert first[key] == second[key], key
assert first.keys() == second.keys()
