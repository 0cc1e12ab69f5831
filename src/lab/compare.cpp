#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "lab/judge.hpp"
#include "lab/reading.hpp"

namespace nibble::lab {
namespace {

/// Sums from which a layer's line is made.
struct Sums {
  LayerDifference line;
  double signal = 0, noise = 0, other = 0, product = 0;
};

/// The same integer stands for the same real; how far they go may differ.
bool on_one_grid(const graph::Value& a, const graph::Value& b) {
  return a.grid && b.grid && a.grid->scale == b.grid->scale && a.grid->axis == b.grid->axis &&
         a.grid->zero_point == b.grid->zero_point;
}

/// Elements that are read at once: both sides' integers and reals stay in the first cache.
constexpr size_t piece = 256;

void add_integers(Sums& sums, const Reading& a, const Reading& b, size_t begin, size_t end) {
  std::array<int64_t, piece> x, y;
  a.integers(begin, end, x.data());
  b.integers(begin, end, y.data());
  for (size_t i = 0; i < end - begin; ++i) {
    if (x[i] == y[i]) continue;
    ++sums.line.differing;
    sums.line.largest = std::max(sums.line.largest, std::abs(static_cast<double>(x[i] - y[i])));
  }
}

void add_reals(Sums& sums, const Reading& a, const Reading& b, size_t begin, size_t end) {
  std::array<double, piece> x, y;
  a.reals(begin, end, x.data());
  b.reals(begin, end, y.data());
  for (size_t i = 0; i < end - begin; ++i) {
    const double difference = x[i] - y[i];
    sums.signal += x[i] * x[i];
    sums.other += y[i] * y[i];
    sums.product += x[i] * y[i];
    sums.noise += difference * difference;
    if (sums.line.integers) continue;
    sums.line.differing += difference != 0;
    sums.line.largest = std::max(sums.line.largest, std::abs(difference));
  }
}

void conclude_sums(Sums& sums) {
  sums.line.sqnr_db =
      sums.noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(sums.signal / sums.noise);
  const double norm = std::sqrt(sums.signal) * std::sqrt(sums.other);
  sums.line.cosine = norm == 0 ? 1 : sums.product / norm;
}

/// Reals, or integers of which it is said what they stand for.
bool says_reals(const graph::Value& value) {
  return is_real(value.type) || value.grid;
}

/// Values of one name in both graphs, in a's order, and outputs by their place where a dialect names values otherwise;
/// no constants. A program says of its inputs and outputs alone what
/// their integers stand for: of another value there is nothing to compare.
std::vector<std::pair<graph::ValueId, graph::ValueId>> shared_values(const graph::Graph& a, const graph::Graph& b) {
  std::map<std::string, graph::ValueId> of_b;
  for (size_t i = 0; i < b.values.size(); ++i)
    if (!b.values[i].constant) of_b[b.values[i].name] = static_cast<graph::ValueId>(i);
  std::vector<std::pair<graph::ValueId, graph::ValueId>> shared;
  std::set<graph::ValueId> taken;
  const auto take = [&](graph::ValueId id) {
    if (a[id].constant || !taken.insert(id).second) return;
    const auto found = of_b.find(a[id].name);
    if (found == of_b.end()) return;
    const bool of_program = a.nodes.empty() || b.nodes.empty();
    if (!of_program || says_reals(a[id]) == says_reals(b[found->second])) shared.emplace_back(id, found->second);
  };
  for (graph::ValueId id : a.inputs) take(id);
  for (const graph::Node& node : a.nodes)
    for (graph::ValueId id : node.outputs) take(id);
  // Those of a program stand without nodes.
  for (size_t i = 0; i < a.values.size(); ++i) take(static_cast<graph::ValueId>(i));
  const auto is_shared = [&](graph::ValueId x, graph::ValueId y) {
    return std::any_of(shared.begin(), shared.end(),
                       [&](const auto& pair) { return pair.first == x || pair.second == y; });
  };
  for (size_t i = 0; i < std::min(a.outputs.size(), b.outputs.size()); ++i) {
    const graph::ValueId x = a.outputs[i], y = b.outputs[i];
    const bool alike = a[x].shape == b[y].shape && says_reals(a[x]) == says_reals(b[y]);
    if (alike && !is_shared(x, y)) shared.emplace_back(x, y);
  }
  return shared;
}

using Record = std::map<graph::ValueId, Tensor>;

void add_layer(Sums& sums, const graph::Value& a, const Tensor& x, const graph::Value& b, const Tensor& y) {
  if (x.size() != y.size())
    fail("lab", "value '" + a.name + "'", "shapes " + to_string(x.shape()) + " and " + to_string(y.shape()),
         "the same shape in both networks");
  sums.line.integers = on_one_grid(a, b);
  sums.line.elements += static_cast<int64_t>(x.size());
  const Reading of_a(a, x), of_b(b, y);
  for (size_t begin = 0; begin < x.size(); begin += piece) {
    const size_t end = std::min(x.size(), begin + piece);
    if (sums.line.integers) add_integers(sums, of_a, of_b, begin, end);
    add_reals(sums, of_a, of_b, begin, end);
  }
}

/// A network on its way through the batches.
struct Runner {
  Runner(const Subject& given, const data::Dataset& set)
      : subject(given), wanted(given.graph.values.size()), judge(set.landmarks()) {}

  /// Calls see(id, tensor) once for each value that somebody compares.
  template <class See>
  void run(const data::Batch& batch, See&& see) {
    std::vector<bool> waiting = wanted;
    const auto outputs = subject.engine.run(batch.inputs(), [&](graph::ValueId id, const Tensor& tensor) {
      if (waiting[static_cast<size_t>(id)]) see(id, tensor);
      waiting[static_cast<size_t>(id)] = false;
    });
    judge.add(scores_of(subject.graph[subject.graph.outputs.front()], outputs.front()), batch);
  }

  Subject subject;
  std::vector<bool> wanted;  ///< values that somebody compares
  Judge judge;
};

/// Of an example, the elements of the values that are compared.
int64_t compared_elements(const Runner& runner) {
  int64_t count = 0;
  for (size_t i = 0; i < runner.wanted.size(); ++i) {
    const Shape& shape = runner.subject.graph.values[i].shape;
    if (!runner.wanted[i] || shape.empty()) continue;
    if (std::count(shape.begin() + 1, shape.end(), any) == 0) count += element_count(shape, 1);
  }
  return count;
}

/// The values of a batch that are held at once: within a gigabyte, as integers of 64 bits.
int64_t batch_within_memory(const Feed& feed, int64_t elements) {
  constexpr int64_t most = int64_t{1} << 27;
  return std::clamp<int64_t>(most / std::max<int64_t>(elements, 1), 1, feed.batch_size);
}

/// What two runners' values of one name have in common.
class Pair {
 public:
  Pair(Runner& a, Runner& b)
      : a_(a.subject.graph), b_(b.subject.graph), shared_(shared_values(a_, b_)), sums_(shared_.size()) {
    for (size_t i = 0; i < shared_.size(); ++i) {
      a.wanted[static_cast<size_t>(shared_[i].first)] = true;
      b.wanted[static_cast<size_t>(shared_[i].second)] = true;
      sums_[i].line.name = a_[shared_[i].first].name;
    }
  }

  /// A value of the first, beside what the second recorded.
  void add(graph::ValueId id, const Tensor& tensor, const Record& recorded) {
    for (size_t i = 0; i < shared_.size(); ++i) {
      if (shared_[i].first != id) continue;
      const auto other = recorded.find(shared_[i].second);
      if (other != recorded.end()) add_layer(sums_[i], a_[id], tensor, b_[other->first], other->second);
    }
  }

  Comparison conclude(const Evaluation& a, const Evaluation& b) {
    Comparison result{{}, a, b, flips(a, b), mcnemar(a, b)};
    for (Sums& sum : sums_) {
      conclude_sums(sum);
      result.layers.push_back(sum.line);
    }
    return result;
  }

 private:
  const graph::Graph &a_, &b_;
  std::vector<std::pair<graph::ValueId, graph::ValueId>> shared_;
  std::vector<Sums> sums_;
};

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

const LayerDifference* Comparison::first() const {
  const auto found = std::find_if(layers.begin(), layers.end(),
                                  [](const LayerDifference& layer) { return layer.integers && layer.differing > 0; });
  return found == layers.end() ? nullptr : &*found;
}

const LayerDifference* Comparison::worst() const {
  const LayerDifference* worst = nullptr;
  for (const LayerDifference& layer : layers)
    if (layer.integers && layer.differing > 0 && (!worst || layer.share() > worst->share())) worst = &layer;
  return worst;
}

std::vector<Comparison> compare(const std::vector<Subject>& networks, const Subject& reference, const Feed& feed) {
  Runner of_reference(reference, *feed.set);
  std::vector<Runner> runners;
  for (const Subject& network : networks) runners.emplace_back(network, *feed.set);
  std::vector<Pair> pairs;
  for (Runner& runner : runners) pairs.emplace_back(runner, of_reference);
  int64_t elements = compared_elements(of_reference);
  for (const Runner& runner : runners) elements += compared_elements(runner);
  Feed within = feed;
  const Shape& given = reference.graph[reference.graph.inputs.front()].shape;
  if (given.empty() || given.front() == any) within.batch_size = batch_within_memory(feed, elements);
  within.each([&](const data::Batch& batch) {
    Record recorded;
    of_reference.run(batch, [&](graph::ValueId id, const Tensor& tensor) { recorded.emplace(id, tensor); });
    for (size_t i = 0; i < runners.size(); ++i)
      runners[i].run(batch, [&](graph::ValueId id, const Tensor& tensor) { pairs[i].add(id, tensor, recorded); });
  });
  const Evaluation evaluation = of_reference.judge.conclude();
  std::vector<Comparison> results;
  for (size_t i = 0; i < runners.size(); ++i)
    results.push_back(pairs[i].conclude(runners[i].judge.conclude(), evaluation));
  return results;
}

Json to_json(const Comparison& comparison) {
  Json layers = Json::array();
  for (const LayerDifference& layer : comparison.layers)
    layers.push_back({{"name", layer.name},
                      {"compared_as", layer.integers ? "integers" : "reals"},
                      {"elements", layer.elements},
                      {"differing", layer.differing},
                      {"largest", layer.largest},
                      {"sqnr_db", std::isinf(layer.sqnr_db) ? Json(nullptr) : Json(layer.sqnr_db)},
                      {"cosine", layer.cosine}});
  Json json = {
      {"layers", layers},
      {"integers", {{"compared", comparison.elements()}, {"differing", comparison.differing()}}},
      {"decisions", {{"count", comparison.a.count}, {"flips", comparison.flips}, {"mcnemar_p", comparison.mcnemar_p}}}};
  const auto said = [](const LayerDifference* layer) {
    return layer ? Json{{"name", layer->name}, {"share", layer->share()}} : Json(nullptr);
  };
  if (!comparison.a.errors.empty()) {
    const RelativeError more = relative_error(comparison.a, comparison.b);
    json["errors"] = {{"metric", comparison.a.metric},
                      {"a", comparison.a.value},
                      {"b", comparison.b.value},
                      {"relative", more.value},
                      {"interval", {more.interval.low, more.interval.high}}};
  }
  json["integers"]["first"] = said(comparison.first());
  json["integers"]["worst"] = said(comparison.worst());
  return json;
}

}  // namespace nibble::lab
