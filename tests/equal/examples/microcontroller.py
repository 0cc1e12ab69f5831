#!/usr/bin/env python3
"""Runs examples/microcontroller as a user would and checks what it promises: microcontroller.py NIBBLE RUN OUT."""
import json
import pathlib
import subprocess
import sys

# What integers may lose against float, by the bits of weights; and what code and RAM may take.
LOSSES = {8: 0.02, 4: 0.10}
RAM = {"words": 24 * 1024, "images": 60 * 1024}


def faults_of(row):
    if row["differing"] != 0 or row["integers"] < 100_000:
        yield f"{row['differing']} of {row['integers']} integers of layers differ"
    if row["flips"] != 0:
        yield f"{row['flips']} decisions of the C are not the network's"
    if row["accuracy"] < row["float"] - LOSSES[row["weights"]]:
        yield f"accuracy {row['accuracy']}, in float {row['float']}"
    if row["ram"] > RAM[row["network"]]:
        yield f"{row['ram']} bytes of RAM"
    if not 1_000_000 < row["instructions"] < 20_000_000:
        yield f"{row['instructions']} instructions"


def main(nibble, run, out):
    done = subprocess.run([run, nibble, out], timeout=900)
    if done.returncode != 0:
        return done.returncode
    rows = json.loads((pathlib.Path(out) / "results.json").read_text())["rows"]
    faults = [f"{row['network']} {row['weights']}: {fault}" for row in rows for fault in faults_of(row)]
    if len(rows) != 4:
        faults.append(f"{len(rows)} rows")
    for eight, four in (rows[0:2], rows[2:4]):
        if four["flash"] >= eight["flash"]:
            faults.append(f"{four['network']}: weights of 4 bits take {four['flash']} bytes, of 8 {eight['flash']}")
    print("\n".join(faults) if faults else "examples/microcontroller keeps its promises")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
