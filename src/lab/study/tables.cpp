#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "lab/study/columns.hpp"
#include "lab/study/execute.hpp"

namespace nibble::lab {
namespace {

std::string duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::vector<std::string> heading(const Study& study, std::initializer_list<const char*> rest) {
  std::vector<std::string> line{"run"};
  for (const Factor& factor : study.design.factors) line.push_back(factor.name);
  line.push_back("seed");
  for (const char* word : rest) line.push_back(word);
  return line;
}

std::vector<std::string> named(const StudyRun& run) {
  std::vector<std::string> line{run.hash};
  line.insert(line.end(), run.levels.begin(), run.levels.end());
  line.push_back(std::to_string(run.seed));
  return line;
}

size_t float_trainings(const Study& study) {
  std::set<std::string> floats;
  for (const StudyRun& run : study.runs) floats.insert(run.float_hash);
  return floats.size();
}

/// What runs took that are done; 0 where none is.
double mean_seconds(const std::vector<RunState>& states) {
  double sum = 0;
  int count = 0;
  for (const RunState& state : states)
    if (state.status == RunStatus::Done) sum += state.seconds, ++count;
  return count == 0 ? 0 : sum / count;
}

}  // namespace

std::string columns(const std::vector<std::vector<std::string>>& lines) {
  std::vector<size_t> widths;
  for (const auto& line : lines)
    for (size_t i = 0; i < line.size(); ++i) {
      if (i >= widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], line[i].size());
    }
  std::string text;
  for (const auto& line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) row += fmt::format("{:<{}}  ", line[i], widths[i]);
    text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string describe_plan(const Study& study, const std::filesystem::path& out) {
  const Design& design = study.design;
  std::vector<std::vector<std::string>> lines{heading(study, {"float training"})};
  for (const StudyRun& run : study.runs) {
    lines.push_back(named(run));
    lines.back().push_back(run.float_hash);
  }
  std::string text = columns(lines) + "\n";
  text +=
      fmt::format("{}: {} runs = {} combinations{} by {} seeds; {} float trainings\n", design.kind, study.runs.size(),
                  design.cells.size(), design.excluded > 0 ? fmt::format(" ({} excluded)", design.excluded) : "",
                  design.seeds.size(), float_trainings(study));
  for (const std::string& line : design.aliases) text += line + "\n";
  const auto states = states_of(study, out);
  const double mean = mean_seconds(states);
  const auto left = std::count_if(states.begin(), states.end(),
                                  [](const RunState& state) { return state.status != RunStatus::Done; });
  text += mean > 0 ? fmt::format("{} left, about {} by what finished runs took, one after the other\n", left,
                                 duration(mean * static_cast<double>(left)))
                   : "no run has finished yet, which would say how long they take\n";
  return text;
}

Json plan_json(const Study& study) {
  Json json = {{"name", study.name},
               {"kind", study.design.kind},
               {"excluded", study.design.excluded},
               {"aliases", study.design.aliases},
               {"factors", Json::array()},
               {"runs", Json::array()}};
  for (const Factor& factor : study.design.factors) {
    Json levels = Json::array();
    for (const Factor::Level& level : factor.levels) levels.push_back(level.name);
    json["factors"].push_back({{"factor", factor.name}, {"levels", levels}});
  }
  for (const StudyRun& run : study.runs) {
    Json levels = Json::object();
    for (size_t i = 0; i < run.levels.size(); ++i) levels[study.design.factors[i].name] = run.levels[i];
    json["runs"].push_back({{"hash", run.hash}, {"float", run.float_hash}, {"seed", run.seed}, {"levels", levels}});
  }
  return json;
}

std::string describe_states(const Study& study, const std::vector<RunState>& states) {
  std::vector<std::vector<std::string>> lines{heading(study, {"", "accuracy", "time", ""})};
  std::map<RunStatus, int> counts;
  for (size_t i = 0; i < states.size(); ++i) {
    const RunState& state = states[i];
    ++counts[state.status];
    lines.push_back(named(study.runs[i]));
    lines.back().emplace_back(to_string(state.status));
    const bool done = state.status == RunStatus::Done;
    lines.back().push_back(done ? fmt::format("{:.2f} %", 100 * state.accuracy) : "");
    lines.back().push_back(done ? duration(state.seconds) : "");
    lines.back().push_back(state.reason);
  }
  std::string text = columns(lines) + "\n";
  for (const auto& [status, count] : counts)
    text += fmt::format("{}{} {}", text.ends_with('\n') ? "" : ", ", count, to_string(status));
  const double mean = mean_seconds(states);
  const int left = counts[RunStatus::Waiting] + counts[RunStatus::Running];
  if (left > 0 && mean > 0) text += fmt::format("; about {} of work left", duration(mean * left));
  return text + "\n";
}

Json states_json(const Study& study, const std::vector<RunState>& states) {
  Json json = plan_json(study);
  for (size_t i = 0; i < states.size(); ++i) {
    Json& run = json["runs"][i];
    run["status"] = to_string(states[i].status);
    if (states[i].status == RunStatus::Done) run["accuracy"] = states[i].accuracy, run["seconds"] = states[i].seconds;
    if (states[i].status == RunStatus::Failed) run["reason"] = states[i].reason;
  }
  return json;
}

}  // namespace nibble::lab
