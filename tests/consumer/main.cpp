// Reads a float network written by the caller, quantises it on two images and converts it to integers.
#include <cstdio>

#include "graph/evaluate/evaluate.hpp"
#include "lab/run.hpp"
#include "onnx/onnx.hpp"
#include "passes/integerise/integerise.hpp"
#include "passes/quantise/quantise.hpp"

using namespace nibble;

int main() {
  graph::Graph graph;
  const graph::ValueId x = graph.add_value("x", ElementType::Float32, {any, 1, 2, 2});
  graph.inputs = {x};
  const graph::ValueId w = graph.add_constant("w", Tensor({1, 1, 1, 1}, std::vector<float>{0.5F}));
  graph::Conv conv;
  conv.strides = conv.dilations = {1, 1};
  conv.pads = {0, 0, 0, 0};
  graph.outputs = {graph.add_node("conv", conv, {x, w})};
  graph::tidy(graph);
  const Tensor image({1, 1, 2, 2}, std::vector<float>{0, 0.25F, 0.5F, 1});
  passes::quantise(graph, {}, graph::reference_engine, [&](const auto& use) { use({image}); });
  const auto report = passes::integerise(graph, {});
  const graph::Graph again = onnx::read_bytes(onnx::native_bytes(graph), "again");
  std::printf("stage %s, overflow free %d\n", std::string(to_string(again.stage)).c_str(), report.overflow_free);
  return again.stage == graph::Stage::ID ? 0 : 1;
}
