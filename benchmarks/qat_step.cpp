#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>

#include "base/random.hpp"
#include "quant/range.hpp"
#include "train/engine.hpp"
#include "train/loop/health.hpp"
#include "train/loop/optimiser.hpp"
#include "train/network/network.hpp"

/// Claim: a training step of a fake-quantised ResNet-20 (4 bits everywhere, LSQ or PACT, batch 128, two threads) costs
/// at most 1.25 times the float step: forward, backward and the optimiser; watching its health, at most 0.02 of
/// a step (counter "watching": the median of its shares). Compare the medians of one run.
namespace {

using namespace nibble;

/// ResNet-20 for 32x32 images, float, or with quantisers of 4 bits on all weights and activations.
class Builder {
 public:
  Builder(bool quantised) : quantised_(quantised) {
    graph_.name = "resnet20";
    graph_.stage = quantised ? graph::Stage::FQ : graph::Stage::FP;
    graph::ValueId x = graph_.add_value("input", ElementType::Float32, {any, 3, 32, 32});
    graph_.inputs = {x};
    x = activation(convolution(quantise(x, -8, 7, 0.25), 3, 16, 3, 1), true);
    int64_t channels = 16;
    for (int64_t stage : {16, 32, 64})
      for (int block = 0; block < 3; ++block) {
        const int64_t stride = stage != channels ? 2 : 1;
        graph::ValueId y = activation(convolution(x, channels, stage, 3, stride), true);
        y = activation(convolution(y, stage, stage, 3, 1), false);
        if (stage != channels) x = activation(convolution(x, channels, stage, 1, stride), false);
        x = graph_.add_node(name("add"), graph::Add{}, {x, y});
        x = quantise(graph_.add_node(name("relu"), graph::Relu{}, {x}), 0, 15, 0.25);
        channels = stage;
      }
    x = graph_.add_node("pool", graph::GlobalAveragePool{}, {x});
    x = graph_.add_node("flatten", graph::Flatten{}, {x});
    graph::Gemm gemm;
    gemm.transpose_b = true;
    x = graph_.add_node("fc", gemm, {quantise(x, 0, 15, 0.125), weights({10, 64}, 0.1), constant({10}, 0)});
    graph_.outputs = {x};
    graph::tidy(graph_);
  }
  graph::Graph graph() { return graph_; }

 private:
  std::string name(const char* what) { return what + std::to_string(graph_.nodes.size()); }
  graph::ValueId constant(Shape shape, float value) {
    Tensor tensor(ElementType::Float32, shape);
    for (float& each : tensor.as<float>()) each = value;
    return graph_.add_constant(name("constant") + "_" + std::to_string(graph_.values.size()), tensor);
  }
  graph::ValueId quantise(graph::ValueId x, int64_t low, int64_t high, double scale) {
    if (!quantised_) return x;
    Grid grid;
    grid.scale = {scale}, grid.low = low, grid.high = high;
    return graph_.add_node(name("q"), graph::Quantise{grid, Rounding::HalfUp}, {x});
  }
  graph::ValueId weights(Shape shape, double deviation) {
    Tensor tensor(ElementType::Float32, shape);
    for (float& each : tensor.as<float>()) each = static_cast<float>(deviation * random_.normal());
    const graph::ValueId id = graph_.add_constant(name("weights"), tensor);
    if (!quantised_) return id;
    const Grid grid = quant::grid_of_weights(tensor, 0, {16, quant::Symmetry::Symmetric}, {}, "w");
    return graph_.add_node(name("q"), graph::Quantise{grid, Rounding::HalfUp}, {id});
  }
  graph::ValueId convolution(graph::ValueId x, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
    graph::Conv conv;
    const int64_t pad = kernel / 2;
    conv.strides = {stride, stride}, conv.dilations = {1, 1}, conv.pads = {pad, pad, pad, pad};
    x = graph_.add_node(name("conv"), conv,
                        {x, weights({out, in, kernel, kernel}, 1.4 / std::sqrt(in * kernel * kernel))});
    const std::string bn = name("bn");
    return graph_.add_node(bn, graph::BatchNormalization{},
                           {x, constant({out}, 1), constant({out}, 0), constant({out}, 0), constant({out}, 1)});
  }
  /// With a ReLU, unsigned; the branches of a sum without one.
  graph::ValueId activation(graph::ValueId x, bool relu) {
    if (relu) return quantise(graph_.add_node(name("relu"), graph::Relu{}, {x}), 0, 15, 0.25);
    return quantise(x, -8, 7, 0.5);
  }

  bool quantised_;
  Random random_{1};
  graph::Graph graph_;
};

template <class F>
double seconds_of(F f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void step(benchmark::State& state, bool quantised, const quant::Learning& learning, bool watched = false) {
  train::use_direct_convolutions();
  // As the module does: activations keep their pages.
  mallopt(M_MMAP_THRESHOLD, 1 << 28);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  at::set_num_threads(2);
  const graph::Graph graph = Builder(quantised).graph();
  train::Network network(graph, [&](const train::QuantiserPlace&) { return train::QuantiserRecipe{learning, false}; });
  train::Optimiser optimiser({.optimiser = "sgd"}, network.learned());
  const at::Tensor x = at::randn({128, 3, 32, 32}), labels = at::randint(10, {128}, at::kLong);
  int64_t steps = 0;
  const train::Health::Warn warn;
  train::Health health(network, warn);
  double watching = 0;
  std::vector<double> shares;
  train::Observer observe;
  if (watched)
    observe = {[&](graph::ValueId id, const at::Tensor& y) { watching += seconds_of([&] { health.observe(id, y); }); },
               [&](graph::ValueId id) { return health.wants(id); }};
  for (auto _ : state) {
    watching = 0;
    const double whole = seconds_of([&] {
      optimiser.clear_gradients();
      at::cross_entropy_loss(network.run(x, {true, {}, steps++}, false, observe), labels).backward();
      optimiser.step(1e-4);
      network.settle();
      if (watched)
        watching += seconds_of([&] {
          benchmark::DoNotOptimize(train::learned_not_finite(network));
          health.after_step("");
        });
    });
    shares.push_back(watching / whole);
  }
  std::nth_element(shares.begin(), shares.begin() + static_cast<std::ptrdiff_t>(shares.size() / 2), shares.end());
  if (watched) state.counters["watching"] = shares[shares.size() / 2];
  state.counters["quantisers"] = static_cast<double>(network.quantisers_on());
}

BENCHMARK_CAPTURE(step, float32, false, quant::Ste{})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(step, ste, true, quant::Ste{})->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK_CAPTURE(step, pact, true, quant::Pact{})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(step, lsq, true, quant::Lsq{})->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK_CAPTURE(step, lsq_watched, true, quant::Lsq{}, true)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

}  // namespace
BENCHMARK_MAIN();
