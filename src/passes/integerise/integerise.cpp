#include "passes/integerise/integerise.hpp"

#include <algorithm>
#include <memory>

#include "passes/canonicalise/passes.hpp"
#include "passes/integerise/passes.hpp"

namespace nibble::passes {

bool CertifiedNode::exact() const {
  const auto same = [](const auto& channel) { return channel.differing == 0; };
  return std::all_of(channels.begin(), channels.end(), same) && std::all_of(sums.begin(), sums.end(), same);
}

int IntegeriseReport::exact_nodes() const {
  return static_cast<int>(std::count_if(nodes.begin(), nodes.end(), [](const auto& node) { return node.exact(); }));
}

Pipeline prepare_fake() {
  const auto turned = std::make_shared<bool>(false);
  return {
      {"fuse_normalizations", "Makes one LayerNormalization or RMSNormalization of the ops that compute it",
       fuse_normalizations},
      {"fuse_functions", "Makes one op of those that compute GELU, SiLU, hard-swish, mish, ...", fuse_functions},
      {"put_weights_second", "Turns a product with constant weights before the activation",
       [turned](graph::Graph& graph) {
         const int changed = graph.stage == graph::Stage::FQ ? put_weights_second(graph) : 0;
         *turned = *turned || changed > 0;
         return changed;
       }},
      {"sink_transposes", "Moves Transposes towards the outputs until they cancel",
       [turned](graph::Graph& graph) { return *turned ? sink_transposes(graph) : 0; }},
      {"flatten_rows", "Gives a product of several axes before its columns two: rows and columns", flatten_rows},
  };
}

Pipeline fake_to_true(const IntegeriseOptions& options, IntegeriseReport& report) {
  Pipeline pipeline = prepare_fake();
  pipeline.push_back({"propagate_scales",
                      "FQ to QD: integers in every tensor, each quantiser the real function of its accumulator",
                      [&report](graph::Graph& graph) { return propagate_scales(graph, &report.approximations); }});
  if (options.requantisation == RequantisationRule::Standard)
    pipeline.push_back({"standardise_rescalings", "Whole biases and float32 scales, ties to even: ONNX's integer ops",
                        standardise_rescalings});
  pipeline.push_back({"bound_accumulators", "Proves the range of every integer, and that no accumulator overflows",
                      [options](graph::Graph& graph) { return bound_accumulators(graph, options.accumulator_bits); }});
  pipeline.push_back({"integer_batch_norm",
                      "Splits gains and shifts off the requantisations whose batch-norm shall be integer",
                      [options](graph::Graph& graph) { return integer_batch_norm(graph, options); }});
  if (options.stop_at_qd) return pipeline;
  pipeline.push_back(
      {"tabulate", "Replaces real functions of narrow integers by tables", [options, &report](graph::Graph& graph) {
         return tabulate(graph, options.table_bits, &report.approximations);
       }});
  pipeline.push_back({"solve_sums", "Solves each sum of branches on several grids for integers and certifies it",
                      [options, &report](graph::Graph& graph) { return solve_sums(graph, options, report); }});
  pipeline.push_back(
      {"solve_requantisations", "QD to ID: solves each requantisation for integers and certifies it",
       [options, &report](graph::Graph& graph) { return solve_requantisations(graph, options, report); }});
  return pipeline;
}

IntegeriseReport integerise(graph::Graph& graph, const IntegeriseOptions& options) {
  if (graph.stage != graph::Stage::FQ)
    fail("passes", "integerise", "the network is " + std::string(to_string(graph.stage)),
         "a fake-quantised network (FQ)");
  IntegeriseReport report;
  run(fake_to_true(options, report), graph, options.dump);
  return report;
}

static Json approximations_json(const IntegeriseReport& report) {
  Json list = Json::array();
  for (const Approximation& each : report.approximations)
    if (each.inputs == 0)
      list.push_back({{"node", each.node}, {"function", each.function}, {"error", each.error}});
    else
      list.push_back({{"node", each.node},
                      {"function", each.function},
                      {"inputs", each.inputs},
                      {"differing", each.differing},
                      {"worst", each.worst}});
  return list;
}

Json to_json(const IntegeriseReport& report) {
  Json inexact = Json::array();
  for (const CertifiedNode& node : report.nodes) {
    if (node.exact()) continue;
    int64_t channels = 0, differing = 0, worst = 0;
    const auto count = [&](const auto& channel) {
      channels += channel.differing > 0;
      differing += channel.differing;
      worst = std::max(worst, channel.worst);
    };
    std::for_each(node.channels.begin(), node.channels.end(), count);
    std::for_each(node.sums.begin(), node.sums.end(), count);
    inexact.push_back({{"node", node.node}, {"channels", channels}, {"differing", differing}, {"worst", worst}});
  }
  Json json = {{"requantisations", report.nodes.size()},
               {"exact", report.exact_nodes()},
               {"inexact", inexact},
               {"overflow_free", report.overflow_free}};
  if (!report.approximations.empty()) json["approximations"] = approximations_json(report);
  return json;
}

/// A sum's channels: a multiplier and the range of each branch, then what all share.
static Json channels_of_sum(const CertifiedNode& node) {
  Json channels = Json::array(), operands = Json::array();
  for (const Interval& operand : node.operands) operands.push_back({operand.low, operand.high});
  for (const quant::SumRequantisation& sum : node.sums)
    channels.push_back({{"multiplier", sum.multiplier},
                        {"addend", sum.addend},
                        {"shift", sum.shift},
                        {"operands", operands},
                        {"differing", sum.differing},
                        {"worst", sum.worst}});
  return channels;
}

Json certificate_json(const IntegeriseReport& report) {
  Json nodes = Json::array();
  for (const CertifiedNode& node : report.nodes) {
    Json channels = channels_of_sum(node);
    for (size_t c = 0; c < node.channels.size(); ++c) {
      const quant::Requantisation& channel = node.channels[c];
      const Interval interval = node.accumulators[c];
      channels.push_back({{"multiplier", channel.multiplier},
                          {"addend", channel.addend},
                          {"shift", channel.shift},
                          {"accumulator", {interval.low, interval.high}},
                          {"differing", channel.differing},
                          {"worst", channel.worst},
                          {"fewest", channel.fewest}});
    }
    nodes.push_back({{"node", node.node},
                     {"exact", node.exact()},
                     {"form", !node.sums.empty()   ? "sum"
                              : node.by_thresholds ? "thresholds"
                                                   : "multiply_add_shift"},
                     {"channels", std::move(channels)}});
  }
  Json json = {{"overflow_free", report.overflow_free}, {"nodes", std::move(nodes)}};
  if (!report.approximations.empty()) json["approximations"] = approximations_json(report);
  return json;
}

}  // namespace nibble::passes
