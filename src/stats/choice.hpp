#pragma once
#include <span>
#include <string>
#include <vector>

#include "stats/result.hpp"

namespace nibble::stats {

/// What was measured, of each of the variants that are compared.
enum class Outcome {
  per_example,        ///< right or wrong on each example of one test set that all variants saw
  error_per_example,  ///< a number on each of them: a distance, an error
  per_run             ///< a metric of a run (accuracy of a seed, of a fold)
};

/// How runs of different variants belong together.
enum class Pairing {
  unpaired,  ///< runs of their own, nothing shared
  seeds,     ///< run i of each variant has the same seed; independent of the others
  folds,     ///< run i of each variant saw the same split; splits share training data
  data_sets  ///< value i of each variant is of the same data set; data sets are unlike each other
};

/// A comparison as it was planned: the test follows from it, and from nothing that was seen.
struct Comparison {
  Outcome outcome = Outcome::per_run;
  Pairing pairing = Pairing::seeds;
  size_t variants = 2;
  size_t values = 0;           ///< of each variant; 0 where it is not known yet or differs
  double train = 0, test = 0;  ///< examples of each split, where the pairing is by folds
  /// Of errors: whose each example is, where examples of one group depend on each other.
  std::vector<int64_t> groups{};
  ConfidenceInterval margin;  ///< stated before the run, low < high: of two variants, equivalence is asked for too
  double alpha = 0.05;        ///< in (0, 0.5)
  bool asks_equivalence() const { return margin.low < margin.high; }
};

/// What answers it, by the names of this room's functions.
struct Choice {
  std::string test;         ///< of "all variants are one": "paired_t"
  std::string pairs;        ///< of each pair, where there are more than two: "mcnemar_mid_p, holm"
  std::string equivalence;  ///< where a margin is stated: "tost_paired"
  std::string reason;       ///< a sentence
};

/// Throws UserError where a comparison has fewer than two variants, outcomes per example that are not paired by them,
/// folds without their sizes, or a margin for more than two variants or for data sets.
Choice choose_test(const Comparison& comparison);

struct PairAnswer {
  size_t first = 0;  ///< variants
  size_t second = 0;
  double difference = 0;        ///< of means (shares for examples), first - second
  ConfidenceInterval interval;  ///< level 1 - alpha; of all pairs together where Tukey's; none (0, 0) for data sets
  double p = 1;                 ///< adjusted for all pairs
};

struct Answer {
  Choice choice;
  double statistic = 0;
  double p = 1;
  std::vector<PairAnswer> pairs;
  double equivalence_p = 1;                 ///< of "the difference lies outside the margin", where one is stated
  bool equivalent = false;                  ///< equivalence_p <= alpha
  ConfidenceInterval equivalence_interval;  ///< level 1 - 2 alpha
};

/// Chooses, and computes. values[variant][i]: of examples 1 (right) or 0; paired ones in one order. Runs of two variants
/// that are equal value by value have p = 1, and are equivalent within any margin around 0: what is computed from the
/// same integers has no variance. Other refusals are those of the chosen functions.
Answer compare(const Comparison& comparison, std::span<const std::vector<double>> values);

}  // namespace nibble::stats
