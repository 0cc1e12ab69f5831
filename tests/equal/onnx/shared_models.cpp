#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "onnx/onnx.hpp"

namespace nibble {
namespace {

const std::filesystem::path folder = std::filesystem::path(NIBBLE_SOURCE) / ".." / "shared" / "data" / "models";

std::vector<Tensor> random_inputs(const graph::Graph& graph) {
  Random random(1);
  std::vector<Tensor> inputs;
  for (graph::ValueId id : graph.inputs) {
    Shape shape = graph[id].shape;
    for (int64_t& extent : shape)
      if (extent == any) extent = 1;
    Tensor input(ElementType::Float32, shape);
    for (float& element : input.as<float>()) element = static_cast<float>(random.normal());
    inputs.push_back(std::move(input));
  }
  return inputs;
}

TEST(SharedModels, AreReadVerifiedAndEvaluated) {
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no shared models at " << folder;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().filename().string());
    const graph::Graph graph = onnx::read(entry.path());
    EXPECT_EQ(graph.stage, graph::Stage::FP);
    ++count;
    for (const Tensor& output : graph::evaluate(graph, random_inputs(graph)))
      for (double element : output.to_reals()) ASSERT_TRUE(std::isfinite(element));
  }
  EXPECT_GE(count, 9);
}

}  // namespace
}  // namespace nibble
