#include "passes/quantise/output_noise.hpp"

#include <cmath>
#include <utility>

#include "passes/quantise/passes.hpp"

namespace nibble::passes {

OutputNoise::OutputNoise(const graph::Graph& network, graph::EngineMaker maker,
                         std::vector<std::vector<Tensor>> examples)
    : maker_(std::move(maker)), examples_(std::move(examples)) {
  const auto engine = maker_(network);
  for (const std::vector<Tensor>& example : examples_) {
    wanted_.emplace_back();
    for (const Tensor& output : engine->run(example)) wanted_.back().push_back(output.to_reals());
  }
}

double OutputNoise::of(const graph::Graph& fake) const {
  const auto engine = maker_(fake);
  std::vector<double> noise(fake.outputs.size()), signal(noise.size());
  for (size_t e = 0; e < examples_.size(); ++e) {
    const std::vector<Tensor> found = engine->run(examples_[e]);
    for (size_t o = 0; o < found.size(); ++o) {
      const std::vector<double>&x = wanted_[e][o], y = found[o].to_reals();
      for (size_t i = 0; i < x.size(); ++i) noise[o] += (x[i] - y[i]) * (x[i] - y[i]), signal[o] += x[i] * x[i];
    }
  }
  double total = 0;
  for (size_t o = 0; o < noise.size(); ++o) total += signal[o] > 0 ? noise[o] / signal[o] : noise[o];
  return total;
}

double noise_of(const OutputNoise& judge, const graph::Graph& graph, const QuantiserPlan& plan,
                const std::vector<Grid>& grids, const graph::EngineMaker& maker,
                const std::vector<std::vector<Tensor>>& biases) {
  graph::Graph fake = graph;
  if (!biases.empty())
    correct_biases(fake, plan, grids, maker, [&](const auto& use) {
      for (const std::vector<Tensor>& batch : biases) use(batch);
    });
  place_quantisers(fake, plan, grids);
  graph::tidy(fake);
  return judge.of(fake);
}

double decibels(double ratio) {
  return ratio > 0 ? 10 * std::log10(ratio) : 0;
}

}  // namespace nibble::passes
