#!/usr/bin/env python3
"""Latency of integer networks beside the peers on this machine, batch 1, in one run: the tables of docs/guide/performance.md.

Claim: a network's mark in networks.json is what Nibble is faster by, at least, than the best of the peers at one thread.
Peers (benchmarks/peers): ONNX Runtime in floats and on int8 QDQ pairs; oneDNN on the convolutions and fully connected
layers alone; XNNPACK on the whole network. All programs of a network stand ready and take turns, in an order drawn anew
each round. A figure is the median of the rounds' medians; a ratio the median of the rounds' ratios, with its quartiles.

Usage: speed.py BUILD [options]     BUILD is a build folder with Nibble and its benchmarks; nothing but Python's own library
"""
import argparse
import json
import math
import os
import pathlib
import random
import re
import statistics
import struct
import subprocess
import sys
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
# What a layer costs does not depend on its ranges: the least that gives some.
QUANTIZE = ["--range", "min_max", "--no-bias-correction"]
SAMPLES = 2


def said(*command):
    """What a command says on stdout; its failure ends the run."""
    process = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, text=True)
    if process.returncode != 0:
        raise SystemExit(f"speed: {' '.join(map(str, command))} failed")
    return process.stdout


# ---- The networks ----
class Network:
    """One network's files in a folder of its own, made where they are not there."""

    def __init__(self, description, build, folder, again):
        self.name, self.mark = description["name"], description.get("mark")
        self.folder = folder / re.sub(r"[^a-z0-9.]+", "_", self.name.lower())
        self.nibble = build / "src/nibble"
        self.tool = build / "benchmarks/benchmark_networks"
        self.program = None
        said_file = self.folder / "network.json"
        asked = {"description": description["network"], "samples": SAMPLES}
        if again or not said_file.exists() or json.loads(said_file.read_text())["asked"] != asked:
            self.folder.mkdir(parents=True, exist_ok=True)
            said_file.write_text(json.dumps({"asked": asked, **self.made(description["network"])}, indent=1))
        self.facts = json.loads(said_file.read_text())

    def file(self, name):
        return self.folder / name

    def made(self, topology):
        facts = json.loads(said(self.tool, "draw", json.dumps(topology), self.file("float.onnx")))
        write_npz(self.file("data.npz"), [SAMPLES, *facts["shape"][1:]])
        data = f"npz:{self.file('data.npz')}"
        said(self.nibble, "quantize", self.file("float.onnx"), "--data", data, *QUANTIZE, "-o", self.file("fq.onnx"),
             "--quiet")
        said(self.nibble, "integerize", self.file("fq.onnx"), "--samples", 1, "-o", self.file("id.onnx"), "--quiet")
        said(self.tool, "qdq", self.file("fq.onnx"), self.file("qdq.onnx"))
        listed = json.loads(said(self.tool, "layers", self.file("id.onnx"), self.file("layers.json")))
        shown = json.loads(said(self.nibble, "show", self.file("id.onnx"), "--json"))["totals"]["macs"]
        if listed["multiply_accumulates"] != shown:
            raise SystemExit(f"speed: {self.name}: the peers' layers multiply {listed['multiply_accumulates']} times, "
                             f"Nibble's {shown}")
        return facts | listed

    def compile(self):
        said(self.nibble, "compile", self.file("id.onnx"), "-o", self.file("model.nib"), "--quiet")


def write_npz(path, shape):
    """Normal numbers, seed 1, as x."""
    draw = random.Random(1)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    count = math.prod(shape)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
                         + struct.pack(f"<{count}f", *(draw.gauss(0, 1) for _ in range(count))))


# ---- Who is measured ----
class Worker:
    """A peer's program (peers/serve.hpp): stands ready, runs for so many seconds when asked."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | environment)
        first = self.process.stdout.readline().split(maxsplit=1)
        if not first or first[0] != "ready":
            raise SystemExit(f"speed: {command[0]} did not get ready")
        self.version = first[1].strip()

    def median(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise SystemExit(f"speed: {self.process.args[0]} ended early")
        return float(answer[0])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    """`nibble bench`, a process a round."""

    def __init__(self, network, threads, environment):
        self.command = [str(network.nibble), "bench", str(network.file("model.nib")), "--threads", str(threads), "--json"]
        self.environment = os.environ | environment
        self.runs = 20
        self.version = said(network.nibble, "--version").strip()

    def median(self, seconds):
        process = subprocess.run([*self.command, "--runs", str(self.runs)], stdout=subprocess.PIPE, text=True,
                                 env=self.environment)
        if process.returncode != 0:
            raise SystemExit(f"speed: {' '.join(self.command)} failed")
        found = json.loads(process.stdout)
        self.kernels = found.get("kernels")
        self.runs = max(5, min(100000, int(seconds * 1000 / found["median_ms"])))
        return found["median_ms"]

    def close(self):
        pass


FLOAT, INT8, ONEDNN, XNNPACK, NIBBLE = "ORT float", "ORT int8", "oneDNN", "XNNPACK", "Nibble"
PEERS = [FLOAT, INT8, ONEDNN, XNNPACK]


# Sets of Nibble and what oneDNN calls as much; XNNPACK of 2022 has nothing beyond AVX-512 VNNI.
LIMITS = {"avx2": "AVX2", "avx512vnni": "AVX512_CORE_VNNI"}


def worker(name, network, threads, peers, isa):
    """The program of that name, ready to measure."""
    if name == NIBBLE:
        return Bench(network, threads, {"NIBBLE_KERNELS": isa} if isa else {})
    if name in (FLOAT, INT8):
        model = network.file("float.onnx" if name == FLOAT else "qdq.onnx")
        facts = network.facts
        return Worker([peers / "onnxruntime", peers / "libonnxruntime.so.1", model, threads, facts["input"],
                       facts["output"], *facts["shape"]], {})
    layers = network.file("layers.json")
    if name == ONEDNN:
        environment = {"OMP_NUM_THREADS": str(threads)}
        return Worker([peers / "onednn", layers], environment | ({"DNNL_MAX_CPU_ISA": LIMITS[isa]} if isa else {}))
    return Worker([peers / "xnnpack", layers, threads, *([isa] if isa == "avx2" else [])], {})


# ---- One network at one number of threads ----
def measured(network, threads, names, peers, options):
    """Milliseconds by name: one median a round."""
    workers = {name: worker(name, network, threads, peers, options.isa) for name in names}
    order, draw = list(workers), random.Random(1)
    rounds = {name: [] for name in names}
    for each in workers.values():
        each.median(options.seconds / 4)  # not counted: the clock rises, Nibble finds how many runs a round takes
    for _ in range(options.rounds):
        draw.shuffle(order)
        for name in order:
            rounds[name].append(workers[name].median(options.seconds))
    for each in workers.values():
        each.close()
    versions = {name: each.version for name, each in workers.items()}
    return rounds, versions, getattr(workers.get(NIBBLE), "kernels", None)


def spread(values):
    """The median and the quartiles: a round in which the machine did something else moves none of them far."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": middle, "low": low, "high": high}


def row(network, threads, rounds, kernels):
    """What is reported of one network: milliseconds, and how many times faster Nibble is than each peer."""
    times = {name: spread(values) for name, values in rounds.items()}
    best = min((name for name in PEERS if name in times), key=lambda name: times[name]["median"], default=None)
    result = {"network": network.name, "threads": threads, "macs": network.facts["multiply_accumulates"],
              "ms": times, "rounds": rounds, "best_peer": best, "mark": network.mark if threads == 1 else None}
    if NIBBLE in rounds:
        result["kernels"] = kernels
        result["ratios"] = {name: spread([a / b for a, b in zip(rounds[name], rounds[NIBBLE])])
                            for name in PEERS if name in rounds}
    return result


# ---- Tables ----
def number(milliseconds):
    return f"{milliseconds:.{max(0, min(4, 2 - math.floor(math.log10(milliseconds))))}f}"


def cell(result, name, bold):
    if name not in result["ms"]:
        return ""
    figures = result["ms"][name]
    text = number(figures["median"])
    return f"**{text}**" if bold and name == result["best_peer"] else text


def ratio(result, name):
    figures = result.get("ratios", {}).get(name)
    return f"{figures['median']:.2f} ({figures['low']:.2f}–{figures['high']:.2f})" if figures else ""


def width_of_spread(result):
    """The widest of the programs' spreads between quartiles, as a share of the median."""
    return f"{max((s['high'] - s['low']) / s['median'] for s in result['ms'].values()):.0%}"


HEADER = ["network", "M MACs", *[f"{name}, ms" for name in [*PEERS, NIBBLE]], "best peer / Nibble", "mark",
          "ORT int8 / Nibble", "ORT float / Nibble", "widest spread"]


def cells(result, bold=False):
    return [result["network"], f"{result['macs'] / 1e6:.1f}", *[cell(result, name, bold) for name in [*PEERS, NIBBLE]],
            ratio(result, result["best_peer"]), str(result["mark"] or ""), ratio(result, INT8), ratio(result, FLOAT),
            width_of_spread(result)]


def geometric_mean(results, name_of):
    ratios = [r["ratios"][name_of(r)]["median"] for r in results if "ratios" in r and name_of(r) in r["ratios"]]
    return f"{statistics.geometric_mean(ratios):.2f}" if ratios else ""


def last_row(results):
    best, int8, float_ = (geometric_mean(results, name) for name in
                          (lambda r: r["best_peer"], lambda r: INT8, lambda r: FLOAT))
    return ["geometric mean", "", *[""] * (len(PEERS) + 1), best, "", int8, float_, ""] if best else None


def rows_of(results, bold=False):
    return [cells(r, bold) for r in results] + [last for last in [last_row(results)] if last]


def text_table(results):
    rows = [HEADER, *rows_of(results)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEADER))]
    return "\n".join("  ".join([r[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(r[1:], widths[1:]))]).rstrip()
                     for r in rows) + "\n"


def markdown_table(results):
    rows = [HEADER, ["---", *["---:"] * (len(HEADER) - 1)], *rows_of(results, bold=True)]
    return "\n".join(f"| {' | '.join(r)} |" for r in rows) + "\n"


def machine():
    """This CPU: its name, the instructions that matter here, how many."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = {key: value for key, value in re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.M)}
    flags = found.get("flags", found.get("Features", "")).split()
    known = ("avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
    return {"cpu": found.get("model name", found.get("CPU part", "")), "family": found.get("cpu family", ""),
            "model": found.get("model", ""), "flags": [f for f in flags if f in known], "cpus": os.cpu_count(),
            "load": os.getloadavg()[0]}


def report(results, facts, out):
    tables = {threads: [r for r in results if r["threads"] == threads] for threads in facts["threads"]}
    cpu = facts["machine"]
    head = (f"{cpu['cpu']} (family {cpu['family']}, model {cpu['model']}; {' '.join(cpu['flags'])}), {cpu['cpus']} CPUs; "
            f"{', '.join(sorted(set(facts['versions'].values())))}; {facts['rounds']} rounds of {facts['seconds']} s"
            + (f"; limited to {facts['isa']}" if facts["isa"] else ""))
    print(head)
    parts = [head + "\n"]
    for threads, rows in tables.items():
        title = f"{threads} thread{'s' if threads > 1 else ''}"
        print(f"\n{title}\n{text_table(rows)}", end="")
        parts.append(f"**{title}**\n\n{markdown_table(rows)}")
    (out / "speed.json").write_text(json.dumps(facts | {"results": results}, indent=1))
    (out / "speed.md").write_text("\n".join(parts))


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", type=pathlib.Path, help="build folder: src/nibble, benchmarks/benchmark_networks")
    parser.add_argument("--networks", help="names, comma between them (all of networks.json)")
    parser.add_argument("--threads", default="1,2", help="numbers of threads (1,2)")
    parser.add_argument("--only", help=f"programs, of {', '.join([*PEERS, NIBBLE])} (all)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each program in a round (0.3)")
    parser.add_argument("--isa", choices=list(LIMITS), help="limits Nibble, oneDNN and XNNPACK; ONNX Runtime has no limit")
    parser.add_argument("--again", action="store_true", help="draws and quantises the networks anew")
    parser.add_argument("--out", type=pathlib.Path, help="tables and networks (BUILD/speed)")
    return parser.parse_args(words)


def chosen(text, known, what):
    names = text.split(",") if text else list(known)
    for name in names:
        if name not in known:
            raise SystemExit(f"speed: no {what} '{name}' (expected of {', '.join(known)})")
    return names


def main():
    options = options_of(sys.argv[1:])
    out = options.out or options.build / "speed"
    out.mkdir(parents=True, exist_ok=True)
    described = {each["name"]: each for each in json.loads((HERE / "networks.json").read_text())}
    networks = chosen(options.networks, described, "network")
    names = chosen(options.only, [*PEERS, NIBBLE], "program")
    if subprocess.run([options.build / "src/nibble", "bench", "--help"], capture_output=True).returncode != 0:
        names = [name for name in names if name != NIBBLE]
    peers = pathlib.Path(said(HERE / "peers/setup").strip().splitlines()[-1])
    facts = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds, "isa": options.isa,
             "threads": [int(t) for t in options.threads.split(",")], "versions": {}}
    results, start = [], time.monotonic()
    for name in networks:
        network = Network(described[name], options.build, out / "networks", options.again)
        if NIBBLE in names:
            network.compile()
        for threads in facts["threads"]:
            rounds, versions, kernels = measured(network, threads, names, peers, options)
            facts["versions"] |= versions
            results.append(row(network, threads, rounds, kernels))
            print(f"{time.monotonic() - start:6.0f} s  {name}, {threads}: " + ", ".join(
                f"{who} {number(r['median'])}" for who, r in results[-1]["ms"].items()), file=sys.stderr, flush=True)
    report(results, facts, out)


if __name__ == "__main__":
    main()
