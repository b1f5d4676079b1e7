#!/bin/sh
# Prints the licences of the Rust crates that are in the library, and their texts: who hands the library on hands these on too.
#
#     licences.sh
set -eu
cd "$(dirname "$0")/.."
${CARGO:-cargo} metadata --offline --format-version 1 --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" | python3 -c '
import json, pathlib, sys

metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
uses = {node["id"]: [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])] for node in metadata["resolve"]["nodes"]}
root = metadata["resolve"]["root"]
found, waiting = set(), [root]
while waiting:
    package = waiting.pop()
    if package not in found:
        found.add(package)
        waiting += uses[package]
print("nse is under the licence in the file LICENSE. The library holds these Rust crates, and the standard library of Rust (MIT or Apache-2.0):\n")
texts = {}
for package in sorted((packages[one] for one in found - {root}), key=lambda one: (one["name"], one["version"])):
    name, authors = "{name} {version}".format(**package), ", ".join(package["authors"])
    print(name + ": " + package["license"] + (", by " + authors if authors else ""))
    for file in sorted(pathlib.Path(package["manifest_path"]).parent.rglob("*")):
        if file.is_file() and file.name.lower().startswith(("licen", "copying", "notice", "copyright", "unlicense")):
            texts.setdefault(file.read_text(errors="replace").strip(), []).append(name)
for text, names in texts.items():
    print("\n" + "=" * 100 + "\n" + ", ".join(dict.fromkeys(names)) + "\n\n" + text)
'
