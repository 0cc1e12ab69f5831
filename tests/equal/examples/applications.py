#!/usr/bin/env python3
"""Generated applications give the goldens of the bundles that they are made from, on this machine or an emulated one.

applications.py NIBBLE BUNDLES WORK CC CXX INCLUDE LIBRARY [EMULATOR WORDS...]
"""
import io
import json
import pathlib
import struct
import subprocess
import sys
import wave
import zipfile
import zlib


def run(*words):
    result = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {result.stdout}{result.stderr}")
    return result.stdout


def ppm(png):
    """Of a PNG of 8-bit RGB as this project writes them."""
    at, packed = 8, b""
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at:at + 8])
        chunk = png[at + 8:at + 8 + length]
        if name == b"IHDR":
            width, height = struct.unpack(">II", chunk[:8])
        packed += chunk if name == b"IDAT" else b""
        at += 12 + length
    raw, row = zlib.decompress(packed), 3 * width + 1
    assert all(raw[y * row] == 0 for y in range(height)), "rows without a filter"
    return b"P6 %d %d 255\n" % (width, height) + b"".join(raw[y * row + 1:(y + 1) * row] for y in range(height))


def numbers(wav):
    """The samples of a WAV of 16 bits and one channel, as text."""
    with wave.open(io.BytesIO(wav)) as sound:
        levels = struct.unpack(f"<{sound.getnframes()}h", sound.readframes(sound.getnframes()))
    return "\n".join(str(level / 32768) for level in levels).encode()


INPUTS = {".png": ppm, ".wav": numbers}


def samples_of(wav):
    """Of a WAV of 16-bit PCM in one channel, as text."""
    with wave.open(io.BytesIO(wav)) as sound:
        assert sound.getsampwidth() == 2 and sound.getnchannels() == 1, "16 bits, one channel"
        frames = sound.readframes(sound.getnframes())
    return "\n".join(repr(v / 32768) for v, in struct.iter_unpack("<h", frames)).encode()


READERS = {".png": ppm, ".wav": samples_of}


def main(nibble, bundles, work, cc, cxx, include, library, *emulator):
    bundles, work = pathlib.Path(bundles), pathlib.Path(work)
    compared = 0
    for bundle in sorted(bundles.glob("*.nibapp")):
        name = bundle.stem
        with zipfile.ZipFile(bundle) as parts:
            app = json.loads(parts.read("app.json"))
            samples = [(s["golden"]["result"], s["input"], parts.read(s["input"])) for s in app["samples"]]
        if not all(pathlib.Path(file).suffix in INPUTS for _, file, _ in samples):
            continue
        folder = work / name
        run(nibble, "app", "generate", bundle, "-o", folder, "--prefix", name)
        objects = []
        for source in sorted([*folder.glob("*.c"), *folder.glob("*.cpp"), *folder.glob("processing/*.c")]):
            c = source.suffix == ".c"
            objects.append(source.with_suffix(source.suffix + ".o"))
            run(cc if c else cxx, "-std=c11" if c else "-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror",
                "-Wno-missing-field-initializers", "-I", folder, "-I", include, "-c", source, "-o", objects[-1])
        program = folder / name
        run(cxx, *(["-static"] if emulator else []), *objects, library, "-lm", "-lpthread", "-ldl", "-o", program)
        for golden, file, stored in samples:
            sample = folder / "sample"
            sample.write_bytes(INPUTS[pathlib.Path(file).suffix](stored))
            found = json.loads(run(*emulator, program, sample))
            if found != golden:
                sys.exit(f"{name}: {file}: {found} (expected {golden})")
            compared += 1
    if compared == 0:
        sys.exit("no bundle was compared")
    print(f"{compared} answers are their goldens")


if __name__ == "__main__":
    main(*sys.argv[1:])
