#include <optional>

#include "base/error.hpp"
#include "onnx/onnx.hpp"
#include "verbs/golden_writer.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {

namespace {

/// The files in which a dialect's tools keep goldens.
GoldenForm form_of(const std::string& dialect) {
  return dialect == "quantlab" || dialect == "nemo" ? GoldenForm::Text : GoldenForm::Npz;
}

onnx::Containers containers_of(const Call& call) {
  const std::string name = call.text("containers", "four-bit");
  return name == "byte"    ? onnx::Containers::Byte
         : name == "exact" ? onnx::Containers::Exact
                           : onnx::Containers::FourBit;
}

}  // namespace

Result convert(const Call& call) {
  const graph::Graph graph = onnx::read(call.path("MODEL"));
  const std::string& dialect = call.text("dialect");
  if (dialect != "native" && graph.stage == graph::Stage::FP)
    fail("verbs", call.place("dialect"), dialect + " of a network at stage " + std::string(to_string(graph.stage)),
         "a quantised network, which quantize and integerize give");
  if (call.has("containers") && dialect != "qdq") fail("verbs", call.place("containers"), dialect, "qdq");
  if (call.has("samples") && !call.has("golden")) fail("verbs", call.place("samples"), "no --golden", "both");
  std::optional<Tensor> examples;
  if (call.has("golden")) examples = golden_examples(call, graph, form_of(dialect));
  if (dialect == "qdq")
    onnx::write_qdq(graph, call.path("output"), containers_of(call));
  else if (dialect == "qoperator")
    onnx::write_qoperator(graph, call.path("output"));
  else
    onnx::write_native(graph, call.path("output"));
  Json json = {{"output", call.text("output")}, {"dialect", dialect}, {"stage", graph::to_string(graph.stage)}};
  std::string text =
      "wrote " + call.text("output") + " (" + dialect + ", " + std::string(to_string(graph.stage)) + ")\n";
  if (examples) text += write_goldens(graph, *examples, call.path("output"), form_of(dialect));
  return {json, text};
}

}  // namespace nibble::verbs
