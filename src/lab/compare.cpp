#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "lab/judge.hpp"

namespace nibble::lab {
namespace {

/// Sums from which a layer's line is made.
struct Sums {
  LayerDifference line;
  double signal = 0, noise = 0, other = 0, product = 0;
};

bool on_one_grid(const graph::Value& a, const graph::Value& b) {
  return a.grid && b.grid && *a.grid == *b.grid;
}

void add_integers(Sums& sums, const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    sums.line.differing += a[i] != b[i];
    sums.line.largest = std::max(sums.line.largest, std::abs(static_cast<double>(a[i] - b[i])));
  }
}

void add_reals(Sums& sums, const std::vector<double>& a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] - b[i];
    sums.signal += a[i] * a[i];
    sums.other += b[i] * b[i];
    sums.product += a[i] * b[i];
    sums.noise += difference * difference;
    if (sums.line.integers) continue;
    sums.line.differing += difference != 0;
    sums.line.largest = std::max(sums.line.largest, std::abs(difference));
  }
}

void conclude(Sums& sums) {
  sums.line.sqnr_db =
      sums.noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(sums.signal / sums.noise);
  const double norm = std::sqrt(sums.signal) * std::sqrt(sums.other);
  sums.line.cosine = norm == 0 ? 1 : sums.product / norm;
}

/// Values of one name in both graphs, in a's order; neither constants nor graph inputs of unlike kinds.
std::vector<std::pair<graph::ValueId, graph::ValueId>> shared_values(const graph::Graph& a, const graph::Graph& b) {
  std::map<std::string, graph::ValueId> of_b;
  for (size_t i = 0; i < b.values.size(); ++i)
    if (!b.values[i].constant) of_b[b.values[i].name] = static_cast<graph::ValueId>(i);
  std::vector<std::pair<graph::ValueId, graph::ValueId>> shared;
  const auto take = [&](graph::ValueId id) {
    const auto found = of_b.find(a[id].name);
    if (found != of_b.end()) shared.emplace_back(id, found->second);
  };
  for (graph::ValueId id : a.inputs) take(id);
  for (const graph::Node& node : a.nodes)
    for (graph::ValueId id : node.outputs) take(id);
  return shared;
}

using Record = std::map<graph::ValueId, Tensor>;

graph::Observer recorder(Record& record, const std::vector<bool>& wanted) {
  return [&record, &wanted](graph::ValueId id, const Tensor& tensor) {
    if (wanted[static_cast<size_t>(id)]) record.insert_or_assign(id, tensor);
  };
}

void add_layer(Sums& sums, const graph::Value& a, const Tensor& x, const graph::Value& b, const Tensor& y) {
  if (x.size() != y.size())
    fail("lab", "value '" + a.name + "'", "shapes " + to_string(x.shape()) + " and " + to_string(y.shape()),
         "the same shape in both networks");
  sums.line.integers = on_one_grid(a, b);
  sums.line.elements += static_cast<int64_t>(x.size());
  if (sums.line.integers) add_integers(sums, integers_of(a, x), integers_of(b, y));
  add_reals(sums, reals_of(a, x), reals_of(b, y));
}

}  // namespace

int64_t Comparison::elements() const {
  int64_t sum = 0;
  for (const LayerDifference& layer : layers) sum += layer.integers ? layer.elements : 0;
  return sum;
}

int64_t Comparison::differing() const {
  int64_t sum = 0;
  for (const LayerDifference& layer : layers) sum += layer.integers ? layer.differing : 0;
  return sum;
}

Comparison compare(const graph::Graph& a, graph::Engine& engine_a, const graph::Graph& b, graph::Engine& engine_b,
                   const Feed& feed) {
  const auto shared = shared_values(a, b);
  std::vector<bool> wanted_a(a.values.size()), wanted_b(b.values.size());
  std::vector<Sums> sums(shared.size());
  for (size_t i = 0; i < shared.size(); ++i) {
    wanted_a[static_cast<size_t>(shared[i].first)] = true;
    wanted_b[static_cast<size_t>(shared[i].second)] = true;
    sums[i].line.name = a[shared[i].first].name;
  }
  Comparison result;
  Judge judge_a, judge_b;
  feed.each([&](const data::Batch& batch) {
    Record of_a, of_b;
    const std::vector<Tensor> out_a = engine_a.run({batch.x}, recorder(of_a, wanted_a));
    const std::vector<Tensor> out_b = engine_b.run({batch.x}, recorder(of_b, wanted_b));
    for (size_t i = 0; i < shared.size(); ++i) {
      const auto [id_a, id_b] = shared[i];
      add_layer(sums[i], a[id_a], of_a.at(id_a), b[id_b], of_b.at(id_b));
    }
    judge_a.add(reals_of(a[a.outputs.front()], out_a.front()), batch);
    judge_b.add(reals_of(b[b.outputs.front()], out_b.front()), batch);
  });
  result.a = judge_a.conclude();
  result.b = judge_b.conclude();
  for (Sums& sum : sums) {
    conclude(sum);
    result.layers.push_back(sum.line);
  }
  result.flips = flips(result.a, result.b);
  result.mcnemar_p = mcnemar(result.a, result.b);
  return result;
}

Json to_json(const Comparison& comparison) {
  Json layers = Json::array();
  for (const LayerDifference& layer : comparison.layers)
    layers.push_back({{"name", layer.name},
                      {"elements", layer.elements},
                      {"differing", layer.differing},
                      {"largest", layer.largest},
                      {"sqnr_db", std::isinf(layer.sqnr_db) ? Json(nullptr) : Json(layer.sqnr_db)},
                      {"cosine", layer.cosine}});
  return {
      {"layers", layers},
      {"decisions", {{"count", comparison.a.count}, {"flips", comparison.flips}, {"mcnemar_p", comparison.mcnemar_p}}}};
}

}  // namespace nibble::lab
