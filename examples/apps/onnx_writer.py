"""Float networks as ONNX files, written with the standard library alone: what examples are trained from."""
import random
import struct


def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A field of a protobuf message: an integer, a float, or bytes (text, messages)."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, 1)
    return field(1, name) + b"".join(field(8, i) for i in value) + field(20, 7)


def value_info(name, shape):
    dims = b"".join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


class Network:
    """A chain of layers of a picture [channels, side, side] or of numbers; weights drawn as He et al. 2015 say."""

    def __init__(self, shape, seed=1):
        self.rng = random.Random(seed)
        self.shape, self.channels, self.value, self.count = shape, shape[0], "input", 0
        self.nodes, self.constants = b"", b""

    def constant(self, name, dims, values):
        data = struct.pack(f"<{len(values)}f", *values)
        message = b"".join(field(1, d) for d in dims) + field(2, 1) + field(8, name) + field(9, data)
        self.constants += field(5, message)

    def node(self, op, inputs=(), output=None, **attributes):
        self.count += 1
        output = output or f"{op.lower()}{self.count}"
        message = b"".join(field(1, i) for i in (self.value, *inputs)) + field(2, output)
        message += field(3, f"{op}{self.count}") + field(4, op)
        message += b"".join(field(5, attribute(k, v)) for k, v in attributes.items())
        self.nodes += field(1, message)
        self.value = output
        return self

    def weighted(self, op, dims, fan_in, outputs, output=None, **attributes):
        name = f"w{self.count}"
        scale = (2 / fan_in) ** 0.5
        total = 1
        for d in dims:
            total *= d
        self.constant(name, dims, [self.rng.gauss(0, scale) for _ in range(total)])
        self.constant("b" + name, [outputs], [0.0] * outputs)
        return self.node(op, (name, "b" + name), output, **attributes)

    def conv(self, to, kernel=3, stride=1, group=1, output=None):
        fan_in = self.channels // group * kernel * kernel
        dims = [to, self.channels // group, kernel, kernel]
        self.channels = to
        pad = (kernel - 1) // 2
        return self.weighted("Conv", dims, fan_in, to, output, kernel_shape=[kernel, kernel], strides=[stride, stride],
                             pads=[pad] * 4, group=group)

    def dense(self, inputs, outputs, output=None):
        return self.weighted("Gemm", [outputs, inputs], inputs, outputs, output, transB=1)

    def relu(self):
        return self.node("Relu")

    def write(self, file, shape_out):
        graph = self.nodes + field(2, "network") + self.constants
        graph += field(11, value_info("input", ["N", *self.shape])) + field(12, value_info(self.value, ["N", *shape_out]))
        model = field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))
        file.write_bytes(model)
