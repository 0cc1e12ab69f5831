#!/usr/bin/env python3
"""Quantisation-aware training on CIFAR-10 over several seeds, as the tables of docs/guide/qat.md.

Claim: 8/8 within 0.2 points of float, 4/4 within 0.7, 2/2 (first and last layer 8) within 3.5; every network exact.
Usage: qat.py NIBBLE OUT EXPERIMENT... [--seeds 1,2,3] [--threads N]    runs what OUT does not hold yet, one after the
other; a killed run goes on where it was. The experiments' environment (CIFAR10, MODELS, ...) is the caller's."""
import argparse
import csv
import json
import pathlib
import statistics
import subprocess


def minutes_of(folder):
    """A variant's training time; 0 where it was not trained."""
    metrics = folder / "metrics.csv"
    if not metrics.exists():
        return 0
    with metrics.open() as lines:
        return sum(float(row["seconds"]) for row in csv.DictReader(lines)) / 60


def run(nibble, experiment, out, seed, threads):
    results = out / "results.json"
    if not results.exists():
        subprocess.run([nibble, "lab", experiment, "--out", out, "--seed", str(seed), "--threads", str(threads),
                        "--resume"], check=True)
    rows = {}
    for row in json.loads(results.read_text())["rows"]:
        rows.setdefault(row["variant"], {})[row["representation"]] = row
    return rows


def percent(accuracies):
    text = f"{100 * statistics.mean(accuracies):.2f}"
    return text + (f" ± {100 * statistics.stdev(accuracies):.2f}" if len(accuracies) > 1 else "") + " %"


def table(runs, out, seeds):
    """Lines of the table for one experiment: runs[i] is that of seed i."""
    full = statistics.mean(run[""]["FP"]["accuracy"] for run in runs)
    yield f"| float | {percent([run['']['FP']['accuracy'] for run in runs])} | | | | |"
    for variant in (name for name in runs[0] if name):
        of = {kind: [run[variant][kind] for run in runs] for kind in ("FQ", "QD", "ID")}
        minutes = [minutes_of(out / str(seed) / variant) for seed in seeds]
        integers = [row["accuracy"] for row in of["ID"]]
        exact = sum(row["exact"] for row in of["ID"]), sum(row["requantisations"] for row in of["ID"])
        differing = sum(row["differing_integers"] for row in of["QD"])
        yield (f"| {variant} | {percent([row['accuracy'] for row in of['FQ']])} | {percent(integers)} | "
               f"{100 * (statistics.mean(integers) - full):+.2f} | {exact[0]} of {exact[1]}, {differing} differ | "
               f"{max(minutes):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nibble")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("experiments", nargs="+", type=pathlib.Path)
    parser.add_argument("--seeds", default="1,2,3", type=lambda text: [int(seed) for seed in text.split(",")])
    parser.add_argument("--threads", default=2, type=int)
    given = parser.parse_args()
    for experiment in given.experiments:
        out = given.out / experiment.stem
        runs = [run(given.nibble, experiment, out / str(seed), seed, given.threads) for seed in given.seeds]
        print(f"\n{experiment.stem}, seeds {', '.join(map(str, given.seeds))}\n")
        print("| variant | FQ | ID | against float | requantisations exact, integers of QD and ID | longest, minutes |")
        print("| --- | --- | --- | --- | --- | --- |")
        print("\n".join(table(runs, out, given.seeds)), flush=True)


if __name__ == "__main__":
    main()
