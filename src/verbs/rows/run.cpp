#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "quant/range.hpp"
#include "verbs/arrays.hpp"
#include "verbs/programs.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {
namespace {

using Tensors = std::map<std::string, Tensor>;

/// The value in the type that the graph declares, which files hold.
Tensor declared(const graph::Value& value, const Tensor& tensor) {
  return tensor.cast(value.type);
}

/// The outputs of an integer network that its file declares as reals.
class Border {
 public:
  explicit Border(const std::set<std::string, std::less<>>& reals) : reals_(reals) {}

  bool holds(const graph::Value& value) const {
    return value.grid && !is_real(value.type) && reals_.contains(value.name);
  }
  /// The reals that the integers of such a value stand for; any other as it is.
  Tensor outside(const graph::Value& value, const Tensor& tensor) const {
    return holds(value) && !is_real(tensor.type()) ? quant::dequantise(tensor, *value.grid) : tensor;
  }

 private:
  std::set<std::string, std::less<>> reals_;
};

/// Writes DIR/NAME.npy, what a file name cannot hold replaced; a number behind a name that is taken.
class Trace {
 public:
  explicit Trace(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
  }
  void write(std::string name, const Tensor& tensor) {
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return c == '/' || c < ' '; }, '_');
    std::string free = name;
    for (int number = 2; !taken_.insert(free).second; ++number) free = name + "_" + std::to_string(number);
    data::write_npy(folder_ / (free + ".npy"), tensor);
  }

 private:
  std::filesystem::path folder_;
  std::set<std::string> taken_;
};

/// The value that an expected array belongs to: of its name, or the output at its place; without a name the first.
std::string value_named(const graph::Graph& graph, const std::string& name) {
  if (graph.find(name) != graph::absent) return name;
  const auto place = name.empty() ? 0 : data::position_in(name, "output");
  return place && *place < graph.outputs.size() ? graph[graph.outputs[*place]].name : name;
}

/// The expected arrays by the names of values.
Tensors expected_of(const Call& call, const graph::Graph& graph) {
  Tensors expected;
  for (auto& [name, tensor] : read_arrays(call.path("expect"))) {
    const std::string value = value_named(graph, name);
    const graph::ValueId id = graph.find(value);
    if (id == graph::absent || graph[id].constant) {
      std::vector<std::string> names;
      for (const graph::Value& known : graph.values)
        if (!known.constant) names.push_back(known.name);
      fail("verbs", call.text("expect"), "no tensor '" + value + "' in the network" + did_you_mean(value, names),
           "names of its values");
    }
    expected.insert_or_assign(value, std::move(tensor));
  }
  if (expected.empty()) fail("verbs", call.text("expect"), "no arrays", "at least one");
  return expected;
}

std::string first_elements(const Tensor& tensor) {
  std::string text;
  const std::vector<double> reals = tensor.to_reals();
  const size_t shown = std::min<size_t>(reals.size(), 10);
  for (size_t i = 0; i < shown; ++i) text += fmt::format("{}{:.6g}", i == 0 ? "" : " ", reals[i]);
  return text + (shown < reals.size() ? " ..." : "");
}

Json values_of(const Tensor& tensor) {
  if (is_real(tensor.type())) return tensor.to_reals();
  return tensor.to_integers();
}

void describe_outputs(Result& result, const graph::Graph& graph, const Tensors& tensors, const Border& border) {
  result.json["outputs"] = Json::array();
  for (graph::ValueId id : graph.outputs) {
    const Tensor tensor = border.outside(graph[id], tensors.at(graph[id].name));
    result.text += fmt::format("{} {} {}: {}\n", graph[id].name, to_string(tensor.type()), to_string(tensor.shape()),
                               first_elements(tensor));
    Json output = {{"name", graph[id].name},
                   {"type", to_string(tensor.type())},
                   {"shape", tensor.shape()},
                   {"values", values_of(tensor)}};
    // What the integers stand for: scale * (value - zero_point).
    if (const auto& grid = graph[id].grid; grid && !is_real(tensor.type())) {
      output["scale"] = grid->per_channel() ? Json(grid->scale) : Json(grid->scale[0]);
      output["zero_point"] = grid->zero_point;
    }
    result.json["outputs"].push_back(std::move(output));
  }
}

/// Looks at the expected tensors in the graph's order, so that the first difference is where a fault begins.
/// What is expected in reals at a border is compared with reals.
void check(Result& result, const graph::Graph& graph, const Tensors& expected, const Tensors& found,
           const Border& border) {
  result.json["equal"] = true;
  std::set<std::string> looked;
  for (const graph::Value& value : graph.values) {
    if (!expected.contains(value.name) || !looked.insert(value.name).second) continue;
    const Tensor& held = found.at(value.name);
    const Tensor& wanted = expected.at(value.name);
    const auto difference =
        first_difference(value.name, is_real(wanted.type()) ? border.outside(value, held) : held, wanted);
    if (!difference) continue;
    const std::string at = difference->index.empty() ? "" : to_string(difference->index);
    result.exit_code = 1;
    result.text += fmt::format("differs: {}{} is {} (expected {}); {} of {} elements differ\n", difference->tensor, at,
                               difference->found, difference->expected, difference->count, held.size());
    result.json["equal"] = false;
    result.json["first_difference"] = {{"tensor", difference->tensor},
                                       {"index", difference->index},
                                       {"found", difference->found},
                                       {"expected", difference->expected},
                                       {"differing", difference->count}};
    return;
  }
  result.text += fmt::format("equal: {} {}\n", expected.size(), expected.size() == 1 ? "tensor" : "tensors");
}

}  // namespace

Result run(const Call& call) {
  const Runnable model = runnable_of(call, "MODEL");
  const graph::Graph& graph = model.graph;
  const Border border(model.reals);
  const std::vector<Tensor> inputs = read_inputs(call, graph);
  const Tensors expected = call.has("expect") ? expected_of(call, graph) : Tensors{};
  const auto engine = engine_or_reference(call, model).engine;
  std::optional<Trace> trace;
  if (call.has("trace")) trace.emplace(call.path("trace"));
  Tensors seen;
  const std::vector<Tensor> outputs = engine->run(inputs, [&](graph::ValueId id, const Tensor& tensor) {
    const graph::Value& value = graph[id];
    const bool kept = expected.contains(value.name);
    if (!kept && !trace) return;
    const Tensor held = declared(value, tensor);
    if (trace) trace->write(value.name, held);
    if (kept) seen.insert_or_assign(value.name, held);
  });
  data::Arrays arrays;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const graph::Value& value = graph[graph.outputs[i]];
    seen.insert_or_assign(value.name, declared(value, outputs[i]));
    arrays.emplace_back(value.name, border.outside(value, declared(value, outputs[i])));
  }
  if (call.has("output")) data::write_npz(call.path("output"), arrays);
  Result result;
  describe_outputs(result, graph, seen, border);
  if (call.has("expect")) check(result, graph, expected, seen, border);
  return result;
}

}  // namespace nibble::verbs
