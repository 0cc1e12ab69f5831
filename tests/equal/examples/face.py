#!/usr/bin/env python3
"""Runs examples/face on heads that it draws, as a user would, and checks what it promises: face.py NIBBLE RUN OUT."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from application_c import compare


def main(nibble, run, out):
    shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run([run], env=dict(os.environ, NIBBLE=nibble, OUT=out), timeout=600)
    if done.returncode != 0:
        return done.returncode
    faults = []
    trained = pathlib.Path(out) / "run"
    rows = {row["representation"]: row for row in json.loads((trained / "results.json").read_text())["rows"]}
    if rows["FP"]["metric"] != "nme" or not rows["FP"]["error"] < 0.13:
        faults.append(f"the float network has not learned where faces are: {rows['FP']}")
    if not rows["ID"]["to_float"]["relative"] < 0.04:
        faults.append(f"8 bits cost more than 4 % of the float network's error: {rows['ID']}")
    for stage in ("FQ", "QD", "ID"):
        if rows[stage]["compared_integers"] == 0 or rows[stage]["differing_integers"] != 0:
            faults.append(f"{stage} has other integers: {rows[stage]}")
    if rows["ID"]["exact"] != rows["ID"]["requantisations"]:
        faults.append(f"a requantisation is not exact: {rows['ID']}")
    bridge = (trained / "8-8" / "bridge.txt").read_text()
    if not re.search(r"integers: 0 of [1-9]\d* differ", bridge):
        faults.append(f"QuantLab's dialect gives other integers: {bridge}")
    check = subprocess.run([nibble, "app", "check", pathlib.Path(out) / "face.nibapp"], capture_output=True, text=True)
    if check.returncode != 0 or not (pathlib.Path(out) / "face.png").stat().st_size > 1000:
        faults.append(f"the application does not give its golden, or draws nothing: {check}")
    # The same points by integers alone, from the C for microcontrollers: it exits where one is elsewhere.
    compare(nibble, "cc", pathlib.Path(out) / "face.nibapp", pathlib.Path(out) / "app/network.onnx", pathlib.Path(out) / "c")
    wrong = subprocess.run([run, out], env=dict(os.environ, NIBBLE=nibble, OUT=out), capture_output=True, text=True)
    if wrong.returncode != 2 or "neither data/faces nor train in it" not in wrong.stderr:
        faults.append(f"a folder without faces is not refused: {wrong}")
    print("\n".join(faults) if faults else "examples/face keeps its promises")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
