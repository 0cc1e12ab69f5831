#!/usr/bin/env python3
"""Kills a study again and again and compares what it ends with: killed_study.py NIBBLE OUT [TIMES [SEED]]."""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import small_study


def start(nibble, study, out, *options):
    return subprocess.Popen([nibble, "lab", study, "--out", out, "--quiet", *options], start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ended(out):
    return len(list(pathlib.Path(out).glob("runs/*/outcome.json")))


def main(nibble, folder, times=10, seed=0):
    folder = pathlib.Path(folder).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    study = small_study.write(folder)
    begin = time.monotonic()
    assert start(nibble, study, folder / "whole").wait(timeout=600) == 0, "the study ends"
    seconds = time.monotonic() - begin
    draw = random.Random(int(seed))
    killed, reached = 0, []
    for _ in range(int(times)):
        # Its progress is kept, so that each kill comes within what is left; two processes side by side.
        process = start(nibble, study, folder / "killed", "--jobs", "2")
        time.sleep(draw.uniform(0.05, 0.4) * seconds)
        killed += process.poll() is None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        reached.append(ended(folder / "killed"))
    status = start(nibble, study, folder / "killed").wait(timeout=600)
    faults = list(small_study.faults_of(small_study.contents(folder / "killed"), small_study.contents(folder / "whole")))
    if status != 0:
        faults.append(f"exit status {status}")
    if killed == 0:
        faults.append("never killed (expected at least once)")
    print("\n".join(faults) if faults else f"killed {killed} times at {reached} runs done: the same outcomes")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
