#!/usr/bin/env python3
"""Runs examples/studies/mnist_2x2x2.json whole, 2x2x2 combinations by 3 seeds by 3 folds, on the first 240 images, and
asks it its question: mnist_study.py NIBBLE OUT. Skipped (77) without MNIST (NIBBLE_DATA)."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys

import small_study

IMAGES = 240


def write(folder, images):
    """The first of MNIST's test images in its own files, and the study that takes them."""
    folder.mkdir(parents=True)
    for name, header, size in (("t10k-images-idx3-ubyte", ">4i", 784), ("t10k-labels-idx1-ubyte", ">2i", 1)):
        data = (pathlib.Path(os.environ["NIBBLE_DATA"]) / "mnist" / name).read_bytes()
        fields = list(struct.unpack_from(header, data))
        fields[1] = images
        begin = struct.calcsize(header)
        (folder / name).write_bytes(struct.pack(header, *fields) + data[begin:begin + images * size])
    study = json.loads((small_study.EXAMPLES / "mnist_2x2x2.json").read_text())
    study["data"]["train"] = f"mnist:{folder}:test"
    study["train"]["batch_size"] = 32
    (folder / "study.json").write_text(json.dumps(study))
    return folder / "study.json"


def lab(nibble, *arguments):
    return subprocess.run([nibble, "lab", *map(str, arguments)], check=True, capture_output=True, text=True,
                          timeout=900).stdout


def faults_of(plan, answer, status, page):
    if "72 runs = 8 combinations by 3 seeds by 3 folds; 9 float trainings" not in plan:
        yield f"plan: {plan}"
    if "72 done" not in status:
        yield f"status: {status}"
    names = [variant["name"] for variant in answer["variants"]]
    if len(names) != 8 or answer["missing"] or answer["blocks"]["count"] != 3:
        yield f"combinations {names}, missing {answer['missing']}, blocks {answer['blocks']}"
    for variant in answer["variants"]:
        low, high = variant.get("interval", [0, 1])
        if not 0.4 < variant["accuracy"] < 1 or not 0 <= low <= variant["accuracy"] <= high <= 1:
            yield f"{variant['name']}: {variant['accuracy']} within {low} and {high}"
    if answer["test"]["name"] != "corrected_resampled_t" or len(answer["differences"]) != 7:
        yield f"answered by {answer['test']}, {len(answer['differences'])} differences"
    if not all(0 <= one["p"] <= one["p_adjusted"] <= 1 for one in answer["differences"]):
        yield f"differences: {answer['differences']}"
    if not all(name in page for name in names):
        yield "the report lacks combinations"


def main(nibble, folder):
    if not (pathlib.Path(os.environ.get("NIBBLE_DATA", "")) / "mnist" / ".complete").exists():
        print("skipped: NIBBLE_DATA holds no MNIST (scripts/fetch_mnist)")
        return 77
    folder = pathlib.Path(folder).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    study, out = write(folder, IMAGES), folder / "run"
    plan = lab(nibble, study, "--out", out, "--plan")
    lab(nibble, study, "--out", out, "--jobs", 2, "--quiet")
    answer = json.loads(lab(nibble, "compare", out, "--margin", 2, "--json"))
    lab(nibble, "report", out, "-o", folder / "report.html")
    faults = list(faults_of(plan, answer, lab(nibble, "status", out), (folder / "report.html").read_text()))
    print("\n".join(faults) if faults else "72 runs, and their answer: " + answer["test"]["reason"])
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
