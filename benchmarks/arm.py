#!/usr/bin/env python3
"""Counts the instructions of the Arm kernels under qemu, layer by layer: arm.py [OPTIONS] [NETWORK..]

Claim: an inference takes at most 0.8 times the instructions of the better of ONNX Runtime and XNNPACK on a Cortex-A72.
Networks are lists of layers; each distinct layer runs once through its kernel (benchmarks/arm/layer.c) and is counted
by a plugin of qemu (../shared/tools/qcount.c, or NIBBLE_QCOUNT). Needs aarch64-linux-gnu-gcc and qemu-aarch64.
"""
import argparse
import collections
import os
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Whole inferences, millions of instructions: 0.8 of the better of ONNX Runtime's and XNNPACK's counts.
MARKS = {"mobilenet_v1": 136, "mobilenet_v2": 91.2, "resnet8": 3.44, "ds_cnn": 1.088, "mobilenet_v1_025_96": 2.88}


def conv(size, channels, out, kernel=1, stride=1, residual=False, kind="conv"):
    height, width = size if isinstance(size, tuple) else (size, size)
    tall, wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    layer = (kind, height, width, channels, out, tall, wide, stride) + (("residual",) if residual else ())
    return layer


def depthwise(size, channels, kernel=3, stride=1):
    return conv(size, channels, channels, kernel, stride, kind="depthwise")


def mobilenet_v1(width, size):
    wide = lambda channels: max(8, int(channels * width))
    layers = [conv(size, 3, wide(32), 3, 2)]
    size, channels = size // 2, wide(32)
    for out, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]:
        layers.append(depthwise(size, channels, 3, stride))
        size //= stride
        layers.append(conv(size, channels, wide(out)))
        channels = wide(out)
    return layers + [("mean", size, size, channels)]


def mobilenet_v2(size=224):
    layers = [conv(size, 3, 32, 3, 2)]
    size, channels = size // 2, 32
    for expand, out, count, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                      (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(count):
            stride, inner = first if i == 0 else 1, channels * expand
            if expand > 1:
                layers.append(conv(size, channels, inner))
            layers.append(depthwise(size, inner, 3, stride))
            size //= stride
            layers.append(conv(size, inner, out, residual=i > 0))
            channels = out
    return layers + [conv(size, channels, 1280), ("mean", size, size, 1280), conv(1, 1280, 1000)]


def resnet8():
    layers, channels, size = [conv(32, 3, 16, 3)], 16, 32
    for out, stride in [(16, 1), (32, 2), (64, 2)]:
        layers.append(conv(size, channels, out, 3, stride))
        if stride > 1:
            layers.append(conv(size, channels, out, 1, stride))
        size //= stride
        layers.append(conv(size, out, out, 3, residual=True))
        channels = out
    return layers + [("mean", size, size, 64), conv(1, 64, 10)]


def ds_cnn():
    layers = [conv((49, 10), 1, 64, (10, 4), 2)]
    for _ in range(4):
        layers += [depthwise((25, 5), 64), conv((25, 5), 64, 64)]
    return layers + [("mean", 25, 5, 64), conv(1, 64, 12)]


NETWORKS = {
    "mobilenet_v1": mobilenet_v1(1, 224) + [conv(1, 1024, 1000)],
    "mobilenet_v2": mobilenet_v2(),
    "resnet8": resnet8(),
    "ds_cnn": ds_cnn(),
    "mobilenet_v1_025_96": mobilenet_v1(0.25, 96) + [conv(1, 256, 2)],
}


def products(layer):
    if layer[0] in ("mean", "add"):
        return layer[1] * layer[2] * layer[3]
    kind, height, width, channels, out, tall, wide, stride = layer[:8]
    outputs = -(-height // stride) * -(-width // stride) * out
    return outputs * tall * wide * (1 if kind == "depthwise" else channels)


def build(folder):
    program, plugin = folder / "layer", folder / "qcount.so"
    qcount = os.environ.get("NIBBLE_QCOUNT", ROOT.parent / "shared" / "tools" / "qcount.c")
    sources = [*(ROOT / "src" / "kernels").rglob("*.c"), ROOT / "benchmarks" / "arm" / "layer.c"]
    subprocess.run(["aarch64-linux-gnu-gcc", "-std=gnu99", "-O2", "-static", "-I", ROOT / "src", *sources, "-lm", "-o",
                    program], check=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-w", qcount, "-o", plugin], check=True)
    symbols = subprocess.run(["aarch64-linux-gnu-nm", program], check=True, capture_output=True, text=True).stdout
    address = {name: at for at, _, name in (line.split() for line in symbols.splitlines() if len(line.split()) == 3)}
    return program, f"{plugin},start=0x{address['count_begin']},stop=0x{address['count_end']}"


def count(program, plugin, options, layer):
    command = ["qemu-aarch64", "-cpu", options.cpu, "-plugin", plugin, "-d", "plugin", program, options.set,
               options.activations, options.stage, *map(str, layer)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"window runs=1 insns=(\d+)", done.stderr + done.stdout)
    return int(found.group(1)), done.stdout.split("\n")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", default="neon")
    parser.add_argument("--cpu", default="cortex-a72")
    parser.add_argument("--activations", choices=["i8", "u8"], default="u8")
    parser.add_argument("--stage", choices=["float", "product"], default="float")
    parser.add_argument("--layers", action="store_true", help="each layer by itself")
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    options = parser.parse_args()
    measured = lambda layer: count(program, plugin, options, layer)
    with tempfile.TemporaryDirectory() as folder:
        program, plugin = build(pathlib.Path(folder))
        distinct = {layer for name in options.networks for layer in NETWORKS[name]}
        counts = {layer: measured(layer) for layer in distinct}
    for name in options.networks:
        layers, kinds = NETWORKS[name], collections.Counter()
        for layer in layers:
            kinds["pointwise" if layer[0] == "conv" and layer[5] == layer[6] == 1 else layer[0]] += counts[layer][0]
            if options.layers:
                instructions, kernel = counts[layer]
                print(f"  {' '.join(map(str, layer)):44} {instructions / 1e6:9.3f} M  "
                      f"{instructions / products(layer):6.3f} a product  {kernel}")
        total, all_products = sum(counts[layer][0] for layer in layers), sum(map(products, layers))
        mark = f", {total / 1e6 / MARKS[name]:.2f} of the mark {MARKS[name]} M" if options.cpu == "cortex-a72" else ""
        shares = ", ".join(f"{kind} {100 * n / total:.0f} %" for kind, n in kinds.most_common())
        print(f"{name}: {total / 1e6:.2f} M instructions for {all_products / 1e6:.2f} M products{mark} ({shares})")


if __name__ == "__main__":
    main()
