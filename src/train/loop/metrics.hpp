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
  double mean_loss() const { return examples > 0 ? loss / static_cast<double>(examples) : 0; }
  double accuracy() const { return examples > 0 ? static_cast<double>(correct) / static_cast<double>(examples) : 0; }
};

Json to_json(const EpochReport& report);
EpochReport report_from_json(const Json& json);

/// metrics.csv: a header, then a line an epoch.
std::string metrics_csv(const std::vector<EpochReport>& reports);

}  // namespace nibble::train
