#include <fmt/format.h>

#include <optional>

#include "base/error.hpp"
#include "onnx/dialects.hpp"
#include "verbs/goldens/golden_writer.hpp"
#include "verbs/rows.hpp"
#include "verbs/sources.hpp"

namespace nibble::verbs {

namespace {

/// The stages that a dialect holds, and the verb that gives one.
std::string expected_of(const onnx::Dialect& dialect) {
  const bool integers = !dialect.holds(graph::Stage::FQ);
  return "stage " + std::string(dialect.stages) + ", which " + (integers ? "integerize" : "quantize") + " gives";
}

onnx::Containers containers_of(const Call& call) {
  const std::string name = call.text("containers", "four-bit");
  return name == "byte"    ? onnx::Containers::Byte
         : name == "exact" ? onnx::Containers::Exact
                           : onnx::Containers::FourBit;
}

}  // namespace

std::string list_dialects() {
  std::string text = "dialects:\n";
  for (const onnx::Dialect& dialect : onnx::dialects())
    text += fmt::format("  {:<10}{}\n", dialect.name, dialect.sentence);
  return text;
}

Result convert(const Call& call) {
  const graph::Graph graph = model_of(call, "MODEL");
  const onnx::Dialect& dialect = onnx::dialect_named(call.text("dialect"), call.place("dialect"));
  const GoldenForm goldens = dialect.text_goldens ? GoldenForm::Text : GoldenForm::Npz;
  if (!dialect.holds(graph.stage))
    fail("verbs", call.place("dialect"),
         fmt::format("{} of a network at stage {}", dialect.name, to_string(graph.stage)), expected_of(dialect));
  if (call.has("containers") && dialect.name != "qdq")
    fail("verbs", call.place("containers"), std::string(dialect.name), "qdq");
  if (call.has("samples") && !call.has("golden")) fail("verbs", call.place("samples"), "no --golden", "both");
  std::optional<std::vector<Tensor>> examples;
  if (call.has("golden")) examples = golden_examples(call, graph, goldens);
  if (dialect.name == "qdq")
    onnx::write_qdq(graph, call.path("output"), containers_of(call));
  else
    dialect.write(graph, call.path("output"));
  Json json = {{"output", call.text("output")}, {"dialect", dialect.name}, {"stage", graph::to_string(graph.stage)}};
  std::string text = fmt::format("wrote {} ({}, {})\n", call.text("output"), dialect.name, to_string(graph.stage));
  if (examples) text += write_goldens(graph, *examples, call.path("output"), std::string(dialect.name), goldens);
  return {json, text};
}

}  // namespace nibble::verbs
