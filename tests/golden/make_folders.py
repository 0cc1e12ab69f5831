#!/usr/bin/env python3
"""Writes the golden folders of `folders/`: small networks as other tools write them, and what they compute.

The numbers come from the plain loops below, which know nothing of Nibble. Needs protoc and onnx.proto (Debian:
protobuf-compiler, libonnx-dev). The folders are in the repository: run this only to change them.
"""
import math
import random
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "folders"
FLOAT, INT64 = 1, 7


# ---- tensors: (shape, flat list)

def size(shape):
    return math.prod(shape)


def conv(x, w, pads, group=1):
    (n, c, h, width), a = x
    (o, per, kh, kw), b = w
    oh, ow = h + 2 * pads - kh + 1, width + 2 * pads - kw + 1
    out = []
    for i in range(n):
        for k in range(o):
            first = (k // (o // group)) * per
            for y in range(oh):
                for z in range(ow):
                    total = 0
                    for p in range(per):
                        for dy in range(kh):
                            for dz in range(kw):
                                yy, zz = y + dy - pads, z + dz - pads
                                if 0 <= yy < h and 0 <= zz < width:
                                    total += (a[((i * c + first + p) * h + yy) * width + zz]
                                              * b[((k * per + p) * kh + dy) * kw + dz])
                    out.append(total)
    return (n, o, oh, ow), out


def gemm(x, w, c=None, transposed=True, alpha=1, beta=1):
    (m, k), a = x
    n = w[0][0] if transposed else w[0][1]
    out = []
    for i in range(m):
        for j in range(n):
            total = alpha * sum(a[i * k + t] * (w[1][j * k + t] if transposed else w[1][t * n + j]) for t in range(k))
            if c is not None:
                total += beta * c[1][i % c[0][0] * c[0][1] + j if len(c[0]) == 2 else j]
            out.append(total)
    return (m, n), out


def each(x, f):
    return x[0], [f(v) for v in x[1]]


def by_channel(x, f):
    inner = size(x[0][2:])
    return x[0], [f(v, i // inner % x[0][1]) for i, v in enumerate(x[1])]


def clip(v, low, high):
    return min(max(v, low), high)


# ---- files

def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


def tensor(name, shape, values, kind=FLOAT):
    field = "float_data" if kind == FLOAT else "int64_data"
    dims = " ".join(f"dims: {d}" for d in shape)
    data = " ".join(f"{field}: {v!r}" for v in values)
    return f"name: {quoted(name)} data_type: {kind} {dims} {data}"


class Model:
    def __init__(self, opset):
        self.opset, self.body, self.number = opset, [], 0

    def fresh(self):
        self.number += 1
        return f"t{self.number}"

    def constant(self, name, value, kind=FLOAT):
        shape, values = value
        self.body.append(f"initializer {{ {tensor(name, shape, values, kind)} }}")
        return name

    def node(self, op, inputs, domain="", output=None, **attributes):
        output = output or self.fresh()
        text = [f"op_type: {quoted(op)} name: {quoted(op + '_' + output)} domain: {quoted(domain)}"]
        text += [f"input: {quoted(i)}" for i in inputs] + [f"output: {quoted(output)}"]
        for key, value in attributes.items():
            if isinstance(value, tuple):
                value = f"type: TENSOR t {{ {tensor('', *value)} }}"
            elif isinstance(value, list):
                value = "type: INTS " + " ".join(f"ints: {v}" for v in value)
            elif isinstance(value, float):
                value = f"type: FLOAT f: {value!r}"
            else:
                value = f"type: INT i: {value}"
            text.append(f"attribute {{ name: {quoted(key)} {value} }}")
        self.body.append("node { " + " ".join(text) + " }")
        return output

    def io(self, kind, name, shape):
        dims = " ".join(f"dim {{ dim_value: {d} }}" for d in shape)
        self.body.append(f"{kind} {{ name: {quoted(name)} type {{ tensor_type {{ elem_type: 1 shape {{ {dims} }} }} }} }}")

    def write(self, file, name):
        opsets = f'opset_import {{ domain: "" version: {self.opset} }}'
        text = f"ir_version: 7 {opsets} graph {{ name: {quoted(name)} {' '.join(self.body)} }}"
        run = subprocess.run(["protoc", "--encode", "onnx.ModelProto", "-I", "/usr/include", "onnx/onnx.proto"],
                             input=text.encode(), capture_output=True, check=True)
        file.write_bytes(run.stdout)


def channels_last(x):
    shape, values = x
    if len(shape) < 3:
        return shape[1:], values
    _, c, *spatial = shape
    inner = size(spatial)
    return (*spatial, c), [values[k * inner + p] for p in range(inner) for k in range(c)]


def write_text(file, name, x):
    shape, values = channels_last(x)
    file.write_text(f"# {name} (shape [{', '.join(map(str, shape))}]),\n" + "".join(f"{v},\n" for v in values))


def write_npz(file, arrays):
    with zipfile.ZipFile(file, "w") as archive:
        for name, (shape, values), kind in arrays:
            header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
            header += " " * (63 - (len(header) + 10) % 64) + "\n"
            data = struct.pack(f"<{len(values)}{'q' if kind == '<i8' else 'f'}", *values)
            entry = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def folder(name):
    path = HERE / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def numbers(shape, low, high):
    return shape, [random.randint(low, high) for _ in range(size(shape))]


# ---- nemo: kappa, lamda, a factor and a divisor that are float tensors behind a Cast to int64

def nemo_activation(model, x, value, factor, divisor, form, levels=255):
    """Returns the clipped name and integers. form: what stands between the Div and the Clip."""
    channels = value[0][1]
    kappa = numbers((1, channels, 1, 1), 3, 40)
    lamda = numbers((1, channels, 1, 1), -4000, 9000)
    n = model.node("Mul", [model.constant(x + ".kappa", kappa), x])
    n = model.node("Add", [n, model.constant(x + ".lamda", lamda)])
    if form != "bare":
        n = model.node("Cast", [n], to=INT64)
    n = model.node("Mul", [n, model.node("Constant", [], value=((1,), [float(factor)]))])
    n = model.node("Div", [n, model.node("Constant", [], value=((1,), [float(divisor)]))])
    if form == "cast":
        n = model.node("Cast", [n], to=FLOAT)
    elif form == "casts":
        n = model.node("Cast", [model.node("Cast", [n], to=INT64)], to=FLOAT)
    n = model.node("Clip", [n], min=0.0, max=float(levels))
    scaled = by_channel(value, lambda v, c: clip((v * kappa[1][c] + lamda[1][c]) * factor // divisor, 0, levels))
    return n, scaled


def nemo_sum(model, a, b, value, other, factors, divisor):
    """A residual sum: each branch times its factor, one division for both."""
    branches = []
    for x, factor in zip((a, b), factors):
        x = model.node("Cast", [x], to=INT64)
        branches.append(model.node("Mul", [x, model.node("Constant", [], value=((1,), [float(factor)]))]))
    n = model.node("Add", branches)
    n = model.node("Div", [n, model.node("Constant", [], value=((1,), [float(divisor)]))])
    n = model.node("Cast", [n], to=FLOAT)
    return n, (value[0], [(p * factors[0] + q * factors[1]) // divisor for p, q in zip(value[1], other[1])])


def window(size_, pads):
    return {"kernel_shape": [size_, size_], "pads": [pads] * 4, "strides": [1, 1], "dilations": [1, 1]}


def nemo_residual(path):
    model = Model(9)
    x = numbers((1, 3, 5, 4), 0, 255)
    model.io("input", "0", x[0])
    w1, w2 = numbers((4, 3, 3, 3), -9, 9), numbers((4, 1, 3, 3), -30, 30)
    w3, fc = numbers((4, 4, 1, 1), -25, 25), numbers((3, 80), -5, 5)
    layers = []
    n = model.node("Conv", ["0", model.constant("w1", w1)], group=1, **window(3, 1))
    n, first = nemo_activation(model, n, conv(x, w1, 1), 3, 2048, "cast")
    layers.append(("conv1", first))
    m = model.node("Conv", [n, model.constant("w2", w2)], group=4, **window(3, 1))
    m, depthwise = nemo_activation(model, m, conv(first, w2, 1, 4), 1, 4096, "casts")
    layers.append(("depthwise", depthwise))
    m = model.node("Conv", [m, model.constant("w3", w3)], group=1, **window(1, 0))
    m, pointwise = nemo_activation(model, m, conv(depthwise, w3, 0), 2, 1024, "bare")
    layers.append(("pointwise", pointwise))
    n, total = nemo_sum(model, n, m, first, pointwise, (37, 91), 128)
    layers.append(("sum", total))
    flat = model.node("Flatten", [n], axis=1)
    model.node("Gemm", [flat, model.constant("fc", fc)], output="out", transB=1)
    layers.append(("fc", gemm(((1, 80), total[1]), fc)))
    model.io("output", "out", (1, 3))
    model.write(path / "network.onnx", "nemo_residual")
    write_text(path / "input.txt", "input", x)
    for i, (name, value) in enumerate(layers):
        write_text(path / f"out_layer{i}.txt", name, value)


def nemo_tail(path):
    model = Model(9)
    x = numbers((1, 2, 4, 3), 0, 15)
    model.io("input", "0", x[0])
    w, fc = numbers((3, 2, 3, 3), -7, 7), numbers((36, 4), -1, 1)
    n = model.node("Conv", ["0", model.constant("w", w)], group=1, **window(3, 1))
    n, act = nemo_activation(model, n, conv(x, w, 1), 5, 8192, "cast", 7)
    flat = model.node("Flatten", [n], axis=1)
    last = model.node("MatMul", [flat, model.constant("fc", fc)])
    scores = gemm(((1, 36), act[1]), fc, transposed=False)
    model.node("Softmax", [last], output="classes", axis=1)
    index = model.node("Constant", [], value=((2,), [3, 1], INT64))
    picked = model.node("Gather", [last, index], axis=1)
    gate = model.node("Sigmoid", [picked])
    model.node("Concat", [gate, last], output="joined", axis=1)
    for name, extent in (("classes", 4), ("joined", 6)):
        model.io("output", name, (1, extent))
    model.write(path / "network.onnx", "nemo_tail")
    write_text(path / "input.txt", "input", x)
    write_text(path / "out_layer0.txt", "act", act)
    write_text(path / "out_layer1.txt", "fc", scores)
    top = max(scores[1])
    powers = [math.exp(v - top) for v in scores[1]]
    sigmoid = [1 / (1 + math.exp(-scores[1][i])) for i in (3, 1)]
    write_npz(path / "outputs.npz", [("classes", ((1, 4), [p / sum(powers) for p in powers]), "<f4"),
                                     ("joined", ((1, 6), sigmoid + [float(v) for v in scores[1]]), "<f4")])


# ---- quantlab: several inputs one after the other

def quantlab_frames(path, name, count, apart):
    model = Model(10)
    shape = (1, 3, 4, 6)
    frames = [numbers(shape, -8, 7) for _ in range(count)]
    model.io("input", "0", shape)
    w, fc = numbers((4, 3, 3, 3), -7, 7), numbers((5, 24), -7, 7)
    mul, add = numbers((4, 1, 1), 2000, 9000), numbers((4, 1, 1), -90000, 300000)
    n = model.node("Conv", ["0", model.constant("conv.weight", w)], output="1", group=1, weight_bits=4, bias_bits=32,
                   **window(3, 1))
    n = model.node("Mul", [n, model.constant("bn.mul", mul)], output="2", mult_bits=32)
    n = model.node("Add", [n, model.constant("bn.add", add)], output="3", add_bits=32)
    n = model.node("Div", [n, model.node("Constant", [], output="4", value=((), [65536.0]))], output="5")
    n = model.node("Clip", [model.node("Floor", [n], output="6")], output="7", min=0.0, max=15.0, out_bits=4)
    n = model.node("MaxPool", [n], output="8", kernel_shape=[2, 2], pads=[0] * 4, strides=[2, 2])
    n = model.node("Flatten", [n], output="9", axis=1)
    model.node("Gemm", [n, model.constant("fc.weight", fc)], output="10", transB=1, weight_bits=4, bias_bits=32)
    model.io("output", "10", (1, 5))
    model.write(path / f"{name}.onnx", name)
    (path / f"config_{name}.json").write_text(
        f'{{"BNRelu_bits": 32, "onnx_file": "{name}.onnx", "n_inputs": {count}, "input_bits": 4, '
        '"input_signed": true}\n')
    everything = []
    for i, x in enumerate(frames):
        act = by_channel(conv(x, w, 1), lambda v, c: clip((v * mul[1][c] + add[1][c]) // 65536, 0, 15))
        pooled = []
        for c in range(4):
            for y in range(0, 4, 2):
                for z in range(0, 6, 2):
                    at = (c * 4 + y) * 6 + z
                    pooled.append(max(act[1][at], act[1][at + 1], act[1][at + 6], act[1][at + 7]))
        write_text(path / f"out_{i}_layer0.txt", "act", act)
        write_text(path / f"out_{i}_layer1.txt", "pool", ((1, 4, 2, 3), pooled))
        write_text(path / f"output_{i}.txt", "output", gemm(((1, 24), pooled), fc))
        if apart:
            write_text(path / f"input_{i}.txt", f"input_{i}", x)
        everything += channels_last(x)[1]
    (path / "input.txt").write_text(f"# input (shape [4, 6, {3 * count}]),\n" + "".join(f"{v},\n" for v in everything))


# ---- deeploy

def deeploy_gemm(path):
    model = Model(13)
    x, w, c = numbers((4, 7), -128, 127), numbers((3, 7), -90, 90), numbers((4, 3), -700, 700)
    mul, add = numbers((1, 3), 40, 160), numbers((1, 3), -90000, 90000)
    model.io("input", "in", x[0])
    n = model.node("Gemm", ["in", model.constant("B", w), model.constant("C", c)], alpha=3.0, beta=-2.0, transB=1)
    one = lambda number: ((1,), [float(number)])
    model.node("RequantShift", [n, model.constant("mul", mul), model.constant("add", add)], output="out",
               div=one(65536), n_levels=one(256), signed=one(1))
    model.io("output", "out", (4, 3))
    model.write(path / "network.onnx", "deeploy_gemm")
    total = gemm(x, w, c, True, 3, -2)
    out = by_channel((total[0], total[1]), lambda v, k: clip((v * mul[1][k] + add[1][k] + 32768) // 65536, -128, 127))
    write_npz(path / "inputs.npz", [("input", x, "<i8")])
    write_npz(path / "outputs.npz", [("output", out, "<i8")])


def spelled_attention(path):
    """Products of levels, their scales behind them: three projections with biases, then one head of attention."""
    model = Model(13)
    scalar = lambda v: model.constant(model.fresh() + "c", ((), [float(v)]))

    def quantised(x, s, z, low, high, clip_first=False):
        n = model.node("Add", [model.node("Div", [x, scalar(s)]), scalar(z)])
        bounds = [scalar(low), scalar(high)]
        if clip_first:
            return model.node("Round", [model.node("Clip", [n] + bounds)])
        return model.node("Clip", [model.node("Round", [n])] + bounds)

    def reals(q, s, z=0):
        return model.node("Mul", [model.node("Sub", [q, scalar(z)]), scalar(s)])

    single = lambda v: struct.unpack("f", struct.pack("f", v))[0]
    level = lambda v, s, low=-128, high=127: clip(half_even(v / s), low, high)
    x = (1, 4, 6), [single(random.gauss(0, 1)) for _ in range(24)]
    model.io("input", "x", x[0])
    levels = quantised("x", 1 / 32, 0, -128, 127)
    xq = [level(v, 1 / 32) for v in x[1]]
    heads, known = {}, {}
    for head in "qkv":
        w = [single(random.uniform(-1, 1)) for _ in range(36)]
        b = [single(random.uniform(-1, 1)) for _ in range(6)]
        wq = quantised(model.constant("w" + head, ((6, 6), w)), 1 / 64, 0, -128, 127, True)
        bq = quantised(model.constant("b" + head, ((6,), b)), 1 / 2048, 0, -2147483648.0, 2147483647.0)
        sums = model.node("Add", [model.node("MatMul", [levels, wq]), bq])
        heads[head] = quantised(reals(sums, 1 / 2048), 1 / 16, 0, -128, 127)
        product = gemm(((4, 6), xq), ((6, 6), [level(v, 1 / 64) for v in w]), transposed=False)[1]
        bias = [half_even(v * 2048) for v in b]
        known[head] = [level((p + bias[i % 6]) / 2048, 1 / 16) for i, p in enumerate(product)]
    scores = model.node("MatMul", [heads["q"], model.node("Transpose", [heads["k"]], perm=[0, 2, 1])])
    shares = model.node("Softmax", [model.node("Mul", [scores, scalar(1 / 256)])], axis=-1)
    mixed = model.node("MatMul", [quantised(shares, 1 / 256, 0, 0, 255), heads["v"]])
    y = quantised(model.node("Mul", [mixed, scalar(1 / 4096)]), 1 / 32, 2, -128, 127)
    model.node("Mul", [model.node("Sub", [y, scalar(2)]), scalar(1 / 32)], output="y")
    model.io("output", "y", (1, 4, 6))
    model.write(path / "network.onnx", "spelled_attention")
    raw = gemm(((4, 6), known["q"]), ((4, 6), known["k"]))[1]
    rows = []
    for i in range(4):
        powers = [math.exp(v / 256) for v in raw[4 * i:4 * i + 4]]
        rows += [level(p / sum(powers), 1 / 256, 0, 255) for p in powers]
    total = gemm(((4, 4), rows), ((4, 6), known["v"]), transposed=False)[1]
    out = [(clip(half_even(v / 4096 * 32) + 2, -128, 127) - 2) / 32 for v in total]
    write_npz(path / "inputs.npz", [("x", x, "<f4")])
    write_npz(path / "outputs.npz", [("y", ((1, 4, 6), out), "<f4")])


def deeploy_tail(path):
    """Integers to the last RequantShift; behind it reals, and the integers themselves as a second output."""
    model = Model(13)
    x, w = numbers((2, 6), -128, 127), numbers((5, 6), -90, 90)
    model.io("input", "in", x[0])
    n = model.node("Gemm", ["in", model.constant("B", w)], alpha=1.0, beta=1.0, transB=1)
    one = lambda number: ((1,), [float(number)])
    n = model.node("RequantShift", [n, model.constant("mul", ((1,), [3.0])), model.constant("add", ((1,), [500.0]))],
                   output="levels", div=one(16384), n_levels=one(16), signed=one(1))
    n = model.node("Mul", [model.node("Tanh", [n]), model.constant("half", ((), [0.5]))])
    model.node("Concat", [n, "levels"], output="both", axis=1)
    model.io("output", "both", (2, 10))
    model.io("output", "levels", (2, 5))
    model.write(path / "network.onnx", "deeploy_tail")
    levels = each(gemm(x, w), lambda v: clip((v * 3 + 500 + 8192) // 16384, -8, 7))
    rows = [[math.tanh(v) / 2 for v in levels[1][i:i + 5]] + [float(v) for v in levels[1][i:i + 5]] for i in (0, 5)]
    write_npz(path / "inputs.npz", [("in", x, "<i8")])
    write_npz(path / "outputs.npz", [("both", ((2, 10), rows[0] + rows[1]), "<f4"), ("levels", levels, "<i8")])


def quantlab_tail(path):
    model = Model(10)
    x, fc = numbers((1, 12), 0, 3), numbers((4, 12), -1, 1)
    model.io("input", "0", x[0])
    model.node("Gemm", ["0", model.constant("fc.weight", fc)], output="1", transB=1, weight_bits=2, bias_bits=32)
    model.node("Softmax", ["1"], output="2", axis=1)
    model.io("output", "2", (1, 4))
    model.write(path / "network.onnx", "quantlab_tail")
    scores = gemm(x, fc)
    powers = [math.exp(v) for v in scores[1]]
    write_npz(path / "inputs.npz", [("0", x, "<i8")])
    write_npz(path / "outputs.npz", [("2", ((1, 4), [p / sum(powers) for p in powers]), "<f4")])


# ---- quantisers in ops of the standard

def half_even(x):
    low = math.floor(x)
    part = x - low
    return low + (part > 0.5 or (part == 0.5 and low % 2 == 1))


def spelled(path):
    """x: clipped before it is rounded, with a zero point; w: a scale a channel; levels multiplied, the scale behind."""
    model = Model(13)
    x = (2, 2, 4, 5), [random.randint(-400, 400) / 128 for _ in range(80)]
    w = (3, 2, 3, 3), [random.uniform(-1, 1) for _ in range(54)]
    model.io("input", "x", x[0])
    scalar = lambda name, value: model.constant(name, ((), [float(value)]))
    sx, zx, sw, sy = 1 / 32, 118, [1 / 8, 1 / 16, 1 / 4], 1 / 4
    n = model.node("Add", [model.node("Div", ["x", scalar("sx", sx)]), scalar("zx", zx)])
    n = model.node("Round", [model.node("Clip", [n, scalar("low", 0), scalar("high", 255)])])
    n = model.node("Sub", [n, "zx"])
    scale = model.constant("sw", ((3, 1, 1, 1), sw))
    m = model.node("Round", [model.node("Div", [model.constant("W", w), scale])])
    m = model.node("Max", [model.node("Min", [m, scalar("wh", 7)]), scalar("wl", -8)])
    c = model.node("Conv", [n, m], pads=[1, 1, 1, 1])
    c = model.node("Mul", [c, model.constant("s", ((1, 3, 1, 1), [sx * s for s in sw]))])
    y = model.node("Floor", [model.node("Add", [model.node("Mul", [c, scalar("inverse", 1 / sy)]), scalar("half", 0.5)])])
    y = model.node("Clip", [y, scalar("yl", 0), scalar("yh", 15)])
    model.node("Mul", [y, scalar("sy", sy)], output="y")
    model.io("output", "y", (2, 3, 4, 5))
    model.write(path / "network.onnx", "spelled")
    q = each(x, lambda v: half_even(clip(v / sx + zx, 0, 255)) - zx)
    single = lambda v: struct.unpack("f", struct.pack("f", v))[0]
    levels = w[0], [clip(half_even(single(v) / sw[i // 18]), -8, 7) for i, v in enumerate(w[1])]
    real = by_channel(conv(q, levels, 1), lambda v, k: v * sx * sw[k])
    out = each(real, lambda v: clip(math.floor(v / sy + 0.5), 0, 15) * sy)
    write_npz(path / "inputs.npz", [("x", x, "<f4")])
    write_npz(path / "outputs.npz", [("y", out, "<f4")])


if __name__ == "__main__":
    random.seed(13)
    nemo_residual(folder("nemo_residual"))
    nemo_tail(folder("nemo_tail"))
    quantlab_frames(folder("quantlab_frames"), "frames", 3, False)
    quantlab_frames(folder("quantlab_frames_apart"), "apart", 2, True)
    deeploy_gemm(folder("deeploy_gemm"))
    spelled(folder("spelled"))
    deeploy_tail(folder("deeploy_tail"))
    quantlab_tail(folder("quantlab_tail"))
    spelled_attention(folder("spelled_attention"))
