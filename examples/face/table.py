#!/usr/bin/env python3
"""The comparison of examples/face/study.json as a table of Markdown: table.py NIBBLE STUDY [RUNS].

Errors and intervals are those of `nibble lab compare`; latency is the median of RUNS (200) inferences of the integer network
on one thread of this machine, measured in turns, so that what else the machine does falls on all alike.
"""
import json
import statistics
import subprocess
import sys
from pathlib import Path

TURNS = 5


def said(*words):
    return json.loads(subprocess.run([*words, "--json", "--quiet"], check=True, capture_output=True, text=True).stdout)


def main():
    nibble, study, runs = sys.argv[1], Path(sys.argv[2]), int((sys.argv[3:] + ["200"])[0])
    rows = []
    for run in said(nibble, "lab", "status", study)["runs"]:
        if run["status"] != "done":
            continue
        outcome = json.loads((study / "runs" / run["hash"] / "outcome.json").read_text())
        integer, floats = outcome["rows"][-1], outcome["rows"][0]
        if integer["differing_integers"] != 0:
            sys.exit(f"{run['hash']}: QD and ID differ in {integer['differing_integers']} integers")
        rows.append({"levels": run["levels"], "row": integer, "float": floats, "times": []})
    for _ in range(TURNS):
        for row in rows:
            bench = said(nibble, "bench", study / row["row"]["model"], "--runs", str(runs // TURNS), "--threads", "1")
            row["times"].append(bench["median_ms"])
    percent = lambda share: f"{100 * share:+.1f}"
    float_row = rows[0]["float"]
    print(f"Float: {float_row['error']:.5f} ({float_row['interval'][0]:.5f} to {float_row['interval'][1]:.5f})\n")
    print("| bits | method | error | more than float's, % | 95 % | weights, bytes | ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    order = lambda row: (row["levels"]["bits"] != "8/8", row["levels"]["bits"] != "6/6", row["levels"]["bits"] != "4/8")
    for row in sorted(rows, key=order):
        integer, more = row["row"], row["row"]["to_float"]
        print(f"| {row['levels']['bits']} | {row['levels']['method']} | {integer['error']:.5f} | {percent(more['relative'])} "
              f"| {percent(more['interval'][0])} to {percent(more['interval'][1])} | {integer['weight_bytes']} "
              f"| {statistics.median(row['times']):.2f} |")


if __name__ == "__main__":
    main()
