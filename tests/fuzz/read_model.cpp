#include "read_model.hpp"

#include "graph/count.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "graph/verify.hpp"
#include "onnx/onnx.hpp"

namespace nibble::fuzz {
namespace {

/// Elements and multiply-accumulates for one example, or more than `most`.
int64_t work(const graph::Graph& graph, int64_t most) {
  int64_t sum = 0;
  for (const graph::Value& value : graph.values) {
    sum += element_count(value.shape, 1);
    if (sum > most) return sum;
  }
  const graph::Uses uses(graph);
  for (const graph::Node& node : graph.nodes) {
    sum += graph::counts(graph, uses, node).multiply_accumulates;
    if (sum > most) return sum;
  }
  return sum;
}

}  // namespace

void read_model(std::string_view bytes, const std::string& dialect) {
  const graph::Graph graph = onnx::read_bytes(bytes, "fuzz", {.dialect = dialect});
  graph::verify(graph);
  constexpr int64_t most = 512;
  if (work(graph, most) > most) return;
  std::vector<Tensor> zeros;
  for (graph::ValueId id : graph.inputs) {
    Shape shape = graph[id].shape;
    for (int64_t& extent : shape)
      if (extent == any) extent = 1;
    zeros.emplace_back(graph[id].type, shape);
  }
  graph::evaluate(graph, zeros);
}

}  // namespace nibble::fuzz
