#!/usr/bin/env python3
"""Fails on every test that was skipped and is not expected to be: skips.py RESULTS [SHARED [EXPECTED]].

RESULTS is what `ctest --output-junit` writes. tests/expected_skips.txt holds the names that may be skipped where SHARED
(../shared) is absent; a name in it that is no test is a fault, too.
"""
import pathlib
import sys
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent


def faults_of(results, expected, shared):
    """What is wrong with the skips among results (name -> skipped): one line a fault."""
    allowed = set() if shared else set(expected)
    for name in sorted(name for name, skipped in results.items() if skipped and name not in allowed):
        yield f"skips: {name}: skipped (expected it to run" + (", ../shared is there)" if shared else ")")
    for name in sorted(set(expected) - set(results)):
        yield f"skips: {name}: in expected_skips.txt (expected the name of a test)"


def read_results(path):
    cases = xml.etree.ElementTree.parse(path).getroot().iter("testcase")
    return {case.get("name"): case.get("status") in ("notrun", "disabled") for case in cases}


def read_expected(path):
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def main(results, shared=HERE.parent.parent / "shared", expected=HERE / "expected_skips.txt"):
    found = read_results(results)
    faults = list(faults_of(found, read_expected(pathlib.Path(expected)), pathlib.Path(shared).exists()))
    print("\n".join(faults) if faults else f"skips: {sum(found.values())} of {len(found)} tests skipped, as expected")
    return 1 if faults or not found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
