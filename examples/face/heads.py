#!/usr/bin/env python3
"""Draws heads whose landmarks are known, and the small face model that they follow: heads.py OUT [PERSONS] [TEST_PERSONS].

OUT/train and OUT/test get PNGs of 32 x 32 pixels, landmarks.npy [N, 12, 2] and groups.npy [N] (the person of each);
OUT/basis.npz the model, in the form that landmarks:DIR:BASIS reads (nibble's src/data/landmarks.hpp).
"""
import math
import random
import struct
import sys
import zipfile
import zlib
from pathlib import Path

SIDE = 32
FRAMES = 4  # of a person

# A head of radius 1, x to the right, y up, z towards the viewer: brows, eyes, nose, mouth, chin, temples.
POINTS = [(-0.42, 0.42, 0.80), (0.42, 0.42, 0.80), (-0.36, 0.20, 0.86), (0.36, 0.20, 0.86), (0.00, -0.12, 1.10),
          (-0.30, -0.50, 0.80), (0.30, -0.50, 0.80), (0.00, -0.43, 0.92), (0.00, -0.57, 0.90), (0.00, -0.98, 0.45),
          (-0.92, 0.10, 0.10), (0.92, 0.10, 0.10)]


def moved(rows):
    """One column of a basis: by how much each point moves for one unit."""
    column = [[0.0, 0.0, 0.0] for _ in POINTS]
    for index, move in rows.items():
        column[index] = list(move)
    return [value for point in column for value in point]


SHAPES = [
    [value for x, _, _ in POINTS for value in (0.12 * x, 0.0, 0.0)],  # wide
    moved({i: (0, -0.10, 0) for i in (5, 6, 7, 8)} | {9: (0, -0.14, 0)}),  # long
]
EXPRESSIONS = [
    moved({8: (0, -0.14, 0), 9: (0, -0.08, 0)}),  # an open mouth
    moved({5: (-0.08, 0.06, 0), 6: (0.08, 0.06, 0)}),  # a smile
]
MEAN_POINTS = [value for point in POINTS for value in point]


def rotation(yaw, pitch, roll):
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    z = [[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]
    y = [[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]
    x = [[1, 0, 0], [0, cp, -sp], [0, sp, cp]]
    times = lambda a, b: [[sum(a[i][k] * b[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
    return times(times(z, y), x)


def parameters(draw, shape):
    """12 of the pose, then shape and expression."""
    angle = lambda most: math.radians(draw.uniform(-most, most))
    scale = draw.uniform(9, 12)
    rows = rotation(angle(35), angle(15), angle(15))
    moves = [SIDE / 2 + 1 + draw.uniform(-2.5, 2.5), SIDE / 2 + draw.uniform(-2.5, 2.5), 0.0]
    pose = [value for row, move in zip(rows, moves) for value in [scale * one for one in row] + [move]]
    return pose + shape + [draw.uniform(0, 1.5), draw.uniform(-1, 1)]


def landmarks(p):
    v = list(MEAN_POINTS)
    for column, weight in zip(SHAPES + EXPRESSIONS, p[12:]):
        v = [value + weight * move for value, move in zip(v, column)]
    points = []
    for i in range(0, len(v), 3):
        x, y = (sum(p[row + k] * v[i + k] for k in range(3)) + p[row + 3] for row in (0, 4))
        points.append((x - 1, SIDE - y))
    return points


class Picture:
    def __init__(self, draw):
        back = [draw.randrange(256) for _ in range(3)]
        noise = draw.randbytes(SIDE * SIDE)
        self.rows = [bytearray(min(255, max(0, back[c] + noise[y * SIDE + x] // 4 - 32)) for x in range(SIDE)
                               for c in range(3)) for y in range(SIDE)]

    def disc(self, centre, width, height, colour, above=1e9):
        """An ellipse of these radii, of it what lies above a line."""
        cx, cy = centre
        for y in range(max(0, math.ceil(cy - height)), min(SIDE, math.floor(min(cy + height, above)) + 1)):
            half = width * math.sqrt(max(0.0, 1 - ((y - cy) / height) ** 2))
            first, last = max(0, math.ceil(cx - half)), min(SIDE - 1, math.floor(cx + half))
            if last >= first:
                self.rows[y][3 * first:3 * last + 3] = bytes(colour) * (last - first + 1)

    def png(self):
        part = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
        pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in self.rows), 1)
        return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", pixels) + part(b"IEND", b"")


def picture(draw, p, points, skin, hair):
    image = Picture(draw)
    scale = math.sqrt(sum(value * value for value in p[:3]))
    centre = (p[3] - 1, SIDE - p[7])
    image.disc(centre, scale * (1 + 0.12 * p[12]), scale * 1.04, skin)
    image.disc(centre, scale * (1 + 0.12 * p[12]), scale * 1.04, hair, above=(points[0][1] + points[1][1]) / 2 - 0.2 * scale)
    for brow in points[0:2]:
        image.disc(brow, 0.20 * scale, 0.06 * scale, hair)
    for eye in points[2:4]:
        image.disc(eye, 0.16 * scale, 0.10 * scale, (250, 250, 250))
        image.disc(eye, 0.07 * scale, 0.09 * scale, (30, 30, 40))
    image.disc(points[4], 0.10 * scale, 0.10 * scale, [value * 3 // 4 for value in skin])
    left, right, top, bottom = points[5:9]
    middle = ((left[0] + right[0]) / 2, (top[1] + bottom[1]) / 2)
    image.disc(middle, max(1, abs(right[0] - left[0]) / 2), max(1, abs(bottom[1] - top[1]) / 2), (170, 40, 50))
    return image.png()


def npy(values, kind, shape):
    header = f"{{'descr': '<{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    code = {"f4": "f", "f8": "d", "i4": "i"}[kind]
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}{code}", *values)


def heads(folder, draw, persons, first):
    """Writes a folder of heads; returns their parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn, points, groups = [], [], []
    for person in range(first, first + persons):
        shape = [draw.gauss(0, 1), draw.gauss(0, 1)]
        tone = draw.randrange(90, 230)
        skin, hair = (tone, tone * 4 // 5, tone * 2 // 3), [draw.randrange(90) for _ in range(3)]
        for _ in range(FRAMES):
            p = parameters(draw, shape)
            own = landmarks(p)
            (folder / f"{len(drawn):04}.png").write_bytes(picture(draw, p, own, skin, hair))
            drawn.append(p), points.extend(own), groups.append(person)
    flat = [value for point in points for value in point]
    (folder / "landmarks.npy").write_bytes(npy(flat, "f4", (len(drawn), len(POINTS), 2)))
    (folder / "groups.npy").write_bytes(npy(groups, "i4", (len(groups),)))
    return drawn


def main():
    out, persons, of_test = Path(sys.argv[1]), *(int(word) for word in (sys.argv[2:4] + ["160", "30"][len(sys.argv) - 2:]))
    draw = random.Random(1)
    drawn = heads(out / "train", draw, persons, 0)
    heads(out / "test", draw, of_test, persons)
    mean = [sum(column) / len(drawn) for column in zip(*drawn)]
    deviation = [max(1e-3, math.sqrt(sum((value - m) ** 2 for value in column) / len(drawn)))
                 for column, m in zip(zip(*drawn), mean)]
    by_row = lambda columns: [column[i] for i in range(len(MEAN_POINTS)) for column in columns]
    arrays = {"mean": (mean, (16,)), "std": (deviation, (16,)), "u": (MEAN_POINTS, (36,)),
              "w_shape": (by_row(SHAPES), (36, 2)), "w_expression": (by_row(EXPRESSIONS), (36, 2)),
              "height": ([float(SIDE)], (1,))}
    with zipfile.ZipFile(out / "basis.npz", "w") as archive:
        for name, (values, shape) in arrays.items():
            archive.writestr(name + ".npy", npy(values, "f8", shape))


if __name__ == "__main__":
    main()
