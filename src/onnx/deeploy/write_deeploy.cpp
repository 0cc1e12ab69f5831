#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/file.hpp"
#include "onnx/deeploy/deeploy_writer.hpp"
#include "onnx/onnx.hpp"

namespace nibble::onnx {
namespace {

/// Attribute forms of Pad, Squeeze, ReduceSum and Clip, which the dialect's own readers want.
constexpr int64_t opset = 10, ir_version = 5;

std::vector<std::string> refusals(DeeployWriter& writer, const graph::Graph& graph) {
  std::vector<std::string> all;
  for (const graph::Node& node : graph.nodes)
    if (const auto reason = write_deeploy_node(writer, node))
      all.push_back(fmt::format("'{}' ({}): {}", node.name, graph::name_of(node.op), *reason));
  return all;
}

}  // namespace

std::string deeploy_bytes(const graph::Graph& graph) {
  const std::string place = "dialect deeploy: network '" + graph.name + "'";
  if (graph.stage != graph::Stage::ID)
    fail("onnx", place, "stage " + std::string(to_string(graph.stage)), "ID: integerize it first");
  for (graph::ValueId id : graph.inputs)
    if (is_real(graph[id].type))
      fail("onnx", place, "input '" + graph[id].name + "' of " + std::string(to_string(graph[id].type)), "integers");
  DeeployWriter writer(graph, opset, ir_version);
  const auto refused = refusals(writer, graph);
  if (!refused.empty())
    fail("onnx", place,
         fmt::format("{} node{} that it cannot say: {}", refused.size(), refused.size() == 1 ? "" : "s",
                     fmt::join(refused, "; ")),
         "another dialect (native says all), or a network without them");
  return writer.finish();
}

void write_deeploy(const graph::Graph& graph, const std::filesystem::path& file) {
  write_file(file, deeploy_bytes(graph), "onnx");
}

}  // namespace nibble::onnx
