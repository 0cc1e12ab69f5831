#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "data/dataset.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "stats/result.hpp"

namespace nibble::lab {

/// A data set ready to feed a network.
struct Feed {
  std::shared_ptr<const data::Dataset> set;
  data::Preprocess preprocess;
  int64_t limit = -1;  ///< the first so many; -1: all
  int64_t batch_size = 128;
  int64_t whole = 1;  ///< examples come in so many at once; of the last ones fewer are left out
  int threads = 2;
  /// Calls `use` with each batch, in order. Progress goes to `progress` (examples done, of) when set, and what is left
  /// out to `warn`. Throws UserError where there is no batch.
  void each(const std::function<void(const data::Batch&)>& use) const;
  std::function<void(int64_t, int64_t)> progress;
  std::function<void(const std::string&)> warn;
  int64_t count() const;

 private:
  int64_t asked() const;  ///< count, whether or not whole
};

struct Evaluation {
  /// top1; of targets mean_square; of landmarks nme, the mean of data::normalised_mean_error.
  std::string metric = "top1";
  double value = 0;
  stats::ConfidenceInterval interval;  ///< 95 %
  double top5 = 0;
  int64_t count = 0;
  double seconds = 0;
  std::vector<int64_t> decisions;  ///< argmax of the first output, real units, for each example
  std::vector<bool> right;         ///< whether the decision is the label, for each example that has one
  std::vector<int64_t> labels;     ///< of those examples
  std::vector<double> errors;      ///< of each example with a target: its mean square, its NME
  std::vector<int64_t> groups;     ///< of each example, or empty
};
/// Outputs in integers are read in real units by their grid before the argmax (ties: the lowest class).
Evaluation evaluate(const graph::Graph& graph, graph::Engine& engine, const Feed& feed);
Json to_json(const Evaluation& evaluation);

struct LayerDifference {
  std::string name;
  int64_t elements = 0;
  bool integers = false;  ///< both sides on one grid: compared as integers; else in real units
  int64_t differing = 0;  ///< elements that are not equal
  double largest = 0;     ///< largest |a - b|, in levels or in real units
  double sqnr_db = 0;     ///< signal of A over difference; infinite when equal
  double cosine = 0;
  /// Of the elements, those that are not equal.
  double share() const { return elements == 0 ? 0 : static_cast<double>(differing) / static_cast<double>(elements); }
};

/// Decisions that two networks take differently on the same examples.
int64_t flips(const Evaluation& a, const Evaluation& b);
/// Exact two-sided p of McNemar's test of their right and wrong decisions.
double mcnemar(const Evaluation& a, const Evaluation& b);

/// How much larger a mean error is than another's on the same examples.
struct RelativeError {
  double value = 0;                    ///< mean a / mean b - 1; 0 where b has no error
  stats::ConfidenceInterval interval;  ///< 95 %, of pairs; groups are drawn whole (stats/bootstrap.hpp)
};
RelativeError relative_error(const Evaluation& a, const Evaluation& b);

struct Comparison {
  std::vector<LayerDifference> layers;  ///< values of one name in both, in A's order
  Evaluation a, b;
  int64_t flips = 0;
  double mcnemar_p = 1;
  int64_t elements() const;   ///< integers compared, over all layers
  int64_t differing() const;  ///< integers that differ
  /// The layer where integers begin to differ, and the one with the largest share of them; null where none do.
  const LayerDifference* first() const;
  const LayerDifference* worst() const;
};
/// A network and what runs it.
struct Subject {
  const graph::Graph& graph;
  graph::Engine& engine;
};
/// Runs all on the same batches, each once, and compares every value that a network (A) and the reference (B) both
/// name: where both are on one grid their integers (a real on a grid stands for the integer nearest to real / scale +
/// zero_point), else in real units.
std::vector<Comparison> compare(const std::vector<Subject>& networks, const Subject& reference, const Feed& feed);
Json to_json(const Comparison& comparison);

/// A value in real units: itself, or its integers through the value's grid.
std::vector<double> reals_of(const graph::Value& value, const Tensor& tensor);
/// What decisions are taken on: real units, on a grid those of the nearest level. Else the float error of a
/// fake-quantised network would break a tie that its integers leave to the lowest class.
std::vector<double> scores_of(const graph::Value& value, const Tensor& tensor);

}  // namespace nibble::lab
