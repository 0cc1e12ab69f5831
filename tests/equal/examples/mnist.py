#!/usr/bin/env python3
"""Runs examples/mnist as a user would and checks what it promises: mnist.py NIBBLE EXPERIMENT OUT."""
import json
import os
import pathlib
import shutil
import subprocess
import sys


def main(nibble, experiment, out):
    if not (pathlib.Path(os.environ.get("NIBBLE_DATA", "")) / "mnist" / ".complete").exists():
        print("skipped: NIBBLE_DATA holds no MNIST (scripts/fetch_mnist)")
        return 77
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([nibble, "lab", experiment, "--out", out], check=True, timeout=900)
    rows = json.loads((pathlib.Path(out) / "results.json").read_text())["rows"]
    by = {(r["representation"], r["weights"]): r for r in rows}
    full = by["FP", 32]["accuracy"]
    faults = []
    if full < 0.990:
        faults.append(f"float accuracy {full} (expected at least 0.990)")
    for bits, loss in ((8, 0.001), (4, 0.003)):
        fq, qd, integer = by["FQ", bits], by["QD", bits], by["ID", bits]
        if integer["accuracy"] < full - loss:
            faults.append(f"{bits}/8: accuracy {integer['accuracy']} (expected within {loss} of {full})")
        if qd["differing_integers"] != 0 or qd["compared_integers"] < 10_000 * 1000:
            faults.append(f"{bits}/8: {qd['differing_integers']} of {qd['compared_integers']} integers differ from QD")
        if integer["requantisations"] == 0 or integer["exact"] != integer["requantisations"]:
            faults.append(f"{bits}/8: {integer['exact']} of {integer['requantisations']} requantisations are exact")
        if fq["differing_integers"] >= 1e-4 * fq["compared_integers"]:
            faults.append(f"{bits}/8: {fq['differing_integers']} integers differ from float32's")
        if fq["compared_integers"] < 10_000 * 1000:
            faults.append(f"{bits}/8: only {fq['compared_integers']} integers of FQ were compared")
        faults += [f"{r['model']} is missing" for r in (fq, qd, integer) if not pathlib.Path(r["model"]).exists()]
    print("\n".join(faults) if faults else "examples/mnist keeps its promises")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
