#include <fmt/format.h>

#include "base/file.hpp"
#include "onnx/onnx.hpp"
#include "passes/integerise.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {
namespace {

passes::IntegeriseOptions options_of(const Call& call) {
  passes::IntegeriseOptions options;
  options.stop_at_qd = call.has("stop-at");
  options.widths.multiplier = static_cast<int>(call.integer("multiplier-bits", 32, 2, 32));
  options.accumulator_bits = static_cast<int>(call.integer("accumulator-bits", 32, 8, 64));
  const std::string rule = call.text("requantisation", "exact");
  if (rule == "nemo") options.requantisation = passes::RequantisationRule::Nemo;
  if (rule == "standard") options.requantisation = passes::RequantisationRule::Standard;
  if (call.has("dump")) options.dump = call.path("dump");
  return options;
}

std::string line_of(const passes::CertifiedNode& node) {
  size_t channels = 0;
  int64_t differing = 0, worst = 0, values = 0;
  for (size_t i = 0; i < node.channels.size(); ++i) {
    channels += node.channels[i].differing > 0;
    differing += node.channels[i].differing;
    worst = std::max(worst, node.channels[i].worst);
    values += node.accumulators[i].high - node.accumulators[i].low + 1;
  }
  return fmt::format("  {}: {} of {} channels; {} of {} accumulator values differ, by {} {} at most\n", node.node,
                     channels, node.channels.size(), differing, values, worst, worst == 1 ? "level" : "levels");
}

std::string describe(const passes::IntegeriseReport& report) {
  std::string text = fmt::format("{} {}, {} exact; {}\n", report.nodes.size(),
                                 report.nodes.size() == 1 ? "requantisation" : "requantisations", report.exact_nodes(),
                                 report.overflow_free ? "no accumulator overflows" : "accumulators may overflow");
  if (report.exact_nodes() == static_cast<int>(report.nodes.size())) return text;
  text += "not exact, because the multiplier or the rule leaves no parameters with the same steps:\n";
  for (const passes::CertifiedNode& node : report.nodes)
    if (!node.exact()) text += line_of(node);
  return text;
}

}  // namespace

Result integerize(const Call& call) {
  const passes::IntegeriseOptions options = options_of(call);
  graph::Graph graph = onnx::read(call.path("FQ.onnx"));
  const passes::IntegeriseReport report = passes::integerise(graph, options);
  onnx::write_native(graph, call.path("output"));
  if (call.has("certificate"))
    write_file(call.path("certificate"), passes::certificate_json(report).dump(1) + "\n", "verbs");
  const std::string written = fmt::format("wrote {} ({})\n", call.text("output"), to_string(graph.stage));
  return {passes::to_json(report), (options.stop_at_qd ? std::string() : describe(report)) + written};
}

std::string integerize_pipeline() {
  passes::IntegeriseReport report;
  return "The passes, in order\n" + passes::describe(passes::fake_to_true({}, report));
}

}  // namespace nibble::verbs
