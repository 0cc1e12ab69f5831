#include "report/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "base/file.hpp"

namespace nibble::report {
namespace {

/// Each level's place in the design, so that combinations come as the design has them.
std::vector<size_t> cell_of(const lab::Study& study, const std::vector<std::string>& levels) {
  std::vector<size_t> cell;
  for (size_t i = 0; i < levels.size(); ++i) {
    const auto& all = study.design.factors[i].levels;
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const lab::Factor::Level& level) { return level.name == levels[i]; });
    cell.push_back(static_cast<size_t>(found - all.begin()));
  }
  return cell;
}

std::vector<Combination> combinations_of(const lab::Study& study, lab::Database& store) {
  std::map<std::vector<size_t>, Combination> by_cell;
  std::map<std::string, Combination*> by_name;
  for (const lab::StudyRun& run : study.runs) {
    Combination& one = by_cell[cell_of(study, run.levels)];
    one.name = lab::name_of(study.design, run.levels), one.levels = run.levels;
    by_name[one.name] = &one;
  }
  for (const Json& row : lab::rows_of(store, "SELECT * FROM results ORDER BY seed, repeat, fold")) {
    const auto found = by_name.find(row.at("combination"));
    if (found != by_name.end() && row.at("value").is_number()) found->second->runs.push_back(row);
  }
  std::vector<Combination> found;
  for (auto& [cell, one] : by_cell)
    if (!one.runs.empty()) found.push_back(std::move(one));
  return found;
}

Metric metric_of(const std::vector<Combination>& combinations) {
  const std::string metric = combinations.empty() ? "top1" : combinations[0].runs[0].value("metric", "top1");
  if (metric == "top1") return {};
  return {.name = metric == "nme" ? "error (NME)" : "mean square error",
          .of_difference = "% of the baseline's",
          .factor = 1,
          .more_is_better = false,
          .decimals = 5};
}

}  // namespace

std::string Metric::text(double value) const {
  return fmt::format("{:.{}f}", number(value), decimals);
}

std::string Metric::signed_text(double value) const {
  // A rounded nothing has no sign.
  const std::string plain = fmt::format("{:+.2f}", difference(value));
  return plain.find_first_of("123456789") == std::string::npos ? plain.substr(1) : plain;
}

double Combination::mean(const char* column) const {
  double sum = 0;
  int count = 0;
  for (const Json& run : runs)
    if (run.at(column).is_number()) sum += run.at(column).get<double>(), ++count;
  return count == 0 ? NAN : sum / count;
}

const Combination* Findings::baseline() const {
  const std::string name = answer.is_object() ? answer.at("baseline").get<std::string>() : "";
  for (const Combination& one : combinations)
    if (one.name == name) return &one;
  return nullptr;
}

Findings findings_of(const std::filesystem::path& out, const lab::Question& question, lab::Database& store) {
  Findings findings;
  findings.study = lab::recorded_study(out);
  findings.question = question;
  findings.states = lab::states_of(findings.study, out);
  findings.description = read_file(out / "study.json", "report");
  findings.combinations = combinations_of(findings.study, store);
  findings.metric = metric_of(findings.combinations);
  try {
    findings.answer = lab::answer_json(out, question);
    if (!findings.metric.more_is_better)
      findings.metric.difference_factor = 100 / findings.answer.at("baseline_value").get<double>();
  } catch (const UserError& error) {
    // A report of what there is so far is wanted before two combinations are whole.
    if (!question.baseline.empty()) throw;
    findings.no_answer = error.what();
  }
  return findings;
}

}  // namespace nibble::report
