#include <gtest/gtest.h>

#include <map>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"
#include "passes/integerise/integerise.hpp"
#include "unit/onnx/model_builder.hpp"

// Fake-quantised networks as other tools write them, from their file to integers.
namespace nibble {
namespace {
using foreign::Model;
using graph::Graph;
using Values = std::map<std::string, Tensor>;

std::vector<int64_t> random_integers(Random& random, size_t count, int64_t low, int64_t high) {
  std::vector<int64_t> values(count);
  for (int64_t& value : values) value = low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
  return values;
}

/// Unsigned weights with a zero point, one scale for the tensor, an int32 bias on the accumulator's grid.
void add_weights(Model& model, Random& random, const std::string& name, const std::vector<int64_t>& shape, float scale,
                 int64_t point, float x_scale) {
  model.integers(name + "_wi", shape, foreign::UInt8,
                 random_integers(random, static_cast<size_t>(element_count(shape)), 0, 255));
  model.reals(name + "_ws", {}, {scale}).integers(name + "_wz", {}, foreign::UInt8, {point});
  model.node("DequantizeLinear", {name + "_wi", name + "_ws", name + "_wz"}, name + "_w");
  model.integers(name + "_bi", {shape[0]}, foreign::Int32,
                 random_integers(random, static_cast<size_t>(shape[0]), -3000, 3000));
  model.reals(name + "_bs", {}, {scale * x_scale}).integers(name + "_bz", {}, foreign::Int32, {0});
  model.node("DequantizeLinear", {name + "_bi", name + "_bs", name + "_bz"}, name + "_b");
}

/// What ONNX Runtime's static quantisation writes of a residual network: every activation asymmetric with a scale of
/// its own, so that an Add and a Concat read branches on different grids.
std::string onnx_runtime_network() {
  using foreign::attribute;
  Random random(3);
  Model model;
  const std::vector<int64_t> one{1, 1}, pads{1, 1, 1, 1}, three{3, 3};
  const std::string same = attribute("pads", pads) + attribute("strides", one) + attribute("kernel_shape", three);
  model.input("x", {-1, 3, 8, 8}).output("y", {-1, 5}).pair("x", "xq", 0.0186f, 114, foreign::UInt8);
  add_weights(model, random, "c1", {4, 3, 3, 3}, 0.0041f, 131, 0.0186f);
  model.node("Conv", {"xq", "c1_w", "c1_b"}, "c1", same)
      .node("Relu", {"c1"}, "r1")
      .pair("r1", "a", 0.0312f, 0, foreign::UInt8);
  add_weights(model, random, "c2", {4, 4, 3, 3}, 0.0029f, 97, 0.0312f);
  model.node("Conv", {"a", "c2_w", "c2_b"}, "c2", same).pair("c2", "b", 0.0473f, 119, foreign::UInt8);
  model.node("Add", {"a", "b"}, "sum").pair("sum", "s", 0.0521f, 88, foreign::UInt8);
  model.node("AveragePool", {"s"}, "pool", same).pair("pool", "p", 0.0307f, 101, foreign::UInt8);
  model.node("Concat", {"p", "a", "b"}, "joined", attribute("axis", 1))
      .pair("joined", "j", 0.0452f, 121, foreign::UInt8);
  model.node("GlobalAveragePool", {"j"}, "mean").pair("mean", "m", 0.0113f, 64, foreign::UInt8);
  model.node("Flatten", {"m"}, "flat");
  add_weights(model, random, "fc", {5, 12}, 0.0077f, 140, 0.0113f);
  model.node("Gemm", {"flat", "fc_w", "fc_b"}, "logits", attribute("transB", 1))
      .pair("logits", "y", 0.0241f, 133, foreign::UInt8);
  return model.bytes();
}

Values values_of(const Graph& graph, const Tensor& x) {
  Values seen;
  graph::evaluate(graph, {x}, [&](graph::ValueId id, const Tensor& tensor) { seen.emplace(graph[id].name, tensor); });
  return seen;
}

TEST(ForeignNetworks, OfOnnxRuntimeWithUnsignedWeightsAndAGridForEachBranchBecomeIntegerExactly) {
  const Graph fake = onnx::read_bytes(onnx_runtime_network(), "ort.onnx");
  ASSERT_EQ(fake.stage, graph::Stage::FQ);
  Graph deployable = fake, integer = fake;
  passes::IntegeriseOptions until_qd;
  until_qd.stop_at_qd = true;
  passes::integerise(deployable, until_qd);
  const passes::IntegeriseReport report = passes::integerise(integer, {});
  EXPECT_EQ(report.exact_nodes(), static_cast<int>(report.nodes.size()));
  Random random(9);
  std::vector<float> x(16 * 3 * 8 * 8);
  for (float& value : x) value = static_cast<float>(random.normal());
  const Tensor input({16, 3, 8, 8}, x);
  const Values reals = values_of(fake, input), exact = values_of(deployable, input),
               integers = values_of(integer, input);
  int64_t compared = 0;
  for (const auto& [name, tensor] : integers) {
    const auto& grid = integer[integer.find(name)].grid;
    if (exact.contains(name)) {
      EXPECT_EQ(exact.at(name).to_integers(), tensor.to_integers()) << name;
    }
    if (!grid || !reals.contains(name)) continue;
    std::vector<int64_t> levels;
    for (double value : reals.at(name).to_reals()) levels.push_back(grid->quantise(value, 0, Rounding::HalfUp));
    EXPECT_EQ(levels, tensor.to_integers()) << name;
    ++compared;
  }
  EXPECT_GE(compared, 8);
}

}  // namespace
}  // namespace nibble
