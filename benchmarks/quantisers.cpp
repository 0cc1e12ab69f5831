#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cmath>
#include <functional>
#include <string>

#include "train/network/quantiser.hpp"

/// Claim: a fused quantiser, forward and backward, costs less than torch's own fake_quantize family and a fraction of
/// the same quantiser in libtorch's elementary operations. Each row is forward and backward over one tensor, two
/// threads.
namespace {

using namespace nibble;

/// The largest activation of a ResNet-20 at batch 128, and weights of its widest layer.
const std::vector<int64_t> activation{128, 16, 32, 32}, kernel{64, 64, 3, 3};

Grid grid_of(int64_t low, int64_t high, bool per_channel, int64_t channels) {
  Grid grid;
  grid.scale.assign(per_channel ? static_cast<size_t>(channels) : 1, 0.125);
  grid.axis = per_channel ? 0 : -1, grid.low = low, grid.high = high;
  return grid;
}

using Step = std::function<at::Tensor(const at::Tensor& x)>;

void measure(benchmark::State& state, const std::vector<int64_t>& shape, const Step& step) {
  at::set_num_threads(2);
  // As the module does: activations keep their pages.
  mallopt(M_MMAP_THRESHOLD, 1 << 28);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  at::Tensor x = at::randn(shape), g = at::randn(shape);
  if (shape[0] == 128) x = at::relu(x);
  x.set_requires_grad(true);
  for (auto _ : state) {
    step(x).backward(g);
    x.mutable_grad().reset();
  }
  state.counters["elements"] =
      benchmark::Counter(static_cast<double>(x.numel()), benchmark::Counter::kIsIterationInvariantRate);
}

Step fused(const quant::Learning& learning, bool weights, bool per_channel, const at::Tensor& w) {
  const auto quantiser = std::make_shared<train::Quantiser>(
      "q", graph::Quantise{grid_of(weights ? -8 : 0, weights ? 7 : 15, per_channel, 64), Rounding::HalfUp},
      train::QuantiserRecipe{learning, false}, w, 1);
  return [quantiser](const at::Tensor& x) { return quantiser->forward(x, true, 0); };
}

/// LSQ as its authors write it.
Step by_operations(bool weights, bool per_channel) {
  at::Tensor scale = at::full({per_channel ? 64 : 1}, 0.125);
  scale.set_requires_grad(true);
  return [=](const at::Tensor& x) {
    const double low = weights ? -8 : 0, high = weights ? 7 : 15;
    const double factor = 1 / std::sqrt(static_cast<double>(x.numel()) * high);
    const at::Tensor scaled = (scale - scale * factor).detach() + scale * factor;
    const at::Tensor s = per_channel ? scaled.reshape({-1, 1, 1, 1}) : scaled;
    const at::Tensor v = at::clamp(x / s, low, high);
    return ((at::round(v) - v).detach() + v) * s;
  };
}

Step torchs_own(bool weights, bool per_channel, bool learnable) {
  const at::Tensor scale = at::full({per_channel ? 64 : 1}, 0.125), zero = at::zeros({per_channel ? 64 : 1});
  if (learnable) scale.set_requires_grad(true);
  const int64_t low = weights ? -8 : 0, high = weights ? 7 : 15;
  return [=](const at::Tensor& x) {
    if (learnable && per_channel)
      return at::_fake_quantize_learnable_per_channel_affine(x, scale, zero, 0, low, high, 0.01);
    if (learnable) return at::_fake_quantize_learnable_per_tensor_affine(x, scale, zero, low, high, 0.01);
    if (per_channel) return at::fake_quantize_per_channel_affine(x, scale, zero.to(at::kInt), 0, low, high);
    return at::fake_quantize_per_tensor_affine(x, 0.125, 0, low, high);
  };
}

void add(const std::string& name, const std::vector<int64_t>& shape, const Step& step) {
  benchmark::RegisterBenchmark(name.c_str(), measure, shape, step)
      ->Unit(benchmark::kMicrosecond)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
  for (bool weights : {false, true})
    for (bool per_channel : {false, true}) {
      if (per_channel && !weights) continue;
      const std::vector<int64_t>& shape = weights ? kernel : activation;
      const std::string name = weights ? per_channel ? "weights per channel/" : "weights per tensor/" : "activations/";
      const at::Tensor w = weights ? at::zeros(shape) : at::Tensor();
      add(name + "copy and add", shape, [](const at::Tensor& x) { return x + 0; });
      for (const quant::Algorithm& algorithm : quant::algorithms())
        if (algorithm.on_activations)
          add(name + "fused " + std::string(algorithm.name), shape, fused(algorithm.learning, weights, per_channel, w));
      add(name + "lsq in elementary operations", shape, by_operations(weights, per_channel));
      add(name + "torch fake_quantize", shape, torchs_own(weights, per_channel, false));
      add(name + "torch _fake_quantize_learnable", shape, torchs_own(weights, per_channel, true));
    }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
