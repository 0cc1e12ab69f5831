#!/usr/bin/env python3
"""Holds in how many files of src/ an op is named: what a new one would have to touch.

A function of one real needs three: its formula, its row in the table of what is read, libtorch's form; passes and
dialects that are about it name it besides. An op with rules of its own needs its struct, shapes, meaning, row, reading,
libtorch's form and traits. A private list of ops makes one file more of each that it names, and fails here.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOST = {
    # Functions that nothing singles out: one list more of them all, and these are one file too many.
    "Elu": 3, "Erf": 3, "Selu": 3, "Shrink": 3,
    # What a PRelu of one slope is read as.
    "LeakyRelu": 4,
    # Functions that passes recognise by name.
    "Softplus": 6, "HardSigmoid": 6, "HardSwish": 6, "Tanh": 6, "Mish": 6, "Swish": 6,
    # Ops with rules of their own: of reals, of integers.
    "LogSoftmax": 8, "InterpolatedTable": 8, "RoundedDivision": 8, "TableSoftmax": 8, "IntegerNormalization": 8,
}


def files_that_name(source, op):
    word = re.compile(rf"\b{op}\b")
    files = [path for path in sorted(source.rglob("*")) if path.suffix in (".c", ".h", ".cpp", ".hpp")]
    return [str(path.relative_to(source)) for path in files if word.search(path.read_text())]


def check(source, most):
    for op, limit in most.items():
        files = files_that_name(source, op)
        if not files:
            yield f"{op} is no op"
        elif len(files) > limit:
            yield f"{op} is named in {len(files)} files (at most {limit}): {', '.join(files)}"


if __name__ == "__main__":
    found = list(check(ROOT / "src", MOST))
    print("\n".join(found) if found else "ops in files: within their bounds")
    sys.exit(1 if found else 0)
