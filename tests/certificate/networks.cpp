#include <cstdio>
#include <filesystem>

#include "onnx/onnx.hpp"
#include "unit/passes/random_networks.hpp"

/// Writes the networks that the certificate's checker goes through: NAME.fq.onnx, NAME.id.onnx and copies of the latter
/// with one multiplier (NAME.multiplier.onnx) or one weight (NAME.weight.onnx) changed.
namespace nibble::passes::testing {
namespace {

/// Convolutions, a depthwise one, batch-norms of negative and zero gain kept before a sum, a residual, both pools, a
/// concat and a gemm.
Network every_layer(uint64_t seed) {
  Network n(seed);
  const ValueId x = n.relu("relu1", n.conv("stem", n.input({any, 3, 8, 8}), 6, 3, 1, 1));
  const ValueId deep = n.node("relu6", graph::Clip{0, 6}, {n.conv("depthwise", x, 6, 3, 1, 1, 6)});
  const ValueId point = n.batch_norm("bn", n.conv("pointwise", deep, 6, 1));
  const ValueId sum = n.relu("relu2", n.batch_norm("bn_of_sum", n.add("residual", x, point)));
  const ValueId pooled = n.node("joined", graph::Concat{1}, {n.max_pool("max", sum), n.average_pool("average", sum)});
  const ValueId last = n.conv("last", pooled, 5, 3, 2, 1);
  n.finish({n.gemm("logits", n.flatten("flatten", n.node("mean", graph::GlobalAveragePool{}, {last})), 4)});
  return n;
}

QuantiseOptions options_for(uint64_t seed) {
  Random random(seed + 77);
  QuantiseOptions options;
  LayerPolicy& policy = options.policy.defaults;
  policy.weight_levels = int64_t{1} << (2 + random.below(7));
  policy.activation_levels = int64_t{1} << (2 + random.below(7));
  policy.per_channel = random.below(2) == 0;
  policy.symmetric_activations = random.below(2) == 0;
  policy.rounding = static_cast<Rounding>(random.below(3));
  policy.batch_norm = static_cast<BatchNorm>(random.below(4));
  // An integer batch-norm, which integerise may be asked for, takes one sum.
  policy.branches = Branches::Common;
  return options;
}

/// One multiplier a quarter larger, or one weight a level away.
bool corrupt_multiplier(Graph& graph) {
  for (auto& node : graph.nodes)
    if (auto* op = get_if<graph::Requantise>(&node.op))
      for (int64_t& multiplier : op->multiplier)
        if (std::abs(multiplier) >= 64) {
          multiplier += multiplier / 4;
          return true;
        }
  return false;
}

bool corrupt_weight(Graph& graph) {
  for (auto& node : graph.nodes) {
    if (!holds_alternative<graph::Conv>(node.op)) continue;
    Tensor& weights = *graph[node.inputs[1]].constant;
    std::vector<int64_t> values = weights.to_integers();
    values.back() += values.back() > 0 ? -1 : 1;
    weights = Tensor(weights.shape(), values).cast(weights.type());
    return true;
  }
  return false;
}

void write(const Network& network, uint64_t seed, const std::filesystem::path& folder, const std::string& name) {
  Graph graph = network.graph;
  QuantiseOptions options = options_for(seed);
  // Pixels between whose levels real zero lies: a requantisation behind the input.
  if (seed % 4 == 0) options.formats = {{graph[graph.inputs[0]].name, {2.0 / 255}, {-1}}};
  quantise_by(graph, options);
  onnx::write_native(graph, folder / (name + ".fq.onnx"));
  integerise(graph, {});
  onnx::write_native(graph, folder / (name + ".id.onnx"));
  Graph corrupted = graph;
  if (corrupt_multiplier(corrupted)) onnx::write_native(corrupted, folder / (name + ".multiplier.onnx"));
  corrupted = graph;
  if (corrupt_weight(corrupted)) onnx::write_native(corrupted, folder / (name + ".weight.onnx"));
}

}  // namespace
}  // namespace nibble::passes::testing

int main(int count, char** arguments) {
  using namespace nibble::passes::testing;
  if (count != 2) return std::fputs("usage: certificate_networks FOLDER\n", stderr), 2;
  const std::filesystem::path folder = arguments[1];
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (uint64_t seed = 1; seed <= 24; ++seed) write(every_layer(seed), seed, folder, "layers" + std::to_string(seed));
  for (uint64_t seed = 1; seed <= 24; ++seed)
    write(random_network(seed), seed, folder, "random" + std::to_string(seed));
}
