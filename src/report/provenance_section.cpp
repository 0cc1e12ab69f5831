#include <fmt/format.h>

#include <map>

#include "report/sections.hpp"

namespace nibble::report {
namespace {

std::string counts(const Findings& findings) {
  std::map<lab::RunStatus, int> of;
  for (const lab::RunState& state : findings.states) ++of[state.status];
  std::string text = fmt::format("{} runs: ", findings.states.size());
  const char* comma = "";
  for (const auto& [status, count] : of) {
    text += fmt::format("{}{} {}", comma, count, to_string(status));
    comma = ", ";
  }
  const lab::Design& design = findings.study.design;
  text += fmt::format(". Design: {}", design.kind);
  for (const lab::Factor& factor : design.factors) {
    text += fmt::format("; {} (", factor.name);
    for (size_t i = 0; i < factor.levels.size(); ++i) text += (i == 0 ? "" : ", ") + factor.levels[i].name;
    text += ")";
  }
  return text + ".";
}

Table table_of(lab::Database& store, std::string title, const std::string& sql) {
  Table table{std::move(title), {}, {}, 2};
  for (const Json& row : lab::rows_of(store, sql)) {
    auto& cells = table.rows.emplace_back();
    table.columns.clear();
    for (const auto& [column, cell] : row.items()) {
      table.columns.push_back(column);
      cells.push_back(cell.is_string() ? cell.get<std::string>() : cell.dump());
    }
  }
  return table;
}

std::string command(const Findings& findings) {
  std::string text = "nibble lab study.json --out run\nnibble lab report run -o report.html";
  if (findings.question.margin) text += fmt::format(" --margin {}", *findings.question.margin);
  if (!findings.question.baseline.empty()) text += " --baseline '" + findings.question.baseline + "'";
  return text + "\n";
}

}  // namespace

Section provenance_section(const Findings& findings, lab::Database& store) {
  Section section{"Where this comes from", {}};
  section.blocks.emplace_back(counts(findings));
  Table failed = table_of(store, "Runs that failed", "SELECT combination, reason, seed, machine FROM failures");
  if (!failed.rows.empty()) section.blocks.emplace_back(std::move(failed));
  Table versions = table_of(store, "Versions",
                            "SELECT name, version, count(*) AS runs FROM versions JOIN runs "
                            "ON owner = hash GROUP BY name, version ORDER BY name, version");
  if (!versions.rows.empty()) section.blocks.emplace_back(std::move(versions));
  Table machines = table_of(store, "Machines",
                            "SELECT machine, count(*) AS runs, round(sum(seconds), 1) AS seconds FROM runs "
                            "GROUP BY machine ORDER BY machine");
  machines.texts = 1;
  if (!machines.rows.empty()) section.blocks.emplace_back(std::move(machines));
  section.blocks.emplace_back(
      Listing{"The command, with the description below beside what it names", command(findings)});
  section.blocks.emplace_back(Listing{"The description, study.json", findings.description});
  return section;
}

}  // namespace nibble::report
