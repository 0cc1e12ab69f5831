#!/usr/bin/env python3
"""Signal to quantisation noise at the outputs, 8/8 bits: min_max, common grids and nearest weights against the defaults.

Claim: what is measured gains several dB in the median and no network is worse by more than what examples differ by: the table
of docs/guide/integer.md.
Networks of lab's topologies are trained a little on drawn shapes; those of SHARED_DATA/models are measured where they are.
Usage: ranges.py NIBBLE [SHARED_DATA [NAME...]]    needs nothing but Python's own library."""
import json
import math
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import zipfile

TRAINED = {  # topology: epochs
    "efficientnet_tiny": 6,
    "mobilenet_v3_tiny": 6,
    "detector_silu": 8,
    "detector_leaky": 8,
    "face_detector": 8,
    "text_detector": 6,
    "depth_network": 6,
    "controller": 20,
}
# name: calibration data, other data
SHARED = {
    "mobilenet_v1_0.75_224": ("images:imagenet/calibration", "images:imagenet/validation"),
    "mobilenet_v2_1.0_224": ("images:imagenet/calibration", "images:imagenet/validation"),
    "3ddfa_mb05_120x120": ("images:faces/calibration", "images:faces/test"),
    "resnet8_cifar10": ("cifar10:cifar10:train", "cifar10:cifar10:test"),
    "mlperf_tiny_ic_resnet8": ("cifar10:cifar10:train", "cifar10:cifar10:test"),
    "lenet_cifar10": ("cifar10:cifar10:train", "cifar10:cifar10:test"),
    "mlperf_tiny_kws_dscnn": ("npz:kws/kws.npz", "npz:kws/kws.npz"),
}
SIZE, CLASSES, CALIBRATION, OTHER = 64, 3, 256, 64


def write_npz(path, **arrays):
    """Arrays as (dtype, shape, bytes)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, (dtype, shape, data) in arrays.items():
            header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
            header += " " * (-(10 + len(header) + 1) % 64) + "\n"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def drawn(draw):
    """An image of noise with a box, an ellipse or a cross of one colour in it; its class, and where: centre and extents."""
    dim = draw.randrange(40, 160)
    pixels = bytearray(byte * dim // 256 for byte in draw.randbytes(SIZE * SIZE * 3))
    kind, w, h = draw.randrange(CLASSES), draw.randrange(10, 40), draw.randrange(10, 40)
    x, y = draw.randrange(w // 2, SIZE - w // 2), draw.randrange(h // 2, SIZE - h // 2)
    colour = bytes(draw.randrange(256) for _ in range(3))
    for row in range(max(0, y - h // 2), min(SIZE, y + h // 2)):
        for column in range(max(0, x - w // 2), min(SIZE, x + w // 2)):
            u, v = 2 * (column - x) / w, 2 * (row - y) / h
            if kind == 0 or (kind == 1 and u * u + v * v <= 1) or (kind == 2 and min(abs(u), abs(v)) < 0.3):
                pixels[(row * SIZE + column) * 3:(row * SIZE + column) * 3 + 3] = colour
    return bytes(pixels), kind, (x, y, w, h)


def detections(kind, box):
    """[5 + classes, cells] of a detector: the cell of either size in which the centre lies has it."""
    rows = [[] for _ in range(5 + CLASSES)]
    for cell in (8, 16):
        for i in range((SIZE // cell) ** 2):
            here = i == box[1] // cell * (SIZE // cell) + box[0] // cell
            for k in range(4):
                rows[k].append(float(box[k]) if here else 0.0)
            rows[4].append(float(here))
            for k in range(CLASSES):
                rows[5 + k].append(float(here and k == kind))
    return sum(rows, [])


def faces(kind, box):
    """[15, cells] of a face detector: the box, a score, and its centre and corners as landmarks."""
    x, y, w, h = box
    points = [x, y, x - w / 2, y - h / 2, x + w / 2, y - h / 2, x - w / 2, y + h / 2, x + w / 2, y + h / 2]
    rows = [[] for _ in range(15)]
    for cell in (8, 16):
        for i in range((SIZE // cell) ** 2):
            here = i == y // cell * (SIZE // cell) + x // cell
            for row, value in zip(rows, [*box, 1.0, *points]):
                row.append(float(value) if here else 0.0)
    return sum(rows, [])


def mapped(box, inside, outside):
    """[SIZE, SIZE] of a value inside the box and a function of the row outside."""
    x, y, w, h = box
    return [inside if abs(column - x) <= w / 2 and abs(row - y) <= h / 2 else outside(row)
            for row in range(SIZE) for column in range(SIZE)]


TARGETS = {  # what a network learns of (kind, box), and its extents
    "detector_silu": (detections, (5 + CLASSES, 80)),
    "detector_leaky": (detections, (5 + CLASSES, 80)),
    "face_detector": (faces, (15, 80)),
    "text_detector": (lambda kind, box: mapped(box, 1.0, lambda row: 0.0), (1, SIZE, SIZE)),
    "depth_network": (lambda kind, box: mapped(box, box[2] / SIZE, lambda row: row / SIZE / 2), (1, SIZE, SIZE)),
}


def write_shapes(path, count, seed, name):
    draw = random.Random(seed)
    examples = [drawn(draw) for _ in range(count)]
    images = b"".join(example[0] for example in examples)
    if name in TARGETS:
        target, shape = TARGETS[name]
        y = ("<f4", (count, *shape), b"".join(floats(target(kind, box)) for _, kind, box in examples))
    else:
        y = ("<i8", (count,), struct.pack(f"<{count}q", *(kind for _, kind, _ in examples)))
    write_npz(path, x=("|u1", (count, SIZE, SIZE, 3), images), y=y)


def write_measurements(path, count, seed):
    """17 measurements of unlike sizes, and the actions of a plain rule."""
    draw, rule = random.Random(seed), random.Random(0)
    sizes = [10 ** rule.uniform(-1.5, 0.7) for _ in range(17)]
    weights = [[rule.gauss(0, 0.7) / size for size in sizes] for _ in range(6)]
    x, y = [], []
    for _ in range(count):
        row = [draw.gauss(0, size) for size in sizes]
        x += row
        y += [math.tanh(sum(a * b for a, b in zip(row, action))) for action in weights]
    write_npz(path, x=("<f4", (count, 17), floats(x)), y=("<f4", (count, 6), floats(y)))


def nibble(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments), "--json", "--quiet"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"nibble {' '.join(map(str, arguments))}: {done.stderr}")
    return json.loads(done.stdout)


def trained(binary, name, folder):
    """The float network and its data."""
    for part, count, seed in (("train", 512, 1), ("test", 64, 2)):
        path = folder / f"{part}.npz"
        if name == "controller":
            write_measurements(path, 4 * count, seed)
        else:
            write_shapes(path, count, seed, name)
    regression = name == "controller" or name in TARGETS
    network = {"topology": name}
    if name != "controller":
        network["resolution"] = SIZE
    if name not in ("controller", "face_detector", "text_detector", "depth_network"):
        network["classes"] = CLASSES
    description = {
        "name": name, "seed": 1, "network": network,
        "data": {"train": f"npz:{folder}/train.npz", "test": f"npz:{folder}/test.npz"},
        "train": {"epochs": TRAINED[name], "batch_size": 32, "learning_rate": 0.003,
                  "loss": "mean_square" if regression else "cross_entropy"},
    }
    (folder / "experiment.json").write_text(json.dumps(description))
    nibble(binary, "train", folder / "experiment.json", "--out", folder / "run")
    return folder / "run/float.onnx", f"npz:{folder}/train.npz", f"npz:{folder}/test.npz", []


def shared(data, name):
    def place(text):
        kind, path = text.split(":", 1)
        return f"{kind}:{data}/{path}"

    preprocess = data / "models" / f"{name}.preprocess.json"
    extra = ["--preprocess", preprocess] if preprocess.exists() else []
    calibration, other = SHARED[name]
    return data / "models" / f"{name}.onnx", place(calibration), place(other), extra


def decibels(binary, model, calibration, other, extra, folder, *options):
    fake = folder / "fq.onnx"
    nibble(binary, "quantize", model, "--data", calibration, "--samples", CALIBRATION, *extra, *options, "-o", fake)
    layers = nibble(binary, "compare", model, fake, "--data", other, "--limit", OTHER, *extra)["layers"]
    return layers[-1]["sqnr_db"]


def main():
    binary = sys.argv[1]
    data = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    names = sys.argv[3:] or [*TRAINED, *(SHARED if data else ())]
    print("| network | min-max, dB | default, dB | gain |")
    print("|---|---|---|---|")
    gains = []
    for name in names:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            (folder / "common.json").write_text(json.dumps({"range": "min_max", "add": "common", "weight_rounding": "nearest"}))
            network = trained(binary, name, folder) if name in TRAINED else shared(data, name)
            plain = decibels(binary, *network, folder, "--policy", folder / "common.json")
            chosen = decibels(binary, *network, folder)
            gains.append(chosen - plain)
            print(f"| {name} | {plain:.1f} | {chosen:.1f} | {chosen - plain:+.1f} |", flush=True)
    print(f"\nmedian {statistics.median(gains):+.1f} dB, least {min(gains):+.1f} dB")


if __name__ == "__main__":
    main()
