#include "base/error.hpp"
#include "onnx/onnx.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {

Result convert(const Call& call) {
  const graph::Graph graph = onnx::read(call.path("MODEL"));
  const std::string& dialect = call.text("dialect");
  if (dialect == "qdq" && graph.stage != graph::Stage::FQ)
    fail("verbs", call.place("dialect"), "qdq of a network at stage " + std::string(to_string(graph.stage)),
         "stage FQ, which quantize gives");
  if (dialect == "qdq")
    onnx::write_qdq(graph, call.path("output"));
  else
    onnx::write_native(graph, call.path("output"));
  Json json = {{"output", call.text("output")}, {"dialect", dialect}, {"stage", graph::to_string(graph.stage)}};
  return {json, "wrote " + call.text("output") + " (" + dialect + ", " + std::string(to_string(graph.stage)) + ")\n"};
}

}  // namespace nibble::verbs
