#!/usr/bin/env python3
"""Writes made-up examples where there are no real ones: examples.py FOLDER.

words.npz     x float32 [1200, 1, 49, 10], y in 0..11: a word is where its energy lies as time passes, under noise
shapes.npz    x uint8 [640, 32, 32, 3], y in 0..9: a class is the slope and the colour of stripes, under noise
*_test.npz    200 of each that are none of these
"""
import array
import math
import pathlib
import random
import struct
import sys
import zipfile

WORDS, SHAPES = 12, 10


def word(rng, label):
    """Two peaks that move along the ten coefficients, how fast being the word's."""
    start, speed, late = rng.uniform(-1, 1), 0.04 * (label % 4 - 1.5), label // 4
    frames = []
    for t in range(49):
        at = 4.5 + start + speed * (t - 24)
        loud = 4 if (t + rng.uniform(-3, 3)) // 17 == late else 1
        frames += [loud * math.exp(-((k - at) ** 2) / 2) + rng.gauss(0, 0.4) for k in range(10)]
    return frames


def shape(rng, label):
    """Stripes of an angle, in a colour."""
    angle, phase = math.pi * (label % 5) / 5 + rng.uniform(-0.2, 0.2), rng.uniform(0, 6.3)
    colour = (200, 120, 60) if label < 5 else (60, 120, 200)
    pixels = []
    for row in range(32):
        for column in range(32):
            wave = math.sin(0.7 * (row * math.cos(angle) + column * math.sin(angle)) + phase)
            pixels += [min(255, max(0, int(128 + 0.5 * wave * (c - 30) + rng.gauss(0, 60)))) for c in colour]
    return pixels


def npy(kind, extents, values):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {extents}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values.tobytes()


def write(file, rng, count, classes, example, kind, code, extents):
    labels = [i % classes for i in range(count)]
    rng.shuffle(labels)
    x = array.array(code)
    for label in labels:
        x.extend(example(rng, label))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", npy(kind, (count, *extents), x))
        archive.writestr("y.npy", npy("<i8", (count,), array.array("q", labels)))


def main(folder):
    rng = random.Random(1)
    for name, count in (("", 1200), ("_test", 200)):
        write(folder / f"words{name}.npz", rng, count, WORDS, word, "<f4", "f", (1, 49, 10))
    for name, count in (("", 640), ("_test", 200)):
        write(folder / f"shapes{name}.npz", rng, count, SHAPES, shape, "|u1", "B", (32, 32, 3))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
