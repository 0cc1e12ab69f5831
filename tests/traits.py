#!/usr/bin/env python3
"""Checks that a fact about an op stands once, in graph/op_traits.

Elsewhere in src/ no function is called is_linear or moves (what differs from the table has a name that says how), no
statement lists the linear ops, and no list of strings or comparison names ops of the closed set.
"""
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src"
TABLE = {"graph/op_traits.hpp", "graph/op_traits.cpp", "graph/op_table.hpp"}
PRIVATE = re.compile(r"\bbool (?:is_linear|moves|only_moves|moves_data|reorders|reshapes|is_pointwise|same_grid_input|never_negative)\(")
LINEAR = re.compile(r"holds_alternative<(?:graph::)?(Conv|Gemm|MatMul)>")


def op_names(source):
    """The names of the ops with rules of their own, as files and the text form have them."""
    listed = "".join(re.findall(r"#define NIBBLE_(?:STRUCTURED_OPS|REAL_FUNCTIONS|INTEGER_FUNCTIONS)\(X\)(.*?[^\\])\n",
                                "".join((source / f"graph/{file}.hpp").read_text() for file in ("ops", "ops_functions")), re.S))
    return set(re.findall(r"X\((\w+)\)", listed))


def faults_of(path, text, names):
    if path in TABLE:
        return []
    faults = []

    def report(at, what):
        faults.append(f"{path}:{text.count(chr(10), 0, at) + 1}: {what} (expected a question of graph/op_traits.hpp)")

    for match in PRIVATE.finditer(text):
        report(match.start(), f"'{match.group().rstrip('(')}'")
    for statement in re.finditer(r"[^;{}]+", text):
        if len(set(LINEAR.findall(statement.group()))) == 3:
            report(statement.start(), "a list of the linear ops")
    for match in re.finditer(r'"(\w+)"(?:\s*,\s*"(\w+)")+', text):
        if all(name in names for name in re.findall(r'"(\w+)"', match.group())):
            report(match.start(), "a list of ops by name")
    for match in re.finditer(r'[!=]= "(\w+)"', text if "graph::name_of(" in text else ""):
        if match.group(1) in names:
            report(match.start(), "an op asked for by its name")
    return faults


def check(source):
    names = op_names(source)
    faults = [] if len(names) > 70 else [f"graph/ops.hpp: {len(names)} ops found (expected the closed set)"]
    for path in sorted(source.rglob("*.[ch]pp")):
        faults += faults_of(path.relative_to(source).as_posix(), path.read_text(), names)
    return faults


def check_itself(names):
    """Each kind of private list is found."""
    for text in ("bool is_linear(const Op& op) {", "static bool moves(const graph::Op& op) {",
                 "return holds_alternative<Conv>(op) || holds_alternative<graph::Gemm>(op) ||\n"
                 "       holds_alternative<MatMul>(op);",
                 'for (auto each : {"Flatten", "Reshape"})',
                 'const auto name = graph::name_of(node.op);\nreturn name == "Flatten";'):
        if not faults_of("x.cpp", text, names):
            return [f"traits: not found: {text} (expected a fault)"]
    return [] if not faults_of("graph/op_traits.cpp", "bool is_linear(const Op& op) {", names) else ["traits: the table"]


if __name__ == "__main__":
    faults = check(SOURCE) + check_itself(op_names(SOURCE))
    print("\n".join(faults) or "traits: every fact about an op stands once")
    sys.exit(1 if faults else 0)
