#include "verbs/goldens/golden_match.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/error.hpp"
#include "data/formats/text_golden.hpp"
#include "quant/range.hpp"

namespace nibble::verbs {
namespace {

std::string place_of(const GoldenFolder& golden, const Recorded& recorded) {
  return (golden.network.parent_path() / recorded.file).string() + ": '" + recorded.name + "'";
}

Shape spread(const Shape& shape) {
  Shape result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result), [](int64_t extent) { return extent != 1; });
  return result;
}

/// The recorded elements in the order of a tensor of that shape, where they are as many.
std::optional<Tensor> shaped(const Recorded& recorded, const Shape& shape) {
  if (recorded.text) return data::channels_first(recorded.tensor, shape);
  if (spread(recorded.tensor.shape()) != spread(shape)) return {};
  return recorded.tensor.reshaped(shape);
}

// ---- inputs

/// "arr_10" -> ("arr_", 10).
std::optional<std::pair<std::string, int64_t>> numbered(const std::string& name) {
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  if (digits == name.size() || name.size() - digits > 9) return {};
  return std::pair(name.substr(0, digits), std::stoll(name.substr(digits)));
}

/// By number where all names are one stem with numbers; else as they stand.
void order(std::vector<const Recorded*>& arrays) {
  std::set<std::string> stems;
  for (const Recorded* array : arrays) {
    const auto parts = numbered(array->name);
    if (!parts) return;
    stems.insert(parts->first);
  }
  if (stems.size() > 1) return;
  std::stable_sort(arrays.begin(), arrays.end(), [](const Recorded* a, const Recorded* b) {
    return numbered(a->name)->second < numbered(b->name)->second;
  });
}

/// For each value the array of its name; the rest, in order, for values without one. What is left over stays in
/// `arrays`; a value that gets none is a nullptr.
std::vector<const Recorded*> assign(const graph::Graph& graph, const std::vector<graph::ValueId>& ids,
                                    std::vector<const Recorded*>& arrays) {
  std::vector<const Recorded*> assigned(ids.size(), nullptr);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto named = [&](const Recorded* array) { return array->name == graph[ids[i]].name; };
    const auto found = std::find_if(arrays.begin(), arrays.end(), named);
    if (found == arrays.end()) continue;
    assigned[i] = *found;
    arrays.erase(found);
  }
  order(arrays);
  for (const Recorded*& array : assigned) {
    if (array != nullptr || arrays.empty()) continue;
    array = arrays.front();
    arrays.erase(arrays.begin());
  }
  return assigned;
}

std::vector<const Recorded*> of_inference(const std::vector<Recorded>& recorded, int64_t inference) {
  std::vector<const Recorded*> result;
  for (const Recorded& one : recorded)
    if (one.inference == inference) result.push_back(&one);
  return result;
}

Tensor whole(const Tensor& tensor, const std::string& place) {
  if (!is_real(tensor.type())) return tensor.cast(ElementType::Int64);
  constexpr double most = 9007199254740992.0;  // 2^53: beyond, a double is not one integer
  const std::vector<double> reals = tensor.to_reals();
  for (size_t i = 0; i < reals.size(); ++i)
    if (!(std::abs(reals[i]) <= most) || reals[i] != std::floor(reals[i]))
      fail("verbs", place, std::to_string(reals[i]) + " at element " + std::to_string(i),
           "integers, which this network's input holds");
  return tensor.cast(ElementType::Int64);
}

bool is_whole(const Tensor& tensor) {
  const std::vector<double> reals = tensor.to_reals();
  return std::all_of(reals.begin(), reals.end(), [](double real) { return real == std::floor(real); });
}

/// The input's shape with the recorded batch for a symbolic one.
Shape with_batch(Shape shape, const Recorded& recorded) {
  for (int64_t& extent : shape)
    if (extent == any) extent = recorded.text || recorded.tensor.shape().empty() ? 1 : recorded.tensor.shape().front();
  return shape;
}

Tensor input_of(const Recorded& recorded, const graph::Value& input, const std::string& place) {
  const auto tensor = shaped(recorded, with_batch(input.shape, recorded));
  if (!tensor)
    fail("verbs", place, "shape " + to_string(recorded.tensor.shape()),
         to_string(input.shape) + ", that of input '" + input.name + "'");
  if (is_real(input.type) || (input.grid && is_real(tensor->type()) && !is_whole(*tensor))) return *tensor;
  return whole(*tensor, place);
}

// ---- comparisons

/// The value of a network that a tensor without its name is compared with, found as the values go by: one that has its
/// elements (which nothing else has claimed, where there is one), else the one that differs least.
class Search {
 public:
  explicit Search(const Recorded& recorded) : recorded_(&recorded) {}

  void see(const std::string& value, const Tensor& found) {
    if (found.size() != recorded_->tensor.size()) return;
    const auto expected = shaped(*recorded_, found.shape());
    if (!expected) return;
    const auto difference = first_difference(value, found, *expected);
    if (!difference)
      equal_.push_back(value);
    else if (!nearest_ || difference->count < nearest_->count)
      nearest_ = difference;
  }

  Finding result(std::set<std::string>& claimed) const {
    for (const std::string& value : equal_)
      if (claimed.insert(value).second) return {recorded_, value, {}};
    if (!equal_.empty()) return {recorded_, equal_.front(), {}};
    if (nearest_) return {recorded_, nearest_->tensor, nearest_};
    return {recorded_, "", {}};
  }

 private:
  const Recorded* recorded_;
  std::vector<std::string> equal_;
  std::optional<Difference> nearest_;
};

Finding compared(const Recorded& recorded, const std::string& value, const Tensor& found) {
  if (const auto expected = shaped(recorded, found.shape()))
    return {&recorded, value, first_difference(value, found, *expected)};
  Finding finding{&recorded, value, first_difference(value, found, recorded.tensor)};
  finding.difference->count = static_cast<int64_t>(recorded.tensor.size());
  return finding;
}

/// Activations as the network computes them.
class Activations {
 public:
  Activations(const std::vector<const Recorded*>& activations, const graph::Graph& graph) : graph_(graph) {
    for (const Recorded* recorded : activations) {
      const graph::ValueId id = graph.find(recorded->name);
      if (id != graph::absent && !graph[id].constant)
        named_.emplace(id, recorded);
      else
        searches_.emplace(recorded, *recorded);
    }
  }

  void see(graph::ValueId id, const Tensor& tensor) {
    const graph::Value& value = graph_[id];
    const auto [first, last] = named_.equal_range(id);
    if (first == last && searches_.empty()) return;
    const Tensor held = tensor.cast(value.type);
    for (auto at = first; at != last; ++at) findings_.emplace(at->second, compared(*at->second, value.name, held));
    for (auto& [recorded, search] : searches_) search.see(value.name, held);
  }

  Finding result(const Recorded& recorded) {
    if (const auto found = findings_.find(&recorded); found != findings_.end()) return found->second;
    if (const auto search = searches_.find(&recorded); search != searches_.end())
      return search->second.result(claimed_);
    return {&recorded, "", {}};
  }

 private:
  const graph::Graph& graph_;
  std::multimap<graph::ValueId, const Recorded*> named_;
  std::map<const Recorded*, Search> searches_;
  std::map<const Recorded*, Finding> findings_;
  std::set<std::string> claimed_;
};

Finding compared_constant(const Recorded& recorded, const graph::Graph& graph) {
  Search search(recorded);
  for (const graph::Value& value : graph.values)
    if (value.constant) search.see(value.name, *value.constant);
  std::set<std::string> claimed;
  return search.result(claimed);
}

/// An output of integers whose file has reals there may be recorded as either.
Finding compared_output(const Recorded& recorded, const graph::Value& value, const Tensor& found) {
  const Finding finding = compared(recorded, value.name, found.cast(value.type));
  if (!finding.difference || !value.grid || is_real(value.type) || !is_real(recorded.tensor.type())) return finding;
  const Finding reals = compared(recorded, value.name, quant::dequantise(found, *value.grid));
  return reals.difference ? finding : reals;
}

std::vector<Finding> compare_inference(const GoldenFolder& golden, const graph::Graph& graph, graph::Engine& engine,
                                       int64_t inference) {
  std::vector<const Recorded*> constants;
  const std::vector<Tensor> inputs = golden_inputs(golden, graph, constants, inference);
  const std::vector<const Recorded*> recorded = of_inference(golden.activations, inference);
  Activations activations(recorded, graph);
  const std::vector<Tensor> outputs =
      engine.run(inputs, [&](graph::ValueId id, const Tensor& tensor) { activations.see(id, tensor); });
  std::vector<Finding> findings;
  for (const Recorded* constant : constants) findings.push_back(compared_constant(*constant, graph));
  for (const Recorded* one : recorded) findings.push_back(activations.result(*one));
  std::vector<const Recorded*> left = of_inference(golden.outputs, inference);
  const std::vector<const Recorded*> assigned = assign(graph, graph.outputs, left);
  for (size_t i = 0; i < assigned.size(); ++i) {
    const graph::Value& value = graph[graph.outputs[i]];
    if (assigned[i] != nullptr) findings.push_back(compared_output(*assigned[i], value, outputs[i]));
  }
  for (const Recorded* one : left) findings.push_back({one, "", {}});
  return findings;
}

}  // namespace

std::vector<Tensor> golden_inputs(const GoldenFolder& golden, const graph::Graph& graph,
                                  std::vector<const Recorded*>& constants, int64_t inference) {
  std::vector<const Recorded*> arrays = of_inference(golden.inputs, inference);
  const size_t given = arrays.size();
  const std::vector<const Recorded*> assigned = assign(graph, graph.inputs, arrays);
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < assigned.size(); ++i) {
    const graph::Value& input = graph[graph.inputs[i]];
    if (assigned[i] == nullptr)
      fail("verbs", golden.network.parent_path().string(), std::to_string(given) + " inputs",
           std::to_string(graph.inputs.size()) + ", one for input '" + input.name + "'");
    inputs.push_back(input_of(*assigned[i], input, place_of(golden, *assigned[i])));
  }
  constants = arrays;
  return inputs;
}

std::vector<Finding> compare_goldens(const GoldenFolder& golden, const graph::Graph& graph, graph::Engine& engine) {
  std::vector<Finding> findings;
  for (int64_t i = 0; i < golden.inferences; ++i)
    for (Finding& finding : compare_inference(golden, graph, engine, i)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace nibble::verbs
