#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "stats/result.hpp"

namespace nibble::lab {

struct Question {
  /// "No worse and no better than so many points" (of errors: percent of the baseline's), stated before the run;
  /// nothing where equivalence is not asked.
  std::optional<double> margin;
  /// What others are compared with: levels as the tables write them ("bits 8-8, range mse"), the first where empty;
  /// "float": each with the float network that it was made of, seed by seed and fold by fold.
  std::string baseline;
  double alpha = 0.05;
};

/// What a study's finished runs say, of the integer networks' accuracy: each combination's mean over seeds with its
/// interval, differences from the baseline with the test that the design calls for (stats::choose_test) and Holm's
/// correction for their number, equivalence within the margin, and the analysis of variance of a design of two factors and
/// more. With one seed the test set's examples are the pairs; with folds they are the blocks, and where factors are chosen
/// inside them ("choices") a combination is what is left. `accuracy` and differences are shares, not percent.
/// Of targets and landmarks the same of errors, `error` in place of `accuracy`: pairs are examples, whole groups are
/// drawn where they have groups, and each combination says by how much its error is larger than the float network's.
/// Combinations that lack a run are left out and named. Throws UserError where fewer than two are whole, or no
/// combination has the baseline's name.
Json answer_json(const std::filesystem::path& out, const Question& question);

/// 95 % of a mean over two blocks or more, `blocks` as answer_json gives them: by t over seeds, by the corrected
/// resampled t over folds; within what can be: errors of 0 and more, accuracies as shares of 0 to 1.
stats::ConfidenceInterval interval_of_mean(const std::vector<double>& outcomes, bool are_errors, const Json& blocks);

}  // namespace nibble::lab
