#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "unit/passes/networks.hpp"

/// From float to integers, with what must hold on the way.
namespace nibble::passes::testing {

inline std::map<std::string, Tensor> integers_of(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::map<std::string, Tensor> seen;
  graph::evaluate(graph, inputs, [&](ValueId id, const Tensor& tensor) {
    if (!is_real(tensor.type())) seen.emplace(graph[id].name, tensor);
  });
  return seen;
}

/// Signal over error in dB.
inline double sqnr(const std::vector<double>& signal, const std::vector<double>& other) {
  double power = 0, error = 0;
  for (size_t i = 0; i < signal.size(); ++i) {
    power += signal[i] * signal[i];
    error += (signal[i] - other[i]) * (signal[i] - other[i]);
  }
  return 10 * std::log10(power / error);
}

inline std::vector<double> reals_of(const Graph& graph, const Tensor& output) {
  const Grid& grid = graph[graph.outputs[0]].grid.value();
  std::vector<double> reals;
  for (int64_t q : output.to_integers()) reals.push_back(grid.real(q, 0));
  return reals;
}

/// Walks the network from float to integers; returns the SQNR of the integer network's first output against float.
inline double walk(const Graph& network, const QuantiseOptions& options = {}) {
  Random random(5);
  const auto inputs = batch_for(network, random, 3);
  const std::vector<double> real = graph::evaluate(network, inputs).at(0).to_reals();
  Graph fake = network;
  quantise_by(fake, options);
  const std::vector<double> faked = graph::evaluate(fake, inputs).at(0).to_reals();
  Graph deployable = fake, integer = fake;
  IntegeriseOptions stop;
  stop.stop_at_qd = true;
  integerise(deployable, stop);
  integerise(integer, {});
  EXPECT_EQ(deployable.stage, graph::Stage::QD);
  EXPECT_EQ(integer.stage, graph::Stage::ID);
  const auto qd = integers_of(deployable, inputs), id = integers_of(integer, inputs);
  size_t compared = 0;
  for (const auto& [name, tensor] : qd) {
    const auto found = id.find(name);
    if (found == id.end()) continue;
    EXPECT_EQ(tensor.to_integers(), found->second.to_integers()) << name;
    ++compared;
  }
  EXPECT_GT(compared, 3U);
  const std::vector<double> exact = reals_of(integer, graph::evaluate(integer, inputs).at(0));
  EXPECT_GT(sqnr(faked, exact), 30) << "FQ and ID mean the same";
  return sqnr(real, exact);
}

}  // namespace nibble::passes::testing
