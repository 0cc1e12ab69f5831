#!/usr/bin/env python3
"""The table at the end of run: table.py OUT."""
import json
import pathlib
import sys


def row(out, name):
    load = lambda kind: json.loads((out / f"{name}.{kind}.json").read_text())
    generated, under_qemu, accuracy = load("generate"), load("qemu"), load("accuracy")
    text, initialised = (int(word) for word in (out / f"{name}.size").read_text().splitlines()[-1].split()[:2])
    return {
        "network": name.split("_")[0],
        "weights": int(name.split("_")[1]),
        "flash": text + initialised,
        "code": text + initialised - generated["constants"],
        "ram": generated["arena"],
        "instructions": under_qemu["total"],
        "integers": under_qemu["integers"],
        "differing": under_qemu["differing"],
        "accuracy": accuracy["value"],
        "float": load("float")["value"],
        "examples": accuracy["count"],
        "flips": accuracy["flips"],
    }


def main(out):
    rows = [row(out, f"{network}_{bits}") for network in ("words", "images") for bits in (8, 4)]
    (out / "results.json").write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    titles = ("network", "weights/activations", "flash B", "of it code", "RAM B", "M instructions", "layers' integers",
              "differing", "accuracy %", "in float %")
    cells = [[r["network"], f"{r['weights']}/8", r["flash"], r["code"], r["ram"], f"{r['instructions'] / 1e6:.2f}",
              r["integers"], r["differing"], f"{100 * r['accuracy']:.1f}", f"{100 * r['float']:.1f}"] for r in rows]
    widths = [max(len(str(line[i])) for line in [titles, *cells]) for i in range(len(titles))]
    for line in [titles, *cells]:
        print("  ".join(str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))))
    print(f"on an STM32L4R5 (Cortex-M4, instructions under qemu); accuracy of the generated C over {rows[0]['examples']} "
          f"and {rows[2]['examples']} examples")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
