#!/usr/bin/env python3
"""The models of shared/data/models from float to integer with default options, as the table of docs/guide/integer.md.

Claim: every requantisation is exact, QD and ID hold the same integers, accuracy stays within half a point of float.
Usage: models.py NIBBLE SHARED_DATA [NAME...]    needs nothing but Python's own library."""
import ast
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

# name: model, calibration data, its samples, evaluation data
CLASSIFIERS = {
    "MobileNetV1 0.75 224": ("mobilenet_v1_0.75_224", "images:imagenet/calibration", 256, "images:imagenet/validation"),
    "MobileNetV2 1.0 224": ("mobilenet_v2_1.0_224", "images:imagenet/calibration", 256, "images:imagenet/validation"),
    "ResNet-8": ("resnet8_cifar10", "cifar10:cifar10:train", 1000, "cifar10:cifar10:test"),
    "ResNet-8 (MLPerf Tiny)": ("mlperf_tiny_ic_resnet8", "cifar10:cifar10:train", 1000, "cifar10:cifar10:test"),
    "LeNet": ("lenet_cifar10", "cifar10:cifar10:train", 1000, "cifar10:cifar10:test"),
    "DS-CNN keywords": ("mlperf_tiny_kws_dscnn", "npz:kws/kws.npz", 500, "npz:kws/kws.npz"),
    "VWW MobileNetV1 0.25": ("mlperf_tiny_vww_mbv1_025_96", "images:imagenet/calibration", 256, None),
    "Anomaly autoencoder": ("mlperf_tiny_ad_autoencoder", None, 256, None),
    "3DDFA MobileNetV1 0.5": ("3ddfa_mb05_120x120", "images:faces/calibration", 512, "faces"),
}


class Run:
    """One command of nibble: what it says as JSON, its seconds, its peak memory in MB."""

    def __init__(self, nibble, *arguments):
        start = time.monotonic()
        process = subprocess.Popen([nibble, *map(str, arguments), "--json"], stdout=subprocess.PIPE)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.monotonic() - start
        self.megabytes = usage.ru_maxrss / 1024
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"nibble {' '.join(map(str, arguments))} failed")
        self.json = json.loads(text)


def npy(bytes_):
    """A .npy of floats or integers as (shape, flat list)."""
    length = struct.unpack("<H", bytes_[8:10])[0]
    header = ast.literal_eval(bytes_[10:10 + length].decode())
    code = {"<f4": "f", "<f8": "d", "|i1": "b", "|u1": "B", "<i2": "h", "<u2": "H", "<i4": "i", "<i8": "q"}[header["descr"]]
    count = math.prod(header["shape"])
    values = list(struct.unpack(f"<{count}{code}", bytes_[10 + length:]))
    if header["fortran_order"] and len(header["shape"]) == 2:
        rows, columns = header["shape"]
        values = [values[c * rows + r] for r in range(rows) for c in range(columns)]
    return header["shape"], values


def npz(path):
    with zipfile.ZipFile(path) as archive:
        return {name[:-4]: npy(archive.read(name)) for name in archive.namelist()}


def write_features(path, rows, columns):
    """Log-mel like features, normal about -20 dB, seed 1."""
    draw = random.Random(1)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    values = [draw.gauss(-20, 8) for _ in range(rows * columns)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
                         + struct.pack(f"<{len(values)}f", *values))


def without_labels(images, folder):
    """Links to the images alone: their labels are not the network's."""
    folder.mkdir()
    for image in sorted(images.glob("*.jpg")):
        (folder / image.name).symlink_to(image)
    return folder


def landmarks(y, basis):
    """68 points of one face from the network's 62 outputs (shared/data/README.md)."""
    p = [a * s + m for a, s, m in zip(y, basis["std"][1], basis["mean"][1])]
    vertices = list(basis["u"][1])
    for name, first, width in (("w_shape", 12, 40), ("w_expression", 52, 10)):
        weights = basis[name][1]
        for row in range(204):
            vertices[row] += sum(weights[row * width + k] * p[first + k] for k in range(width))
    points = []
    for v in range(68):
        xyz = vertices[3 * v:3 * v + 3]
        q = [sum(p[4 * r + k] * xyz[k] for k in range(3)) + p[4 * r + 3] for r in range(2)]
        points.append((q[0] - 1, 120 - q[1]))
    return points


def face_error(nibble, model, extra, data, limit):
    """Normalised mean error over the test faces."""
    basis = npz(data / "faces/basis.npz")
    _, truth = npy((data / "faces/test/landmarks.npy").read_bytes())
    total = 0
    for face in range(limit):
        image = data / f"faces/test/{face:04d}.jpg"
        output = Run(nibble, "run", model, "--input", image, *extra).json["outputs"][0]
        scale, zero = output.get("scale", 1), output.get("zero_point", 0)
        found = landmarks([(v - zero) * scale for v in output["values"]], basis)
        true = [(truth[(face * 68 + i) * 2], truth[(face * 68 + i) * 2 + 1]) for i in range(68)]
        xs, ys = [x for x, _ in true], [y for _, y in true]
        size = math.sqrt((max(xs) - min(xs)) * (max(ys) - min(ys)))
        total += sum(math.dist(a, b) for a, b in zip(found, true)) / 68 / size
    return total / limit


def row(nibble, data, name, folder):
    model, calibration, samples, evaluation = CLASSIFIERS[name]
    fp = data / "models" / f"{model}.onnx"
    preprocess = data / "models" / f"{model}.preprocess.json"
    extra = ["--preprocess", preprocess] if preprocess.exists() else []
    if calibration is None:
        write_features(folder / "features.npz", 512, 640)
        calibration = f"npz:{folder}/features.npz"
    else:
        kind, path = calibration.split(":", 1)
        calibration = f"{kind}:{data}/{path}"
        if evaluation is None:
            calibration = f"images:{without_labels(data / path, folder / 'images')}"
    fq, qd, id_ = (folder / f"{stage}.onnx" for stage in ("fq", "qd", "id"))
    quantize = Run(nibble, "quantize", fp, "--data", calibration, "--samples", samples, *extra, "-o", fq)
    integerize = Run(nibble, "integerize", fq, "-o", id_)
    Run(nibble, "integerize", fq, "--stop-at", "qd", "-o", qd)
    tested = calibration
    if evaluation == "faces":
        tested = f"images:{data}/faces/test"
    elif evaluation:
        kind, path = evaluation.split(":", 1)
        tested = f"{kind}:{data}/{path}"
    equal = Run(nibble, "compare", qd, id_, "--data", tested)
    differing = sum(layer["differing"] for layer in equal.json["layers"])
    elements = sum(layer["elements"] for layer in equal.json["layers"])
    if evaluation == "faces":
        of_fp, of_id = (face_error(nibble, m, e, data, 385) for m, e in ((fp, extra), (id_, [])))
        accuracy = f"error {of_fp:.5f} | {of_id:.5f} | {100 * (of_id / of_fp - 1):+.2f} %"
    elif evaluation:
        of_fp, of_id = (100 * Run(nibble, "evaluate", m, "--data", tested, *e).json["value"] for m, e in ((fp, extra), (id_, [])))
        accuracy = f"{of_fp:.2f} % | {of_id:.2f} % | {of_id - of_fp:+.2f}"
    else:
        layers = Run(nibble, "compare", fp, id_, "--data", tested, "--limit", 256, *extra).json["layers"]
        accuracy = f"- | - | {layers[-1]['sqnr_db']:.1f} dB"
    cells = [name, accuracy, f"{integerize.json['exact']} of {integerize.json['requantisations']}", f"{differing} of {elements:,}",
             f"{quantize.seconds:.1f} + {integerize.seconds:.1f} s", f"{max(quantize.megabytes, integerize.megabytes):.0f} MB"]
    return "| " + " | ".join(cells) + " |"


def main():
    nibble, data, names = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]
    print("| network | float | ID | change | exact requantisations | integers that differ, QD to ID | time | memory |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names or CLASSIFIERS:
        with tempfile.TemporaryDirectory() as folder:
            print(row(nibble, data, name, pathlib.Path(folder)), flush=True)


if __name__ == "__main__":
    main()
