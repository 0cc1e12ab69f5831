#!/usr/bin/env python3
"""Makes pictures of drawn shapes, and float networks that have not learnt yet: pictures.py FOLDER [COUNT].

shapes.npz   x uint8 [N, 48, 48, 3], y: which of three shapes (one a picture)
places.npz   the same with one to three shapes; y float32 [N, 8, 6, 6]: a YOLO head's numbers for cells of 8 pixels
regions.npz  the same; y float32 [N, 4, 24, 24]: 1 in the plane of the class (0 is none) of each 2 by 2 pixels
*_test.npz   of each some that are none of these
samples/*.png, and *.onnx, one network a task
"""
import array
import math
import pathlib
import random
import struct
import sys
import zipfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from onnx_writer import Network

SIDE, CELL, CLASSES = 48, 8, 3
NAMES = ["circle", "square", "triangle"]


class Shape:
    def __init__(self, rng, around):
        self.kind, self.radius = rng.randrange(CLASSES), rng.uniform(6, 11)
        for _ in range(100):
            self.x, self.y = rng.uniform(8, SIDE - 8), rng.uniform(8, SIDE - 8)
            if all(math.dist((self.x, self.y), (o.x, o.y)) > self.radius + o.radius + 2 for o in around):
                break
        self.colour = [rng.randint(90, 255) for _ in range(3)]
        self.colour[self.kind] = rng.randint(0, 60)

    def holds(self, x, y):
        dx, dy, r = x - self.x, y - self.y, self.radius
        if self.kind == 0:
            return dx * dx + dy * dy <= r * r
        if self.kind == 1:
            return abs(dx) <= r and abs(dy) <= r
        return -r <= dy <= r and abs(dx) <= (dy + r) / 2


def picture(rng, count):
    shapes = []
    for _ in range(count):
        shapes.append(Shape(rng, shapes))
    ground = [rng.randint(30, 90) for _ in range(3)]
    pixels = bytearray()
    for y in range(SIDE):
        for x in range(SIDE):
            over = next((s.colour for s in shapes if s.holds(x + 0.5, y + 0.5)), ground)
            pixels += bytes(min(255, max(0, c + int(rng.gauss(0, 12)))) for c in over)
    return pixels, shapes


def head(shapes):
    """What a YOLO X head of scores says: centre within the cell, logarithm of the size in cells, object, classes."""
    cells = SIDE // CELL
    y = [[0.0] * (cells * cells) for _ in range(5 + CLASSES)]
    for s in shapes:
        column, row = int(s.x / CELL), int(s.y / CELL)
        at = row * cells + column
        size = math.log(2 * s.radius / CELL)
        for plane, value in enumerate((s.x / CELL - column, s.y / CELL - row, size, size, 1.0)):
            y[plane][at] = value
        y[5 + s.kind][at] = 1.0
    return [v for plane in y for v in plane]


def regions(shapes):
    half = SIDE // 2
    planes = [[0.0] * (half * half) for _ in range(1 + CLASSES)]
    for row in range(half):
        for column in range(half):
            kind = next((s.kind + 1 for s in shapes if s.holds(2 * column + 1, 2 * row + 1)), 0)
            planes[kind][row * half + column] = 1.0
    return [v for plane in planes for v in plane]


def npy(kind, extents, values):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(extents)}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(values)


def png(file, pixels):
    rows = b"".join(b"\0" + bytes(pixels[y * SIDE * 3:(y + 1) * SIDE * 3]) for y in range(SIDE))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write(file, rng, count, shapes, target):
    x, y = bytearray(), array.array("f")
    labels = array.array("q")
    for _ in range(count):
        pixels, drawn = picture(rng, rng.randint(*shapes))
        x += pixels
        if target:
            y.extend(target(drawn))
        else:
            labels.append(drawn[0].kind)
    extents = {head: (8, 6, 6), regions: (4, 24, 24)}.get(target)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy("|u1", (count, SIDE, SIDE, 3), x))
        archive.writestr("y.npy", npy("<f4", (count, *extents), y.tobytes()) if target else
                         npy("<i8", (count,), labels.tobytes()))


def networks(folder):
    net = Network([3, SIDE, SIDE]).conv(12, stride=2).relu().conv(16, stride=2).relu().conv(24, stride=2).relu()
    net.node("GlobalAveragePool").node("Flatten", axis=1).dense(24, CLASSES, "scores").write(folder / "shapes.onnx", [CLASSES])
    net = Network([3, SIDE, SIDE]).conv(12, stride=2).relu().conv(24, stride=2).relu().conv(32, stride=2).relu()
    net.conv(32).relu().conv(32).relu().conv(5 + CLASSES, kernel=1, output="head").write(folder / "places.onnx", [8, 6, 6])
    net = Network([3, SIDE, SIDE]).conv(12, stride=2).relu().conv(16).relu().conv(16).relu()
    net.conv(1 + CLASSES, kernel=1, output="map").write(folder / "regions.onnx", [4, 24, 24])


def main(folder, count=600):
    rng = random.Random(7)
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    for name, shapes, target in (("shapes", (1, 1), None), ("places", (1, 3), head), ("regions", (1, 3), regions)):
        write(folder / f"{name}.npz", rng, count, shapes, target)
        write(folder / f"{name}_test.npz", rng, count // 4, shapes, target)
        for i in (1, 2):
            png(folder / "samples" / f"{name}{i}.png", picture(rng, shapes[1])[0])
    networks(folder)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:]))
