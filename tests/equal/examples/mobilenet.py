#!/usr/bin/env python3
"""Runs examples/mobilenet as a user would and checks what it promises: mobilenet.py NIBBLE RUN OUT."""
import json
import pathlib
import subprocess
import sys

BUDGET = 400 * 1024
WEIGHTS = [8, 4, 4, 4, 8, 4, 4, 4] + [8] * 18 + [4]
ACTIVATIONS = [4, 4, 2, 8, 4, 4, 4] + [8] * 18 + [2, 8]


def main(nibble, run, out):
    done = subprocess.run([run, nibble, out], timeout=900)
    if done.returncode != 0:
        return done.returncode
    load = lambda name: json.loads((pathlib.Path(out) / name).read_text())
    faults = []
    for name in ("8bit", "400kb"):
        report = load(f"{name}.integerize.json")
        if report["requantisations"] == 0 or report["exact"] != report["requantisations"]:
            faults.append(f"{name}: {report['exact']} of {report['requantisations']} requantisations are exact")
        if not report["overflow_free"]:
            faults.append(f"{name}: accumulators may overflow")
    full, fitted = (load(f"{name}.memory.json")["memory"]["layers"] for name in ("8bit", "400kb"))
    # What brings the pixels onto the input's grid stands before the first layer.
    above = [layer["bytes"] > BUDGET for layer in full if layer["op"] != "Requantise"]
    if above != [True] * 7 + [False] * (len(above) - 7):
        faults.append("at 8 bits it is not the first seven layers that exceed the budget")
    faults += [f"{layer['name']}: {layer['bytes']} bytes" for layer in fitted if layer["bytes"] > BUDGET]
    convolutions = [layer for layer in fitted if layer["op"] == "Conv"]
    if [layer["weight_bits"] for layer in convolutions] != WEIGHTS + [8]:
        faults.append("the weights do not have the policy's bits")
    if [layer["outputs"][0]["bits"] for layer in convolutions] != ACTIVATIONS + [32]:
        faults.append("the activations do not have the policy's bits")
    print("\n".join(faults) if faults else "examples/mobilenet keeps its promises")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
