#include "passes/quantise/observe.hpp"

#include <algorithm>

#include "graph/count.hpp"

namespace nibble::passes {
namespace {
using graph::ValueId;

constexpr size_t most_samples = size_t{1} << 16;

/// So many examples as some seconds of every choice allow: fewer of a large network, whose images say more.
size_t worth_keeping(const graph::Graph& graph) {
  const graph::Uses uses(graph);
  int64_t products = 1;
  for (const graph::Node& node : graph.nodes) products += graph::counts(graph, uses, node).multiply_accumulates;
  return static_cast<size_t>(std::clamp<int64_t>((int64_t{1} << 29) / products, 8, 32));
}

/// Element `index` of a batch; the tensor itself where it is no batch.
Tensor example_of(const Tensor& batch, bool counts, int64_t index) {
  if (!counts) return batch;
  Shape shape = batch.shape();
  const size_t bytes = batch.bytes().size() / static_cast<size_t>(shape[0]);
  shape[0] = 1;
  Tensor one(batch.type(), shape);
  std::copy_n(batch.bytes().begin() + static_cast<std::ptrdiff_t>(bytes) * index, bytes, one.bytes().begin());
  return one;
}

/// Whether the input's first axis counts examples.
bool is_batch(const graph::Graph& graph, size_t input) {
  const Shape& shape = graph[graph.inputs[input]].shape;
  return !shape.empty() && shape[0] == any;
}

/// Single examples behind each other, at most so many in one batch; each by itself where an input is no batch. An
/// engine's convolutions may be many times slower on one example than on a batch.
std::vector<std::vector<Tensor>> in_batches(const graph::Graph& graph, const std::vector<std::vector<Tensor>>& examples,
                                            size_t most) {
  for (size_t i = 0; i < graph.inputs.size(); ++i)
    if (!is_batch(graph, i)) return examples;
  std::vector<std::vector<Tensor>> batches;
  for (size_t first = 0; first < examples.size(); first += most) {
    const size_t count = std::min(most, examples.size() - first);
    std::vector<Tensor>& batch = batches.emplace_back();
    for (size_t i = 0; i < examples[first].size(); ++i) {
      Shape shape = examples[first][i].shape();
      shape[0] = static_cast<int64_t>(count);
      Tensor& all = batch.emplace_back(examples[first][i].type(), shape);
      auto place = all.bytes().begin();
      for (size_t k = first; k < first + count; ++k)
        place = std::copy(examples[k][i].bytes().begin(), examples[k][i].bytes().end(), place);
    }
  }
  return batches;
}

/// Keeps examples at equal distances of a stream whose end it does not know, and those between them: when they are too
/// many, every other one of the first becomes one of the second.
class Keeper {
 public:
  Keeper(const graph::Graph& graph, Observed& seen)
      : graph_(graph), all_(seen), kept_(seen.examples), between_(seen.others), most_(worth_keeping(graph)) {}

  /// Returns how many examples the batch has.
  int64_t take(const std::vector<Tensor>& inputs) {
    int64_t count = 1;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (is_batch(graph_, i)) count = inputs[i].shape()[0];
    largest_ = std::max(largest_, static_cast<size_t>(count));
    for (int64_t k = 0; k < count; ++k, ++seen_) {
      const bool keeps = seen_ % stride_ == 0;
      if (!keeps && seen_ % stride_ != stride_ / 2) continue;
      std::vector<Tensor>& example = (keeps ? kept_ : between_).emplace_back();
      for (size_t i = 0; i < inputs.size(); ++i) example.push_back(example_of(inputs[i], is_batch(graph_, i), k));
      if (kept_.size() > most_) thin();
    }
    return count;
  }

  /// What was kept, in batches no larger than those that came.
  void join() {
    all_.judges_apart = std::max<int64_t>(2, stride_);
    for (size_t i = 1; stride_ == 1 && i < kept_.size(); i += 2) all_.halves.push_back(kept_[i]);
    all_.halves = in_batches(graph_, all_.halves, largest_);
    kept_ = in_batches(graph_, kept_, largest_);
    between_ = in_batches(graph_, between_, largest_);
  }

 private:
  void thin() {
    between_.clear();
    for (size_t i = 1; i < kept_.size(); i += 2) between_.push_back(std::move(kept_[i]));
    for (size_t i = 2; i < kept_.size(); i += 2) kept_[i / 2] = std::move(kept_[i]);
    kept_.resize((kept_.size() + 1) / 2);
    stride_ *= 2;
  }

  const graph::Graph& graph_;
  Observed& all_;
  std::vector<std::vector<Tensor>>&kept_, &between_;
  size_t most_, largest_ = 1;
  int64_t seen_ = 0, stride_ = 1;
};

void add_observer(std::vector<Observed::OfRule>& observers, quant::RangeRule rule) {
  const auto same = [&](const Observed::OfRule& each) { return each.rule == rule; };
  if (std::none_of(observers.begin(), observers.end(), same)) observers.push_back({rule, quant::RangeObserver(rule)});
}

template <class T>
void look_at(std::vector<Observed::OfRule>& observers, std::span<const T> values, const std::string& place) {
  for (Observed::OfRule& each : observers) each.observer.observe(values, place);
}

void look(Observed& seen, const graph::Graph& graph, ValueId id, const Tensor& tensor) {
  const auto found = seen.observers.find(id);
  if (found == seen.observers.end()) return;
  const std::string place = "value '" + graph[id].name + "'";
  if (const auto samples = seen.samples.find(id); samples != seen.samples.end() && samples->second.empty()) {
    samples->second = tensor.to_reals();
    samples->second.resize(std::min(samples->second.size(), most_samples));
  }
  if (tensor.type() == ElementType::Float32)
    look_at(found->second, tensor.as<float>(), place);
  else
    look_at(found->second, tensor.as<double>(), place);
}

}  // namespace

const quant::RangeObserver& Observed::of(const Point& point) const {
  const auto found = observers.find(point.source);
  ensure(found != observers.end(), "a point's value was observed");
  for (const OfRule& each : found->second)
    if (each.rule == point.policy.activation_range) return each.observer;
  throw InternalError("a point's value was observed by its rule");
}

Observed observe(const graph::Graph& graph, const std::vector<const QuantiserPlan*>& plans,
                 const graph::EngineMaker& maker, const Batches& batches) {
  Observed seen;
  for (const QuantiserPlan* plan : plans)
    for (const Point& point : plan->points) {
      if (point.fixed) continue;
      add_observer(seen.observers[point.source], point.policy.activation_range);
      if (point.group >= 0) seen.samples[point.source];
    }
  for (auto& [id, observers] : seen.observers)
    if (const Tensor* constant = graph.constant(id)) look(seen, graph, id, constant->cast(ElementType::Float32));
  const auto engine = maker(graph);
  Keeper keeper(graph, seen);
  batches([&](const std::vector<Tensor>& inputs) {
    seen.count += keeper.take(inputs);
    engine->run(inputs, [&](ValueId id, const Tensor& tensor) { look(seen, graph, id, tensor); });
  });
  if (seen.count == 0) fail("passes", "calibration", "the data set is empty", "at least one example");
  keeper.join();
  return seen;
}

quant::GridSpec spec_of(const Point& point) {
  quant::GridSpec spec;
  spec.levels = point.policy.activation_levels;
  spec.rounding = point.policy.rounding;
  spec.symmetry = point.non_negative                   ? quant::Symmetry::Unsigned
                  : point.policy.symmetric_activations ? quant::Symmetry::Symmetric
                                                       : quant::Symmetry::Asymmetric;
  return spec;
}

std::string place_of(const graph::Graph& graph, const Point& point) {
  return "value '" + graph[point.source].name + "'";
}

}  // namespace nibble::passes
