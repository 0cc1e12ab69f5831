/// XNNPACK on a whole network of bytes, operator by operator: convolutions with a scale a channel, fully connected
/// layers with one (it has no others), residual sums, pools.
/// Usage: xnnpack LAYERS.json THREADS [avx2]    avx2: as on a CPU that has nothing newer
#include <cpuinfo.h>
#include <xnnpack.h>

#include "layers.hpp"
#include "serve.hpp"

namespace {

constexpr int8_t low = -128, high = 127;

uint32_t u(int64_t number) {
  return static_cast<uint32_t>(number);
}
size_t z(int64_t number) {
  return static_cast<size_t>(number);
}

void check(xnn_status status, const std::string& what) {
  if (status != xnn_status_success) throw std::runtime_error(what + ": status " + std::to_string(status));
}

std::vector<int32_t> biases(const Layer& layer) {
  return std::vector<int32_t>(z(layer.out[0]), 3);
}

/// Weights are [groups, output channels a group, height, width, input channels a group]; drawn, any order is the same.
xnn_operator_t conv(const Layer& l, int8_t* in, int8_t* out, pthreadpool_t threads) {
  xnn_operator_t op = nullptr;
  check(xnn_create_convolution2d_nhwc_qc8(u(l.pads[0]), u(l.pads[3]), u(l.pads[2]), u(l.pads[1]), u(l.kernel[0]),
                                          u(l.kernel[1]), u(l.strides[0]), u(l.strides[1]), 1, 1, u(l.group),
                                          z(l.in[0] / l.group), z(l.out[0] / l.group), z(l.in[0]), z(l.out[0]), low, 1,
                                          l.scales().data(), drawn_bytes(l.out[0] * l.terms()).data(), biases(l).data(),
                                          low, 1, low, high, 0, &op),
        l.name);
  check(xnn_setup_convolution2d_nhwc_qc8(op, 1, z(l.in[1]), z(l.in[2]), in, out, threads), l.name);
  return op;
}

xnn_operator_t fully_connected(const Layer& l, int8_t* in, int8_t* out, pthreadpool_t threads) {
  xnn_operator_t op = nullptr;
  const size_t from = z(l.in_elements()), to = z(l.out[0]);
  check(xnn_create_fully_connected_nc_qs8(from, to, from, to, low, 1, l.scales()[0],
                                          drawn_bytes(l.out[0] * l.terms()).data(), biases(l).data(), low, 1, low, high,
                                          0, &op),
        l.name);
  check(xnn_setup_fully_connected_nc_qs8(op, 1, in, out, threads), l.name);
  return op;
}

xnn_operator_t max_pool(const Layer& l, int8_t* in, int8_t* out, pthreadpool_t threads) {
  xnn_operator_t op = nullptr;
  check(xnn_create_max_pooling2d_nhwc_s8(u(l.pads[0]), u(l.pads[3]), u(l.pads[2]), u(l.pads[1]), u(l.kernel[0]),
                                         u(l.kernel[1]), u(l.strides[0]), u(l.strides[1]), 1, 1, z(l.in[0]), z(l.in[0]),
                                         z(l.in[0]), low, high, 0, &op),
        l.name);
  check(xnn_setup_max_pooling2d_nhwc_s8(op, 1, z(l.in[1]), z(l.in[2]), in, out, threads), l.name);
  return op;
}

xnn_operator_t mean(const Layer& l, int8_t* in, int8_t* out, pthreadpool_t threads) {
  xnn_operator_t op = nullptr;
  const size_t channels = z(l.in[0]);
  check(xnn_create_global_average_pooling_nwc_qs8(channels, channels, channels, low, 1, low, 1, low, high, 0, &op),
        l.name);
  check(xnn_setup_global_average_pooling_nwc_qs8(op, 1, z(l.in[1] * l.in[2]), in, out, threads), l.name);
  return op;
}

xnn_operator_t add(const Layer& l, int8_t* a, int8_t* b, int8_t* out, pthreadpool_t threads) {
  xnn_operator_t op = nullptr;
  const size_t elements = z(l.out_elements());
  check(xnn_create_add_nd_qs8(low, 0.7F, low, 0.6F, low, 1, low, high, 0, &op), l.name);
  check(xnn_setup_add_nd_qs8(op, 1, &elements, 1, &elements, a, b, out, threads), l.name);
  return op;
}

xnn_operator_t made(const Layer& layer, Buffers& buffers, pthreadpool_t threads) {
  int8_t *in = buffers[layer.inputs[0]], *out = buffers[layer.output];
  if (layer.op == "conv") return conv(layer, in, out, threads);
  if (layer.op == "fully_connected") return fully_connected(layer, in, out, threads);
  if (layer.op == "max_pool") return max_pool(layer, in, out, threads);
  if (layer.op == "mean") return mean(layer, in, out, threads);
  if (layer.op == "add") return add(layer, in, buffers[layer.inputs[1]], out, threads);
  throw std::runtime_error(layer.name + ": no op " + layer.op);
}

/// XNNPACK chooses by what cpuinfo says, and cpuinfo asks the CPU once.
void hide_what_is_newer_than_avx2() {
#if CPUINFO_ARCH_X86_64
  cpuinfo_isa.avx512f = cpuinfo_isa.avx512bw = cpuinfo_isa.avx512dq = cpuinfo_isa.avx512vl = cpuinfo_isa.avx512vnni =
      false;
#endif
}

void measure(const char* file, int threads, bool avx2) {
  if (!cpuinfo_initialize()) throw std::runtime_error("cpuinfo does not know this CPU");
  if (avx2) hide_what_is_newer_than_avx2();
  check(xnn_initialize(nullptr), "xnn_initialize");
  const std::vector<Layer> layers = read_layers(file);
  Buffers buffers(layers, XNN_EXTRA_BYTES);
  pthreadpool_t pool = threads > 1 ? pthreadpool_create(z(threads)) : nullptr;
  std::vector<xnn_operator_t> operators;
  for (const Layer& layer : layers) operators.push_back(made(layer, buffers, pool));
  serve("XNNPACK of 2022-02", [&] {
    for (xnn_operator_t op : operators) xnn_run_operator(op, pool);
  });
}

}  // namespace

int main(int count, char** arguments) {
  return reported("xnnpack", [&] {
    if (count < 3) throw std::runtime_error("usage: xnnpack LAYERS.json THREADS [avx2]");
    measure(arguments[1], std::stoi(arguments[2]), count > 3 && std::string(arguments[3]) == "avx2");
  });
}
