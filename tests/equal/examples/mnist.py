#!/usr/bin/env python3
"""Runs a description of examples/mnist as a user would and checks what it promises:
mnist.py NIBBLE EXPERIMENT OUT [VARIANT ...]. With names, these variants alone, unless NIBBLE_EVERY_VARIANT is set."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

# What a variant's integer network may lose against float.
LOSSES = {"w8a8": 0.001, "w4a8": 0.003, "ste": 0.004, "pact": 0.004, "tqt": 0.006, "lsq": 0.004, "ana": 0.004,
          "inq": 0.005, "lsq-2": 0.015, "ternary": 0.012, "folded": 0.004}


def faults_of(variant, full, by):
    """What a variant's rows, by representation, do not keep of the promises."""
    fq, qd, integer = by["FQ"], by["QD"], by["ID"]
    floor = full - LOSSES[variant]
    if integer["accuracy"] < floor:
        yield f"accuracy {integer['accuracy']} (expected at least {floor:.4f}, of {full})"
    if abs(integer["accuracy"] - fq["accuracy"]) >= 0.0005:
        yield f"accuracy {integer['accuracy']} and {fq['accuracy']} when fake-quantised"
    if qd["differing_integers"] != 0 or qd["compared_integers"] < 10_000 * 1000:
        yield f"{qd['differing_integers']} of {qd['compared_integers']} integers differ from QD"
    if integer["requantisations"] == 0 or integer["exact"] != integer["requantisations"]:
        yield f"{integer['exact']} of {integer['requantisations']} requantisations are exact"
    if fq["differing_integers"] >= 1e-4 * fq["compared_integers"] or fq["compared_integers"] < 10_000 * 1000:
        yield f"{fq['differing_integers']} of {fq['compared_integers']} integers differ from float32's"
    yield from (f"{row['model']} is missing" for row in by.values() if not pathlib.Path(row["model"]).exists())


def with_variants(experiment, names, out):
    """The description, or one beside its results that has the named variants alone."""
    if not names or os.environ.get("NIBBLE_EVERY_VARIANT"):
        return experiment
    description = json.loads(pathlib.Path(experiment).read_text())
    description["quantize"] = [variant for variant in description["quantize"] if variant["name"] in names]
    fewer = pathlib.Path(out).with_suffix(".json")
    fewer.parent.mkdir(parents=True, exist_ok=True)
    fewer.write_text(json.dumps(description))
    return str(fewer)


def main(nibble, experiment, out, *names):
    if not (pathlib.Path(os.environ.get("NIBBLE_DATA", "")) / "mnist" / ".complete").exists():
        print("skipped: NIBBLE_DATA holds no MNIST (scripts/fetch_mnist)")
        return 77
    shutil.rmtree(out, ignore_errors=True)
    experiment = with_variants(experiment, names, out)
    subprocess.run([nibble, "lab", experiment, "--out", out], check=True, timeout=900)
    by_variant = {}
    for row in json.loads((pathlib.Path(out) / "results.json").read_text())["rows"]:
        by_variant.setdefault(row["variant"], {})[row["representation"]] = row
    full = by_variant.pop("")["FP"]["accuracy"]
    faults = [] if full >= 0.990 else [f"float accuracy {full} (expected at least 0.990)"]
    described = [variant["name"] for variant in json.loads(pathlib.Path(experiment).read_text())["quantize"]]
    if list(by_variant) != described:
        faults.append(f"results of {list(by_variant)} (expected {described})")
    for variant, by in by_variant.items():
        faults += [f"{variant}: {fault}" for fault in faults_of(variant, full, by)]
    print("\n".join(faults) if faults else f"{experiment} keeps its promises")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
