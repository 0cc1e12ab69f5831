#!/usr/bin/env python3
"""Counts the instructions of a program's steps on an emulated Cortex-A72: arm_program.py FILE.nib [--backend acl] [..]

Claim: the 3DDFA network takes at most 13 M instructions by our kernels, and less than by Arm Compute Library.
Runs FILE.nib under qemu, by a kernel set and then by each back end, and prints a table: a row a step, a column each;
with --check it compares every output with the reference's first. Needs the preset arm64 (docs/guide/arm.md) built, or --runtime, aarch64-linux-gnu-gcc
and qemu-aarch64; a back end is looked for in that build, or is a path.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "nibble" / "arm64"


def build(folder, runtime):
    program, plugin = folder / "program", folder / "count.so"
    here = ROOT / "benchmarks" / "arm"
    subprocess.run(["aarch64-linux-gnu-gcc", "-std=c99", "-O2", "-no-pie", "-fno-pie", "-I", ROOT / "src",
                    here / "program.c", runtime, "-o", program, "-lm", "-ldl", "-lpthread"], check=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", here / "count.c", "-o", plugin], check=True)
    symbols = subprocess.run(["aarch64-linux-gnu-nm", program], check=True, capture_output=True, text=True).stdout
    mark = re.search(r"^([0-9a-f]+) T clock_gettime$", symbols, re.MULTILINE).group(1)
    return program, f"{plugin},mark=0x{mark}"


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"arm_program: {' '.join(map(str, command))}: {done.stderr.strip()}")
    return done


def count(program, plugin, options, backend):
    root = CACHE / "acl" if backend else pathlib.Path("/usr/aarch64-linux-gnu")
    emulator = ["qemu-aarch64", "-cpu", options.cpu, "-L", root]
    words = [options.program, options.set, *([backend] if backend else [])]
    if options.check:
        run([*emulator, program, "check", *words])
    done = run([*emulator, "-plugin", plugin, "-d", "plugin", program, "count", *words])
    steps = [line.split("\t")[1:] for line in done.stdout.splitlines() if line.startswith("step\t")]
    marks = [int(number) for number in re.findall(r"^mark (\d+)$", done.stderr, re.MULTILINE)]
    if len(marks) != len(steps) + 1:
        sys.exit(f"arm_program: {backend or options.set}: {len(marks)} marks for {len(steps)} steps")
    return steps, marks[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", metavar="FILE.nib")
    parser.add_argument("--set", default="neon")
    parser.add_argument("--cpu", default="cortex-a72")
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--runtime", default=ROOT / "build" / "arm64" / "src" / "libnibble_rt.a")
    parser.add_argument("--check", action="store_true", help="every output against the reference's, which takes long")
    parser.add_argument("--at-most", type=float, metavar="MILLIONS", help="an exit status of 1 where ours takes more")
    options = parser.parse_args()
    built = ROOT / "build" / "arm64" / "src" / "backends"
    paths = [name if "/" in name else str(built / f"{name}.so") for name in options.backend]
    with tempfile.TemporaryDirectory() as folder:
        program, plugin = build(pathlib.Path(folder), options.runtime)
        columns = [count(program, plugin, options, backend) for backend in [None, *paths]]
    names = [options.set, *[pathlib.Path(path).stem for path in paths]]
    print(f"{'step':28} " + " ".join(f"{name + ', M':>10}  {'kernel':24}" for name in names))
    for i, step in enumerate(columns[0][0]):
        cells = [f"{marks[i] / 1e6:10.4f}  {steps[i][3] if steps[i][2] == names[k] or k == 0 else '-':24}"
                 for k, (steps, marks) in enumerate(columns)]
        print(f"{step[1]:28} " + " ".join(cells))
    totals = [sum(marks) / 1e6 for _, marks in columns]
    print(f"{'sum':28} " + " ".join(f"{total:10.4f}  {'':24}" for total in totals))
    sys.exit(options.at_most is not None and totals[0] > options.at_most)


if __name__ == "__main__":
    main()
