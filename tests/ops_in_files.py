#!/usr/bin/env python3
"""Holds in how many files of src/ each op is named: what a new one would have to touch.

A function of one real needs three: its formula, its row in the table of what is read, libtorch's form; passes and
dialects that are about it name it besides. An op with rules of its own needs its struct, its row of traits, shapes,
meaning, range, its row of what is read, reading, libtorch's form, its lowering. A private list of ops makes one file more of each that
it names, and fails here. Remarks and sentences in quotes name nothing.
"""
import pathlib
import re
import sys

# Networks to train, which are made of ops as a file is.
NETWORKS = {"lab/topology.cpp", *(f"lab/networks/{file}.cpp" for file in ("blocks", "detectors", "dense_networks"))}
# No graph is seen there: a Table or a Split is something else.
ELSEWHERE = ("report/", "backends/", "lab/study/", "lab/store/")
ROOT = pathlib.Path(__file__).resolve().parent.parent
MOST = {"NIBBLE_STRUCTURED_OPS": 9, "NIBBLE_REAL_FUNCTIONS": 6, "NIBBLE_INTEGER_FUNCTIONS": 10}
# Functions that nothing singles out: one list more of them all, and these are one file too many.
FEWER = {"Elu": 3, "Erf": 4, "Selu": 3, "Shrink": 3, "LeakyRelu": 6, "InterpolatedTable": 6, "TableSoftmax": 7, "RoundedDivision": 6,
         "IntegerNormalization": 7}
# Whose name is what the code is about: reason, and for each op the most files.
EXCEPTIONS = {
    "passes, planners and writers of layers are about the linear ops, each of which weighs differently":
        {"Conv": 44, "Gemm": 42, "MatMul": 36, "ConvTranspose": 25, "BatchNormalization": 20},
    "arithmetic is what passes match and emit, and every dialect spells in its own way":
        {"Add": 57, "Mul": 44, "Sub": 28, "Div": 27, "Neg": 15, "Clip": 49, "Relu": 19, "Identity": 27, "Abs": 13, "Pow": 10,
         "Min": 13, "Max": 14, "Where": 20},
    "quantisers and what becomes of them are what the product is about":
        {"Quantise": 57, "Dequantise": 20, "Rescale": 20, "Requantise": 30, "FloorDivide": 17, "Threshold": 21,
         "Table": 18},
    "a mean is summed, divided or refused, in each dialect by another window":
        {"AveragePool": 22, "GlobalAveragePool": 14, "ReduceMean": 22, "SumPool": 23, "ReduceSum": 27, "MaxPool": 24},
    "passes move data over other ops, each kind by its own axes, and dialects place it":
        {"Concat": 36, "Pad": 28, "Resize": 25, "Transpose": 26, "Reshape": 25, "Unsqueeze": 20, "Flatten": 20,
         "Gather": 19, "Squeeze": 17, "Split": 15, "Slice": 16, "Dropout": 12},
    "is lowered as integers and, in a tail, as reals": {"ArgMax": 11},
    "a mask and a quantiser are planned around it": {"Softmax": 15},
    "a pass makes it of its parts, and a file of an opset without it has them": {"LayerNormalization": 11, "HardSwish": 7},
    "alone raises the opset of a file, and is in pieces in older ones": {"Gelu": 10},
    "norms are read, recognised and written in pieces of them": {"RmsNormalization": 10, "ReduceMax": 12, "Sqrt": 9},
    "ways of rounding bear the name too": {"Floor": 36, "Ceil": 9},
    "has a quantised form of its own in two dialects, and is a piece of others": {"Sigmoid": 9},
}


def ops_of(source, family):
    """The ops of one of the lists that graph/ops.hpp and graph/ops_functions.hpp make the closed set of."""
    text = "".join((source / f"graph/{file}.hpp").read_text() for file in ("ops", "ops_functions"))
    listed = re.search(rf"#define {family}\(X\)(.*?[^\\])\n", text, re.S)
    return re.findall(r"X\((\w+)\)", listed.group(1))


def names_in(text):
    """The words of a source, without remarks and without what stands in quotes as more than one word."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
    kept = token.sub(lambda t: t.group() if re.fullmatch(r'"\w+"', t.group()) else " ", text)
    return set(re.findall(r"\w+", kept))


def limits_of(source):
    most = {op: limit for family, limit in MOST.items() for op in ops_of(source, family)}
    for listed in (FEWER, *EXCEPTIONS.values()):
        yield from ((op, "is no op") for op in listed if op not in most)
    own = {op: limit for listed in EXCEPTIONS.values() for op, limit in listed.items()}
    yield from ((op, "is no exception") for op, limit in own.items() if limit <= most.get(op, 0))
    yield from ({**most, **FEWER, **own}).items()


def check(source):
    files = [path for path in sorted(source.rglob("*")) if path.suffix in (".c", ".h", ".cpp", ".hpp")
             and not path.relative_to(source).as_posix().startswith(ELSEWHERE)]
    words = {path.relative_to(source).as_posix(): names_in(path.read_text()) for path in files}
    counted = 0
    for op, limit in limits_of(source):
        named = [path for path, names in words.items() if op in names and path not in NETWORKS]
        if isinstance(limit, str):
            yield f"{op} {limit}"
        elif len(named) > limit:
            yield f"{op} is named in {len(named)} files (at most {limit}): {', '.join(named)}"
        counted += 1
    if counted < 70:
        yield f"graph/ops.hpp: {counted} ops found (expected the closed set)"


def check_itself():
    named = names_in('// Add\nnode.op_type() == "Sub"; /* Mul */ "a Div of two"; graph::Neg{};')
    if named & {"Add", "Sub", "Mul", "Div", "Neg"} != {"Sub", "Neg"}:
        yield f"ops in files: {named} (expected Sub and Neg)"


if __name__ == "__main__":
    found = [*check(ROOT / "src"), *check_itself()]
    print("\n".join(found) if found else "ops in files: within their bounds")
    sys.exit(1 if found else 0)
