#!/usr/bin/env python3
"""Checks that every source file that a document, or a comment in src/, names is there under that name."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("src", "tests", "benchmarks", "cmake", "scripts", "examples")
NAMED = re.compile(r"`((?:[\w.]+/)*\w+\.(?:cpp|hpp|cmake))`")
IN_COMMENT = re.compile(r"///?.*?((?:\w+/)*\w+\.(?:cpp|hpp))\b")


def files():
    return ["/" + str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*")
            if path.is_file()]


def missing(text, pattern, known):
    """Names in the text that no file of `known` has, with their lines."""
    for number, line in enumerate(text.splitlines(), 1):
        for name in pattern.findall(line):
            if not any(file.endswith("/" + name) for file in known):
                yield number, name


def check():
    known = files()
    faults = []
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    sources = sorted(path for path in (ROOT / "src").rglob("*") if path.suffix in (".cpp", ".hpp"))
    for paths, pattern in ((documents, NAMED), (sources, IN_COMMENT)):
        for path in paths:
            faults += [f"{path.relative_to(ROOT)}:{number}: there is no '{name}'"
                       for number, name in missing(path.read_text(), pattern, known)]
    return faults


if __name__ == "__main__":
    found = check()
    print("\n".join(found) if found else "documents: every file they name is there")
    sys.exit(1 if found else 0)
