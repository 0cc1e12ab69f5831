#!/usr/bin/env python3
"""Checks that a quantiser's algorithm costs at most three files: those in src/ that mention its name are its struct in
quant/learning, its form on tensors in train where it has one, and the list NIBBLE_ALGORITHMS.

Prints each algorithm's files.
"""
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src"
LIST = pathlib.PurePath("quant/learning/learning.hpp")


def algorithms(source):
    line = re.search(r"^#define NIBBLE_ALGORITHMS\(X\)(.*)$", (source / LIST).read_text(), re.M)
    return [name.lower() for name in re.findall(r"X\((\w+)\)", line.group(1))] if line else []


def mentions(source, name):
    word = re.compile(rf"(?<![A-Za-z0-9]){name}(?![a-z0-9])", re.I)  # also as part of a name: AnaForm, wants_inq
    return sorted(p.relative_to(source) for p in source.rglob("*.?pp") if word.search(p.read_text()))


def check(source):
    names = algorithms(source)
    faults = [] if names else [f"src/{LIST} has no list NIBBLE_ALGORITHMS"]
    for name in names:
        found = mentions(source, name)
        allowed = {LIST, pathlib.PurePath(f"quant/learning/{name}.hpp"), pathlib.PurePath(f"train/network/{name}.cpp")}
        faults += [f"src/{path} mentions '{name}'" for path in found if pathlib.PurePath(path) not in allowed]
        print(f"{name}: {len(found)} files")
    return faults


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
    print("\n".join(found))
    sys.exit(1 if found else 0)
