#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.hpp"
#include "lab/judge.hpp"
#include "stats/pairs/proportions.hpp"

namespace nibble::lab {
namespace {

/// How many classes score above class `label`, ties counted for lower indices: 0 means that it is the decision.
int64_t rank_of(const double* scores, int64_t classes, int64_t label) {
  int64_t rank = 0;
  for (int64_t c = 0; c < classes; ++c)
    if (scores[c] > scores[label] || (scores[c] == scores[label] && c < label)) ++rank;
  return rank;
}

}  // namespace

void Judge::refuse_nan(const std::vector<double>& numbers, int64_t rows, std::string_view what) const {
  const auto found = std::find_if(numbers.begin(), numbers.end(), [](double each) { return std::isnan(each); });
  if (found == numbers.end()) return;
  const int64_t each = static_cast<int64_t>(numbers.size()) / rows, row = (found - numbers.begin()) / each;
  fail("lab", "example " + std::to_string(evaluation_.count + row), std::string(what) + " of NaN", "numbers");
}

void Judge::add(const std::vector<double>& outputs, const data::Batch& batch) {
  const int64_t rows = batch.x.shape().front();
  refuse_nan(outputs, rows, "an output");
  if (batch.target) refuse_nan(batch.target->to_reals(), rows, "a target");
  if (batch.target && landmarks_)
    add_landmarks(outputs, *batch.target);
  else if (batch.target)
    add_squares(outputs, *batch.target);
  else
    add_decisions(outputs, rows, batch.labels);
  evaluation_.groups.insert(evaluation_.groups.end(), batch.groups.begin(), batch.groups.end());
  evaluation_.count += rows;
}

void Judge::add_decisions(const std::vector<double>& scores, int64_t rows, const std::vector<int64_t>& labels) {
  const int64_t classes = static_cast<int64_t>(scores.size()) / rows;
  for (int64_t row = 0; row < rows; ++row) {
    const double* of_row = scores.data() + row * classes;
    evaluation_.decisions.push_back(std::max_element(of_row, of_row + classes) - of_row);
    if (labels.empty()) continue;
    const int64_t label = labels[static_cast<size_t>(row)];
    if (label < 0 || label >= classes)
      fail("lab", "example " + std::to_string(evaluation_.count + row), "label " + std::to_string(label),
           "a class below the network's " + std::to_string(classes) + " outputs");
    const int64_t rank = rank_of(of_row, classes, label);
    ++labelled_;
    top1_ += rank < 1;
    top5_ += rank < 5;
    evaluation_.right.push_back(rank < 1);
    evaluation_.labels.push_back(label);
  }
}

Evaluation Judge::conclude() {
  if (!evaluation_.errors.empty()) {
    conclude_errors();
  } else if (labelled_ > 0) {
    evaluation_.value = static_cast<double>(top1_) / static_cast<double>(labelled_);
    evaluation_.top5 = static_cast<double>(top5_) / static_cast<double>(labelled_);
    evaluation_.interval = stats::wilson(top1_, labelled_);
  }
  return std::move(evaluation_);
}

int64_t Feed::asked() const {
  return limit < 0 ? set->size() : std::min(limit, set->size());
}

int64_t Feed::count() const {
  return asked() - asked() % whole;
}

void Feed::each(const std::function<void(const data::Batch&)>& use) const {
  const int64_t used = count(), left = asked() - used;
  if (asked() == 0) fail("lab", "data set", "no examples", "at least one");
  if (used == 0)
    fail("lab", "data set", std::to_string(left) + " examples",
         std::to_string(whole) + " at least: the network takes so many at once");
  if (warn && left > 0)
    warn("the last " + std::to_string(left) + " of " + std::to_string(asked()) +
         " examples are left out: the network takes " + std::to_string(whole) + " at once");
  data::Loader loader(set, preprocess, data::in_order(count()), batch_size, threads);
  int64_t done = 0;
  while (const auto batch = loader.next()) {
    use(*batch);
    done += batch->x.shape().front();
    if (progress) progress(done, count());
  }
}

Evaluation evaluate(const graph::Graph& graph, graph::Engine& engine, const Feed& feed) {
  if (graph.inputs.size() != feed.set->inputs())
    fail("lab", "network '" + graph.name + "'", std::to_string(graph.inputs.size()) + " inputs",
         std::to_string(feed.set->inputs()) + ", as the data have");
  Judge judge(feed.set->landmarks());
  const auto start = std::chrono::steady_clock::now();
  feed.each([&](const data::Batch& batch) {
    if (!batch.target && batch.labels.empty())
      fail("lab", "data set", "no labels and no targets", "what the network's outputs are compared with");
    const std::vector<Tensor> outputs = engine.run(batch.inputs());
    judge.add(scores_of(graph[graph.outputs.front()], outputs.front()), batch);
  });
  Evaluation result = judge.conclude();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

Json to_json(const Evaluation& evaluation) {
  return {{"metric", evaluation.metric},
          {"value", evaluation.value},
          {"interval", {evaluation.interval.low, evaluation.interval.high}},
          {"top5", evaluation.top5},
          {"count", evaluation.count},
          {"seconds", evaluation.seconds}};
}

}  // namespace nibble::lab
