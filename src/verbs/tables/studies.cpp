#include "verbs/tables/studies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "verbs/tables/columns.hpp"
#include "verbs/tables/outlook.hpp"

namespace nibble::verbs {
namespace {

Columns columns_of(const std::vector<std::string>& titles) {
  std::vector<Column> columns;
  for (const std::string& title : titles) columns.push_back({title});
  return Columns(std::move(columns));
}

/// A line a run begins with: its hash, levels and seed.
Columns columns_of(const lab::Study& study, std::initializer_list<const char*> rest) {
  std::vector<std::string> titles{"run"};
  for (const lab::Factor& factor : study.design.factors) titles.push_back(factor.name);
  if (study.folds) titles.push_back("fold");
  titles.push_back("seed");
  titles.insert(titles.end(), rest.begin(), rest.end());
  return columns_of(titles);
}

void add(Columns& columns, const lab::StudyRun& run, std::initializer_list<std::string> rest) {
  std::vector<std::string> cells{run.hash};
  cells.insert(cells.end(), run.levels.begin(), run.levels.end());
  if (run.split) cells.push_back(run.split->name());
  cells.push_back(std::to_string(run.seed));
  cells.insert(cells.end(), rest.begin(), rest.end());
  columns.add(std::move(cells));
}

std::string value_of(const lab::RunState& state) {
  return state.is_error ? fmt::format("{:.5f}", state.value) : fmt::format("{:.2f} %", 100 * state.value);
}

std::string percent(const Json& share, double of = 1) {
  return fmt::format("{:.2f}", 100 * share.get<double>() / of);
}
std::string percents(const Json& interval, double of = 1) {
  return interval.is_array() ? fmt::format("{} to {}", percent(interval[0], of), percent(interval[1], of)) : "-";
}
std::string p_of(const Json& p) {
  return p.get<double>() < 1e-4 ? "< 0.0001" : fmt::format("{:.4f}", p.get<double>());
}

/// `of`: what differences are shares of; the baseline's where they are errors.
std::string describe_differences(const Json& answer, double of) {
  const bool margin = answer.contains("margin_points");
  std::vector<std::string> titles{"combination", "difference", "95 %", "p"};
  if (margin)
    titles.push_back(fmt::format("within {} {}", answer["margin_points"].get<double>(), of == 1 ? "points" : "%"));
  Columns columns = columns_of(titles);
  for (const Json& one : answer["differences"]) {
    std::vector<std::string> cells{one["name"], "-", "-", one.value("untested", "")};
    cells.resize(titles.size());
    if (!one.contains("untested")) {
      cells[1] = percent(one["difference"], of), cells[2] = percents(one["interval"], of);
      cells[3] = p_of(one["p_adjusted"]);
      if (margin)
        cells[4] = fmt::format("{} (p {}, {})", one["equivalent"].get<bool>() ? "yes" : "not shown",
                               p_of(one["equivalence_p_adjusted"]), percents(one["equivalence_interval"], of));
    }
    columns.add(std::move(cells));
  }
  return columns.text();
}

std::string describe_effects(const Json& rows) {
  Columns columns = columns_of({"effect", "sum of squares", "df", "F", "p", "partial omega squared"});
  for (const Json& row : rows) {
    std::vector<std::string> cells{
        row["term"], fmt::format("{:.4g}", row["sum_of_squares"].get<double>()), row["df"].dump(), "", "", ""};
    if (row["df"] == 0) {
      cells[3] = "not to be told from others in these runs";
    } else if (row.contains("f")) {
      cells[3] = fmt::format("{:.3f}", row["f"].get<double>());
      cells[4] = p_of(row["p"]);
      cells[5] = fmt::format("{:.3f}", row["partial_omega_squared"].get<double>());
    }
    columns.add(std::move(cells));
  }
  return columns.text();
}

/// What inner folds chose, of each combination.
std::string describe_choices(const Json& variants) {
  std::string text;
  for (const Json& one : variants) {
    if (!one.contains("choices")) continue;
    text += "chosen inside the folds, " + one["name"].get<std::string>() + ":";
    for (const auto& [levels, count] : one["choices"].items())
      text += fmt::format("{} {} ({})", text.ends_with(':') ? "" : ",", levels, count.get<int>());
    text += "\n";
  }
  return text;
}

/// "3 seeds", or "3 seeds by 5 folds", and what they divide.
std::string describe_blocks(const lab::Study& study) {
  const std::string seeds = fmt::format("{} seeds", study.design.seeds.size());
  if (!study.folds) return seeds;
  int64_t folds = 0, inner = 0;
  std::set<std::string> names;
  for (const lab::StudyRun& run : study.runs)
    if (names.insert(run.split->name()).second) ++(run.split->inner ? inner : folds);
  return fmt::format("{} by {} folds{}", seeds, folds, inner > 0 ? fmt::format(" and {} inner ones", inner) : "");
}

}  // namespace

std::string describe_plan(const lab::Study& study, const std::vector<lab::RunState>& states,
                          const std::optional<double>& seconds) {
  const lab::Design& design = study.design;
  Columns columns = columns_of(study, {"float training"});
  std::set<std::string> floats;
  for (const lab::StudyRun& run : study.runs) {
    add(columns, run, {run.float_hash});
    floats.insert(run.float_hash);
  }
  std::string text = columns.text() + "\n";
  text += fmt::format("{}: {} runs = {} combinations{} by {}; {} float trainings\n", design.kind, study.runs.size(),
                      design.cells.size(), design.excluded > 0 ? fmt::format(" ({} excluded)", design.excluded) : "",
                      describe_blocks(study), floats.size());
  for (const std::string& line : design.aliases) text += line + "\n";
  const auto left = std::count_if(states.begin(), states.end(),
                                  [](const lab::RunState& state) { return state.status != lab::RunStatus::Done; });
  text += seconds ? fmt::format("{} left, about {} by what finished ones took, one after the other\n", left,
                                duration(*seconds))
                  : "no run has finished yet, which would say how long they take\n";
  return text;
}

std::string describe_states(const lab::Study& study, const std::vector<lab::RunState>& states,
                            const std::optional<double>& seconds) {
  const bool errors =
      std::any_of(states.begin(), states.end(), [](const lab::RunState& state) { return state.is_error; });
  Columns columns = columns_of(study, {"", errors ? "error" : "accuracy", "time", ""});
  std::map<lab::RunStatus, int> counts;
  for (size_t i = 0; i < states.size(); ++i) {
    const lab::RunState& state = states[i];
    ++counts[state.status];
    const bool done = state.status == lab::RunStatus::Done;
    add(columns, study.runs[i],
        {std::string(to_string(state.status)), done ? value_of(state) : "", done ? duration(state.seconds) : "",
         state.reason});
  }
  std::string text = columns.text() + "\n";
  for (const auto& [status, count] : counts)
    text += fmt::format("{}{} {}", text.ends_with('\n') ? "" : ", ", count, to_string(status));
  const int left = counts[lab::RunStatus::Waiting] + counts[lab::RunStatus::Running];
  if (left > 0 && seconds) text += fmt::format("; about {} of work left", duration(*seconds));
  return text + "\n";
}

namespace {

/// What each combination reached, of accuracies or of errors.
std::string describe_outcomes(const Json& answer, bool errors) {
  const Json& variants = answer["variants"];
  const char* blocks = answer["blocks"]["kind"] == "folds" ? "folds" : "runs";
  Columns columns =
      errors ? columns_of({"combination", blocks, "error", "95 %", "more than float's, %", "95 %", "weights, bytes"})
             : columns_of({"combination", blocks, "accuracy, %", "95 %", "weights, bytes"});
  for (const Json& one : variants) {
    std::vector<std::string> cells{one["name"], std::to_string(one["runs"].get<int64_t>())};
    const Json interval = one.value("interval", Json());
    if (errors) {
      cells.push_back(fmt::format("{:.5f}", one["error"].get<double>()));
      cells.push_back(interval.is_array()
                          ? fmt::format("{:.5f} to {:.5f}", interval[0].get<double>(), interval[1].get<double>())
                          : "-");
      const Json more = one.value("to_float", Json());
      cells.push_back(more.is_object() ? percent(more["relative"]) : "-");
      cells.push_back(more.is_object() ? percents(more["interval"]) : "-");
    } else {
      cells.push_back(percent(one["accuracy"]));
      cells.push_back(percents(interval));
    }
    cells.push_back(std::to_string(one["weight_bytes"].get<int64_t>()));
    columns.add(std::move(cells));
  }
  return columns.text();
}

/// What differences are given in: the error that they are percent of, or 1 for points.
double unit_of(const Json& answer) {
  const double value = answer["baseline_value"];
  return answer["variants"].at(0).contains("error") && value > 0 ? value : 1;
}

}  // namespace

std::string describe_answer(const Json& answer) {
  const bool errors = answer["variants"].at(0).contains("error");
  const double unit = unit_of(answer);
  std::string text = describe_outcomes(answer, errors) + describe_choices(answer["variants"]) + "\n";
  if (answer["differences"].empty()) return text;
  text += fmt::format("against '{}', in {}; p by Holm for {} comparisons\n", answer["baseline"].get<std::string>(),
                      errors ? "percent of its error" : "points", answer["differences"].size());
  text += describe_differences(answer, unit) + "\n";
  text +=
      fmt::format("{}: {}\n", answer["test"]["name"].get<std::string>(), answer["test"]["reason"].get<std::string>());
  if (!answer.contains("margin_points")) text += "without a margin nothing is called equal: --margin POINTS asks\n";
  if (answer.contains("anova") && answer["anova"].contains("rows"))
    text += "\nanalysis of variance, type II, seeds as blocks\n" + describe_effects(answer["anova"]["rows"]);
  for (const Json& name : answer["missing"]) text += "left out, runs missing: " + name.get<std::string>() + "\n";
  return text;
}

}  // namespace nibble::verbs
