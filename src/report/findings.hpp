#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "lab/store/store.hpp"
#include "lab/study/answer.hpp"
#include "lab/study/execute.hpp"

/// What a study's folder says, as all sections of its report read it.
namespace nibble::report {

/// How a metric is written: accuracies in percent and their differences in points; errors as they are, and their
/// differences in percent of the baseline's.
struct Metric {
  std::string name = "accuracy, %";
  std::string of_difference = "points";
  double factor = 100;             ///< of values
  double difference_factor = 100;  ///< of differences
  bool more_is_better = true;      ///< else less is
  int decimals = 2;

  double number(double value) const { return factor * value; }
  double difference(double value) const { return difference_factor * value; }
  std::string text(double value) const;
  /// As a sentence has it: "94.33 %".
  std::string described(double value) const { return text(value) + (more_is_better ? " %" : ""); }
  /// A difference, with its sign.
  std::string signed_text(double value) const;
};

struct Combination {
  std::string name;
  std::vector<std::string> levels;  ///< of the design's factors
  Json runs = Json::array();        ///< rows of the view `results`, by seed, of integer networks
  /// Mean over the runs of a column; NaN where there is none.
  double mean(const char* column) const;
};

struct Findings {
  lab::Study study;
  lab::Question question;
  Json answer;              ///< of lab::answer_json, or null
  std::string no_answer;    ///< why there is none
  std::string description;  ///< study.json
  std::vector<lab::RunState> states;
  std::vector<Combination> combinations;  ///< in the order of the design's levels, those with a finished run
  Metric metric;

  const Combination* baseline() const;
};

/// Throws UserError where the folder is no study's, or no combination has the baseline's name.
Findings findings_of(const std::filesystem::path& out, const lab::Question& question, lab::Database& store);

}  // namespace nibble::report
