#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/file.hpp"
#include "lab/metrics.hpp"
#include "onnx/onnx.hpp"
#include "passes/integerise/integerise.hpp"
#include "verbs/rows.hpp"
#include "verbs/sources.hpp"

namespace nibble::verbs {
namespace {

/// "LOW:HIGH", within 0 to 62.
void read_shift_range(const Call& call, quant::Widths& widths) {
  if (!call.has("shift-range")) return;
  const std::string text = call.text("shift-range");
  const auto number = [&](std::string_view digits) {
    int value = -1;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return failed == std::errc{} && end == digits.data() + digits.size() ? value : -1;
  };
  const size_t colon = std::min(text.find(':'), text.size());
  widths.least_shift = number(std::string_view(text).substr(0, colon));
  widths.shift = colon < text.size() ? number(std::string_view(text).substr(colon + 1)) : -1;
  if (widths.least_shift < 0 || widths.shift < widths.least_shift || widths.shift > 62)
    fail("verbs", call.place("shift-range"), "'" + text + "'", "LOW:HIGH within 0:62, 0:31 for example");
}

quant::Widths widths_of(const Call& call) {
  quant::Widths widths;
  widths.multiplier = static_cast<int>(call.integer("multiplier-bits", 32, 2, 32));
  widths.product = static_cast<int>(call.integer("product-bits", 64, 8, 64));
  read_shift_range(call, widths);
  return widths;
}

/// NEMO's rule has widths of its own; what would not be honoured is refused.
void check_rule(const Call& call, const passes::IntegeriseOptions& options) {
  if (options.requantisation != passes::RequantisationRule::Nemo) return;
  for (const char* name : {"multiplier-bits", "product-bits", "shift-range"})
    if (call.has(name))
      fail("verbs", call.place(name), "is given with --requantisation nemo, whose rule has no such limit",
           "one of the two");
}

passes::IntegeriseOptions options_of(const Call& call) {
  passes::IntegeriseOptions options;
  options.stop_at_qd = call.has("stop-at");
  options.widths = widths_of(call);
  options.table_bits = static_cast<int>(call.integer("table-bits", 16, 2, 16));
  options.accumulator_bits =
      passes::accumulator_bits_from(call.text("accumulator-bits", "32"), call.place("accumulator-bits"));
  const std::string rule = call.text("requantisation", "exact");
  if (rule == "nemo") options.requantisation = passes::RequantisationRule::Nemo;
  if (rule == "standard") options.requantisation = passes::RequantisationRule::Standard;
  const std::string thresholds = call.text("thresholds", "auto");
  if (thresholds == "always") options.thresholds = passes::Thresholds::Always;
  if (thresholds == "never") options.thresholds = passes::Thresholds::Never;
  if (call.has("batch-norm"))
    options.batch_norm = passes::batch_norm_named(call.text("batch-norm"), call.place("batch-norm"));
  options.batch_norm_bits = static_cast<int>(call.integer("batch-norm-bits", 0, 2, 16));
  check_rule(call, options);
  if (call.has("dump")) options.dump = call.path("dump");
  return options;
}

std::string line_of(const passes::CertifiedNode& node) {
  size_t channels = 0;
  int64_t differing = 0, worst = 0, values = 0;
  bool fewest = true;
  for (size_t i = 0; i < node.channels.size(); ++i) {
    channels += node.channels[i].differing > 0;
    differing += node.channels[i].differing;
    worst = std::max(worst, node.channels[i].worst);
    fewest = fewest && node.channels[i].fewest;
    values += node.accumulators[i].high - node.accumulators[i].low + 1;
  }
  for (const quant::SumRequantisation& sum : node.sums) {
    int64_t combinations = 1;
    for (const Interval& operand : node.operands) combinations *= operand.high - operand.low + 1;
    channels += sum.differing > 0;
    differing += sum.differing;
    worst = std::max(worst, sum.worst);
    fewest = false;
    values += combinations;
  }
  return fmt::format("  {}: {} of {} channels; {} of {} {} differ, by {} {} at most{}\n", node.node, channels,
                     node.channels.size() + node.sums.size(), differing, values,
                     node.sums.empty() ? "accumulator values" : "combinations of its branches", worst,
                     worst == 1 ? "level" : "levels", fewest ? "" : " (not proved the fewest)");
}

std::string line_of(const passes::Approximation& function) {
  if (function.inputs == 0)
    return fmt::format("  {}: {}, rounded from at most {:.2g} levels beside the real function\n", function.node,
                       function.function, function.error);
  return fmt::format("  {}: an interpolated table; {} of {} inputs differ, by {} {} at most\n", function.node,
                     function.differing, function.inputs, function.worst, function.worst == 1 ? "level" : "levels");
}

std::string describe_functions(const passes::IntegeriseReport& report) {
  std::string text;
  for (const passes::Approximation& function : report.approximations) text += line_of(function);
  return text.empty() ? text : "functions by integer algorithms:\n" + text;
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

/// What the integers lose against the fake-quantised network on data, in dB at each output: `--data`.
std::vector<std::pair<std::string, double>> loss_on_data(const Call& call, const graph::Graph& fake,
                                                         const graph::Graph& integer) {
  Progress progress(call.quiet());
  lab::Feed feed = feed_of(call, fake, progress, "comparing");
  feed.limit = call.integer("samples", 32, 1, int64_t{1} << 40);
  const NamedEngine engine = engine_of(call);
  const auto a = engine.make(fake), b = engine.make(integer);
  const lab::Comparison found = lab::compare({{fake, *a}}, {integer, *b}, feed).front();
  std::vector<std::pair<std::string, double>> loss;
  for (graph::ValueId id : fake.outputs)
    for (const lab::LayerDifference& layer : found.layers)
      if (layer.name == fake[id].name) loss.emplace_back(layer.name, layer.sqnr_db);
  return loss;
}

std::string decibels(double db) {
  return std::isinf(db) ? "equal" : fmt::format("{:.1f} dB", db);
}

}  // namespace

Result integerize(const Call& call) {
  const passes::IntegeriseOptions options = options_of(call);
  graph::Graph graph = model_of(call, "FQ.onnx");
  const graph::Graph fake = call.has("data") ? graph : graph::Graph();
  const passes::IntegeriseReport report = passes::integerise(graph, options);
  onnx::write_native(graph, call.path("output"));
  if (call.has("certificate"))
    write_file(call.path("certificate"), passes::certificate_json(report).dump(1) + "\n", "verbs");
  const std::string written = fmt::format("wrote {} ({})\n", call.text("output"), to_string(graph.stage));
  Json json = passes::to_json(report);
  std::string lost;
  if (call.has("data"))
    for (const auto& [output, db] : loss_on_data(call, fake, graph)) {
      json["signal_to_loss_db"][output] = std::isinf(db) ? Json("equal") : Json(db);
      lost += fmt::format("output '{}' against the fake-quantised network: {}\n", output, decibels(db));
    }
  return {json, (options.stop_at_qd ? std::string() : describe(report) + describe_functions(report)) + lost + written};
}

std::string integerize_pipeline() {
  passes::IntegeriseReport report;
  return "The passes, in order\n" + passes::describe(passes::fake_to_true({}, report));
}

}  // namespace nibble::verbs
