#include "lab/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "base/file.hpp"
#include "graph/count.hpp"
#include "graph/op_traits.hpp"
#include "lab/metrics.hpp"
#include "lab/runtime_engine.hpp"
#include "onnx/onnx.hpp"
#include "passes/integerise/integerise.hpp"

namespace nibble::lab {
namespace {

/// What every step of one experiment shares.
struct Bench {
  const Experiment& experiment;
  const train::Api& api;
  const RunOptions& options;
  Feed test;
  Evaluation of_float;

  std::unique_ptr<graph::Engine> engine(const graph::Graph& graph) const {
    return api.engine(graph, {.threads = experiment.recipe.threads});
  }
  /// Of integers: what is deployed.
  std::unique_ptr<graph::Engine> integer_engine(const graph::Graph& graph) const {
    return runtime_engine(graph, {.threads = experiment.recipe.threads, .kernels = {}});
  }
};

Row row_of(const Evaluation& evaluation, const graph::Graph& graph, const Evaluation& of_float) {
  Row row;
  row.representation = to_string(graph.stage);
  row.metric = evaluation.metric;
  row.value = evaluation.value;
  row.low = evaluation.interval.low;
  row.high = evaluation.interval.high;
  row.flips = flips(of_float, evaluation);
  row.right = evaluation.right;
  row.errors = evaluation.errors;
  row.groups = evaluation.groups;
  if (row.is_error()) row.to_float = relative_error(evaluation, of_float);
  row.weight_bytes = weight_bytes(graph);
  return row;
}

void compared(Row& row, const Comparison& comparison) {
  row.compared_integers = comparison.elements();
  row.differing_integers = comparison.differing();
}

std::vector<Row> run_variant(const Bench& bench, const graph::Graph& network, const Experiment::Variant& variant) {
  const auto folder = bench.options.out / variant.name;
  const graph::Graph fake = quantise_variant(bench.experiment, variant, network, bench.api, bench.options);
  graph::Graph deployable = fake;
  passes::IntegeriseOptions to_qd;
  to_qd.stop_at_qd = true;
  passes::integerise(deployable, to_qd);
  graph::Graph integer = fake;
  const passes::IntegeriseReport report = passes::integerise(integer, {});
  write_file(folder / "certificate.json", certificate_json(report).dump(1) + "\n", "lab");

  const auto fq = bench.engine(fake), qd = bench.engine(deployable), id = bench.integer_engine(integer);
  const std::vector<Comparison> with_integer = compare({{fake, *fq}, {deployable, *qd}}, {integer, *id}, bench.test);
  const Comparison &fake_integer = with_integer[0], &exact_integer = with_integer[1];
  std::vector<Row> rows{row_of(fake_integer.a, fake, bench.of_float),
                        row_of(exact_integer.a, deployable, bench.of_float),
                        row_of(exact_integer.b, integer, bench.of_float)};
  compared(rows[0], fake_integer);
  compared(rows[1], exact_integer);
  compared(rows[2], exact_integer);
  rows[2].requantisations = static_cast<int64_t>(report.nodes.size());
  rows[2].exact = report.exact_nodes();
  const graph::Graph* const graphs[] = {&fake, &deployable, &integer};
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto bits = [](int64_t levels) { return Grid{.low = 0, .high = levels - 1}.bits(); };
    rows[i].weight_bits = bits(variant.policy.defaults.weight_levels);
    rows[i].activation_bits = bits(variant.policy.defaults.activation_levels);
    std::string stage = rows[i].representation;
    std::transform(stage.begin(), stage.end(), stage.begin(), [](unsigned char c) { return std::tolower(c); });
    rows[i].model = folder / (stage + ".onnx");
    rows[i].variant = variant.name;
    if (i > 0) onnx::write_native(*graphs[i], rows[i].model);
  }
  try {
    onnx::write_qdq(fake, folder / "qdq.onnx");
  } catch (const UserError& error) {
    if (bench.options.warn) bench.options.warn("'" + variant.name + "' without its qdq.onnx: " + error.what());
  }
  return rows;
}

}  // namespace

int64_t weight_bytes(const graph::Graph& graph) {
  const graph::Uses uses(graph);
  int64_t bits = 0;
  for (const graph::Node& node : graph.nodes) {
    if (!is_linear(node.op)) continue;
    const graph::ValueId weights = node.inputs.at(1);
    bits += graph::constant_bits(graph, uses, weights) * element_count(graph[weights].shape, 1);
  }
  return (bits + 7) / 8;
}

std::vector<Row> run_experiment(const Experiment& experiment, const train::Api& api, const RunOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const graph::Graph network = train_experiment(experiment, api, options);
  const auto feed = [&](const std::string& description) {
    Feed made;
    made.set = data::open_dataset(description);
    made.preprocess = experiment.preprocess;
    made.threads = experiment.recipe.threads;
    made.progress = [&options](int64_t done, int64_t of) {
      if (options.interrupted != nullptr && *options.interrupted != 0)
        fail("lab", "interrupted", "the trained network is in " + options.out.string(), "to go on with --resume");
      if (options.progress) options.progress("measuring", done, of);
    };
    return made;
  };
  Bench bench{experiment, api, options, feed(experiment.test_data), {}};
  const auto engine = bench.engine(network);
  bench.of_float = evaluate(network, *engine, bench.test);
  std::vector<Row> rows{row_of(bench.of_float, network, bench.of_float)};
  rows.front().model = options.out / "float.onnx";
  for (const Experiment::Variant& variant : experiment.variants) {
    if (options.say) options.say("quantising, converting and proving '" + variant.name + "'");
    for (Row& row : run_variant(bench, network, variant)) rows.push_back(std::move(row));
  }
  Json json = {{"rows", Json::array()}};
  for (const Row& row : rows) json["rows"].push_back(to_json(row));
  json["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_file(options.out / "results.json", json.dump(2) + "\n", "lab");
  write_file(options.out / "table.txt", table(rows), "lab");
  return rows;
}

}  // namespace nibble::lab
