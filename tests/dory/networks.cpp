#include <cstdio>
#include <filesystem>

#include "data/npz.hpp"
#include "equal/onnx/random_integer_networks.hpp"
#include "onnx/onnx.hpp"
#include "unit/passes/random_networks.hpp"

/// Integer networks for the reader that reads as DORY does: NAME.onnx (native) with NAME.npz, one example, and copies
/// with one weight changed (NAME.weight.onnx).
namespace nibble::tests {
namespace {

namespace fs = std::filesystem;
using graph::ValueId;

void write(const graph::Graph& graph, uint64_t seed, const fs::path& folder, const std::string& name) {
  onnx::write_native(graph, folder / (name + ".onnx"));
  const Tensor integers = random_integers(graph, seed, 1).front();
  std::vector<float> reals;
  const graph::Value& input = graph[graph.inputs.front()];
  for (int64_t q : integers.to_integers())
    reals.push_back(input.grid
                        ? static_cast<float>(input.grid->scale[0]) * static_cast<float>(q - input.grid->zero_point)
                        : static_cast<float>(q));
  data::write_npz(folder / (name + ".npz"), {{"x", Tensor(integers.shape(), reals)}});
}

/// The last weight of the first convolution is one off.
void write_with_another_weight(graph::Graph graph, const fs::path& file) {
  for (const graph::Node& node : graph.nodes) {
    if (!holds_alternative<graph::Conv>(node.op)) continue;
    Tensor& weights = *graph[node.inputs[1]].constant;
    std::vector<int64_t> values = weights.to_integers();
    values.back() += values.back() > 0 ? -1 : 1;
    weights = Tensor(weights.shape(), values).cast(weights.type());
    break;
  }
  onnx::write_native(graph, file);
}

/// As a user makes one: convolutions with batch-norms, a depthwise one, both pools, a residual add, a last layer.
graph::Graph demo(uint64_t seed, int64_t bits) {
  passes::testing::Network n(seed);
  ValueId x = n.relu("relu1", n.batch_norm("bn1", n.conv("stem", n.input({any, 1, 28, 28}), 8, 3, 1, 1)));
  x = n.max_pool("max", x);
  const ValueId deep = n.relu("relu2", n.conv("depthwise", x, 8, 3, 1, 1, 8));
  x = n.relu("relu3", n.add("residual", x, n.batch_norm("bn2", n.conv("pointwise", deep, 8, 1))));
  x = n.relu("relu4", n.batch_norm("bn3", n.conv("strided", x, 16, 3, 2, 1)));
  x = n.node("mean", graph::GlobalAveragePool{}, {n.average_pool("average", x)});
  n.finish({n.gemm("logits", n.relu("relu5", n.gemm("hidden", n.flatten("flatten", x), 12)), 10)});
  passes::QuantiseOptions options;
  options.policy.defaults.weight_levels = options.policy.defaults.activation_levels = int64_t{1} << bits;
  options.policy.defaults.symmetric_activations = true;
  options.policy.defaults.branches = passes::Branches::Common;  // what the dialect's Add says
  passes::testing::quantise_by(n.graph, options);
  passes::IntegeriseOptions narrow;
  narrow.widths.multiplier = 25;
  narrow.thresholds = passes::Thresholds::Never;
  passes::integerise(n.graph, narrow);
  return n.graph;
}

/// Pools that DORY computes as they stand: of 3 x 3 (a division by 9) and of all of x, over levels with a sign; cut
/// levels; products of more than 32 bits.
graph::Graph pools() {
  IntegerNetwork n(7);
  const auto divided = [&](const char* name, const Live& sum, int64_t by, Interval to) {
    return n.node(name, graph::FloorDivide{{1}, {0}, {by}, to.low, to.high}, {sum.id}, to);
  };
  const Interval bytes{-128, 127};
  Live x = n.input({1, 3, 13, 9}, bytes);
  graph::Conv same;
  same.strides = {1, 1}, same.dilations = {1, 1}, same.pads = {1, 1, 1, 1};
  x = n.requantise(n.conv(x, 4, 1, bytes, same, 3, true), bytes, true, 24, true);
  x = divided("average", n.sum_pool(x, {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, false, 0}), 9, bytes);
  x = n.requantise(x, bytes, false, 6, false);
  x = n.requantise(n.conv(x, 5, 1, bytes, same, 3, false), {0, 100}, true, 12, false);
  x = n.max_pool(x, {{3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, false});
  x = n.requantise(x, {0, 255}, false, 6, false);
  const auto count = n.shape(x)[2] * n.shape(x)[3];
  const Live sum = n.node("sum", graph::ReduceSum{{2, 3}, true, 0}, {x.id}, n.sum_of(x.range, 0, count, 1));
  x = divided("global", sum, count, x.range);
  n.gemm(n.node("flatten", graph::Flatten{1}, {x.id}, x.range), 3, bytes, true, 0, true);
  return n.finish(1);
}

void write_all(const fs::path& folder) {
  for (int64_t bits : {8, 4, 2}) {
    const graph::Graph graph = demo(static_cast<uint64_t>(bits), bits);
    const std::string name = "demo" + std::to_string(bits);
    write(graph, 1, folder, name);
    if (bits > 2) write_with_another_weight(graph, folder / (name + ".weight.onnx"));
  }
  write(pools(), 2, folder, "pools");
  for (uint64_t seed = 1; seed <= 24; ++seed)
    write(random_integer_network(seed, Style::Deployable), seed, folder, "random" + std::to_string(seed));
}

}  // namespace
}  // namespace nibble::tests

int main(int count, char** arguments) {
  if (count != 2) return std::fputs("usage: dory_networks FOLDER\n", stderr), 2;
  const std::filesystem::path folder = arguments[1];
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  nibble::tests::write_all(folder);
}
