#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "train/api.hpp"

namespace nibble::train {

/// Sums over examples, in double, in the order of the batches.
struct Sums {
  double loss = 0;
  int64_t correct = 0, examples = 0;
  Sums& operator+=(const Sums& other) {
    loss += other.loss, correct += other.correct, examples += other.examples;
    return *this;
  }
  double mean_loss() const { return examples > 0 ? loss / static_cast<double>(examples) : 0; }
  double accuracy() const { return examples > 0 ? static_cast<double>(correct) / static_cast<double>(examples) : 0; }
};

Json to_json(const EpochReport& report);
EpochReport report_from_json(const Json& json);

/// metrics.csv: a header, then a line an epoch.
std::string metrics_csv(const std::vector<EpochReport>& reports);

/// What a loss that stays finite and runs away looks like after the last of `reports`: empty where it does not. `guess`:
/// the mean loss of an output that says nothing, or infinity where it is not known. Ten times the guess; half as much
/// again as the guess and as the best epoch before; without a guess ten times the best epoch before. The first of several
/// epochs may begin far out.
std::string divergence(const std::vector<EpochReport>& reports, double guess);

}  // namespace nibble::train
