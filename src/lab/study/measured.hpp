#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "lab/study/design.hpp"

namespace nibble::lab {

/// A combination's finished runs, of the integer networks.
struct Combination {
  std::string name;
  std::vector<std::string> levels;
  bool is_error = false;
  std::vector<double> outcomes{};  ///< accuracies or errors: of each block, in one order for all combinations
  std::vector<double> examples{};  ///< of one block: each example's, right or wrong or its error
  std::vector<double> float_outcomes{}, float_examples{};  ///< of the float networks that they were made of
  std::vector<int64_t> groups{};                           ///< of one block, where the errors' examples have any
  Json to_float{};           ///< of one block: by how much its error is larger than the float network's
  double low = 0, high = 0;  ///< of one block: the test set's interval
  /// Levels that inner folds chose, and how often; empty where nothing is chosen.
  std::map<std::string, int> choices{};
  int64_t weight_bytes = 0;  ///< of the last block
};

/// What a study has measured so far. Runs of different combinations are paired by blocks: folds (of each the mean over
/// its seeds) where there are several, else seeds. Factors that are chosen are no part of a combination: in each fold
/// and seed the level counts, on the fold's own test, whose mean over the inner folds is best (the first of equals).
struct Measured {
  Design design;                          ///< without the factors that are chosen
  std::vector<Combination> combinations;  ///< that lack no run, in the order of their levels
  std::vector<std::string> missing;       ///< names of the others
  bool by_folds = false;
  double train = 0, test = 0;  ///< examples of a fold
};
Measured measured(const Study& study, const std::filesystem::path& out);

}  // namespace nibble::lab
