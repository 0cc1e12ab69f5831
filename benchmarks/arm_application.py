#!/usr/bin/env python3
"""Counts the instructions of an application's stages on an emulated Cortex-A72: arm_application.py FILE.nibapp [INPUT]

Claim: of the face application decoding, preparing and answering take less than half of what the network takes.
Runs `nibble app bench` of an arm64 build under qemu, whose second run is counted, and prints a line a stage. Pack the
bundle for that machine (nibble app pack ... --machine cortex-a72). Needs the preset arm64 built (docs/guide/arm.md), or
--nibble and --root, a folder of arm64 that holds its libraries; gcc and qemu-aarch64.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "nibble" / "arm64"
CLOCK = 113  # clock_gettime of arm64, which the bench calls where a stage begins or ends


def count(options, plugin):
    words = [options.nibble, "app", "bench", options.bundle, "--runs", "1", "--threads", "1", "--json"]
    words += ["--input", options.input] if options.input else []
    done = subprocess.run(["qemu-aarch64", "-cpu", options.cpu, "-L", options.root, "-plugin", f"{plugin},call={CLOCK}",
                           "-d", "plugin", *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"arm_application: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    stages = [stage["name"] for stage in json.loads(done.stdout)["stages"]]
    marks = [int(number) for number in re.findall(r"^mark (\d+)$", done.stderr, re.MULTILINE)]
    # Two runs, the second warm: a mark where each begins, behind decoding, preparing and the network of each window (a
    # picture is one), and behind the answer.
    run = marks[len(marks) // 2 + 1:]
    if stages != ["decode", "prepare", "network", "answer"] or len(marks) % 2 != 0 or len(run) < 4 or len(run) % 2 != 0:
        sys.exit(f"arm_application: {len(marks)} marks for {stages} (expected two runs of one more)")
    return stages, [run[0], sum(run[1:-1:2]), sum(run[2:-1:2]), run[-1]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", metavar="FILE.nibapp")
    parser.add_argument("input", nargs="?", help="the first sample")
    parser.add_argument("--nibble", default=ROOT / "build" / "arm64" / "src" / "nibble")
    parser.add_argument("--root", default=CACHE / "build")
    parser.add_argument("--cpu", default="cortex-a72")
    parser.add_argument("--at-most", type=float, metavar="MILLIONS", help="an exit status of 1 where the network takes more")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plugin = pathlib.Path(folder) / "count.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", ROOT / "benchmarks/arm/count.c", "-o", plugin], check=True)
        stages, marks = count(options, plugin)
    for name, instructions in zip([*stages, "whole"], [*marks, sum(marks)]):
        print(f"{name:8} {instructions / 1e6:8.3f} M")
    network = marks[stages.index("network")]
    if 2 * (sum(marks) - network) >= network:
        print("the network is no longer two thirds of it", file=sys.stderr)
    sys.exit(options.at_most is not None and network > 1e6 * options.at_most)


if __name__ == "__main__":
    main()
