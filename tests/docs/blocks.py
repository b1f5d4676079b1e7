"""Compiles and runs every code block of README.md and docs/*.md, each in a folder of its own that holds small images.

A fence names its language: c, cpp, go, json, csv, sh, or text for what is no code. A program runs as it stands; a part of one needs the
rest, which a comment in front of the fence names:

    <!-- test: frame push -->     tests/docs/frames/push.c (.cpp, .go): the block goes where it says @BLOCK@, its includes, imports and functions @HEAD@
    <!-- test: with worker -->    tests/docs/frames/worker.c is compiled beside it
    <!-- test: file search.c -->  kept under that name for the sh blocks of the same page; what is not a program is only kept
    <!-- test: json space -->     what kind of document it is: json.c lists them
    <!-- test: make -->           an sh block of make targets, which are tested elsewhere: they only have to exist
    <!-- test: service -->        a block that the service's own tests run (examples/go/service/docs_test.go)

    blocks.py ROOT LIBRARY OUT [PAGE...]
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import idx  # noqa: E402

ROOT, LIBRARY, OUT = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
HERE = ROOT / "tests" / "docs"
SECONDS = 300
LANGUAGES = ("c", "cpp", "go", "json", "csv", "sh", "text")
LINK = [f"-L{LIBRARY}", "-lnse", f"-Wl,-rpath,{LIBRARY}"]
STRICT = ["-Wall", f"-I{HERE}/frames", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-variable", "-Wno-unused-but-set-variable", f"-I{ROOT}/include"]


@dataclass
class Block:
    page: pathlib.Path
    line: int
    language: str
    text: str
    marks: dict = field(default_factory=dict)

    @property
    def place(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def program(self):
        return re.search(r"^package main|^int main\(", self.text, re.MULTILINE) is not None


class Failed(Exception):
    pass


def blocks(page):
    """All fenced blocks of a page, with the marks in front of them."""
    lines, found, marks = page.read_text().splitlines(), [], {}
    at = 0
    while at < len(lines):
        mark = re.fullmatch(r"<!-- test: (\w+) ?(.*?) -->", lines[at])
        fence = re.fullmatch(r"```(\w*)", lines[at])
        if mark:
            marks[mark[1]] = mark[2]
        elif fence:
            end = lines.index("```", at + 1)
            found.append(Block(page, at + 1, fence[1], "\n".join(lines[at + 1 : end]) + "\n", marks))
            marks, at = {}, end
        elif lines[at]:
            if marks:
                raise Failed(f"{page.relative_to(ROOT)}:{at + 1}: {marks} stands before no block")
        at += 1
    return found


def run(command, folder, **more):
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, **more
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def images(folder):
    """Fashion-MNIST's files by name, with 32 training images and 16 test images of ten learnable classes."""
    for name, count in (("train", 32), ("t10k", 16)):
        idx.write(folder, name, 28, (i % 10 for i in range(count)), lambda label, row, column: 25 * label if (row + column) % (label + 2) else 255)


def sandbox(block, page_files):
    folder = OUT / f"{block.page.stem}-{block.line}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in (OUT / "data").iterdir():
        (folder / file.name).symlink_to(file)
    for name, text in page_files.items() if block.language == "sh" else ():
        (folder / name).write_text(text)
    (folder / "include").symlink_to(ROOT / "include")
    (folder / "target").mkdir()
    (folder / "target" / "release").symlink_to(LIBRARY)
    return folder


def source(block):
    """The block as a program: framed, unless it is one."""
    if "frame" not in block.marks:
        if not block.program:
            raise Failed("neither a program nor framed")
        return block.text
    lines = block.text.splitlines()
    head, body, inside = [], [], False
    for line in lines:
        begins = re.match(r"(static |func |\w+ \w+\().*\{$", line)
        (head if inside or begins or re.match(r'#include |import ', line) else body).append(line)
        inside = (inside or begins) and line != "}"
    frame = (HERE / "frames" / f"{block.marks['frame']}.{block.language}").read_text()
    return frame.replace("@HEAD@", "\n".join(head)).replace("@BLOCK@", "\n".join(body))


def compiled(block, folder):
    """Compiles a C or C++ block, and returns the command that runs it."""
    file = folder / f"block.{block.language}"
    file.write_text(source(block))
    beside = [HERE / "frames" / f"{name}.c" for name in block.marks.get("with", "").split()]
    if block.language == "c":
        run([os.environ.get("CC", "cc"), "-std=gnu11", *STRICT, file, *beside, "-o", "block", *LINK, "-lpthread", "-lm"], folder)
    else:
        run([os.environ.get("CXX", "c++"), "-std=c++17", *STRICT, f"-I{ROOT}/bindings/cpp/include", file, "-o", "block", *LINK, "-lpthread"], folder)
    return ["./block"]


def built(block, folder):
    """Builds a Go block in a module of its own."""
    module = re.search(r"^module (\S+)", (ROOT / "bindings/go/go.mod").read_text(), re.MULTILINE)[1]
    (folder / "main.go").write_text(source(block))
    (folder / "go.mod").write_text(f"module example.com/block\n\ngo 1.24\n\nrequire {module} v0.0.0\n\nreplace {module} => {ROOT}/bindings/go\n")
    environment = dict(os.environ, CGO_ENABLED="1", GOTOOLCHAIN="local", GOPROXY="off", GOWORK="off", GOFLAGS="-mod=mod", PKG_CONFIG_PATH=os.fspath(LIBRARY / "pkgconfig"))
    run([os.environ.get("GO", "go"), "build", "-o", "block", "."], folder, env=environment)
    return ["./block"]


def document(kind, text, folder):
    (folder / "document").write_text(text)
    run([OUT / "json", kind, "document"], folder)


def shell(block, folder):
    if "make" in block.marks:
        for target in re.findall(r"^make ([\w-]+)", block.text, re.MULTILINE):
            run(["make", "-n", "-C", ROOT, target], folder)
        return
    run(["sh", "-euxc", block.text], folder)


def check(block, files):
    if block.language not in LANGUAGES:
        raise Failed(f"the language {block.language!r} is none of {', '.join(LANGUAGES)}")
    if "service" in block.marks:
        return
    if "file" in block.marks:
        files[block.marks["file"]] = block.text
        if not block.program:
            return
    folder = sandbox(block, files)
    if block.language in ("c", "cpp"):
        run(compiled(block, folder), folder)
    elif block.language == "go":
        run(built(block, folder), folder)
    elif block.language == "json":
        document(block.marks.get("json", ""), block.text, folder)
    elif block.language == "csv":
        document("latency", block.text, folder)
    elif block.language == "sh":
        shell(block, folder)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "data").mkdir(parents=True)
    images(OUT / "data")
    run([os.environ.get("CC", "cc"), "-std=c11", *STRICT, HERE / "json.c", "-o", OUT / "json", *LINK], OUT)
    pages = [pathlib.Path(page).resolve() for page in sys.argv[4:]] or [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    passed, failed = 0, []
    for page in pages:
        files = {}
        for block in blocks(page):
            began = time.monotonic()
            try:
                check(block, files)
                print(f"docs: {block.place} {block.language} {time.monotonic() - began:.1f} s", file=sys.stderr)
                passed += 1
            except (Failed, OSError, subprocess.TimeoutExpired) as error:
                failed.append(f"docs: {block.place}: {error}")
    print(*failed, f"docs: {passed} passed, {len(failed)} failed", sep="\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
