#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "verbs/goldens/golden_match.hpp"
#include "verbs/goldens/golden_network.hpp"
#include "verbs/rows.hpp"
#include "verbs/sources.hpp"
#include "verbs/tables/columns.hpp"

namespace nibble::verbs {
namespace {

bool in_network(const Finding& finding) {
  return !finding.value.empty();
}
bool equal(const Finding& finding) {
  return in_network(finding) && !finding.difference;
}
int64_t elements(const Finding& finding) {
  return static_cast<int64_t>(finding.recorded->tensor.size());
}
int64_t differing(const Finding& finding) {
  if (!in_network(finding)) return elements(finding);
  return finding.difference ? finding.difference->count : 0;
}

/// What was found in one golden folder.
struct Report {
  std::filesystem::path folder;
  std::string network;
  std::vector<Finding> findings;
  std::vector<std::string> unrecorded;  ///< outputs that nothing says anything of
  std::string error;                    ///< of a folder among several that cannot be run
  int64_t inferences = 1;

  int64_t count(bool (*holds)(const Finding&)) const { return std::count_if(findings.begin(), findings.end(), holds); }
  bool passes() const { return error.empty() && count(equal) == static_cast<int64_t>(findings.size()); }
};

std::string first_of(const Finding& finding) {
  if (!in_network(finding)) return "not in the network";
  if (!finding.difference) return "";
  const Difference& difference = *finding.difference;
  const std::string at = difference.index.empty() ? "" : to_string(difference.index) + ": ";
  return fmt::format("{}found {}, expected {}", at, difference.found, difference.expected);
}

std::string summary(const Report& report) {
  if (!report.error.empty()) return "error: " + report.error;
  int64_t all = 0, differ = 0;
  for (const Finding& finding : report.findings) all += elements(finding), differ += differing(finding);
  const auto tensors = static_cast<int64_t>(report.findings.size());
  const int64_t wrong = tensors - report.count(equal), missing = tensors - report.count(in_network);
  const std::string of = fmt::format("{} {}, {} elements", tensors, tensors == 1 ? "tensor" : "tensors", all);
  if (wrong == 0) return "equal: " + of;
  std::string text = fmt::format("differs: {} of {}; {} differ", wrong, of, differ);
  if (missing > 0) text += fmt::format("; {} not in the network", missing);
  return text;
}

std::string name_of(const Finding& finding, int64_t inferences) {
  if (inferences == 1) return finding.recorded->name;
  return fmt::format("{}: {}", finding.recorded->inference, finding.recorded->name);
}

std::string table_of(const Report& report) {
  Columns columns(
      {{"tensor"}, {"in the network"}, {"elements", Side::Right}, {"differing", Side::Right}, {"first difference"}});
  for (const Finding& finding : report.findings)
    columns.add({name_of(finding, report.inferences), in_network(finding) ? finding.value : "-",
                 std::to_string(elements(finding)), std::to_string(differing(finding)), first_of(finding)});
  std::string text = columns.text();
  for (const std::string& name : report.unrecorded) text += "output '" + name + "' is not recorded\n";
  return text + summary(report) + "\n";
}

Json to_json(const Finding& finding) {
  Json json = {{"name", finding.recorded->name},
               {"file", finding.recorded->file},
               {"inference", finding.recorded->inference},
               {"value", in_network(finding) ? Json(finding.value) : Json()},
               {"elements", elements(finding)},
               {"differing", differing(finding)},
               {"first_difference", nullptr}};
  if (finding.difference)
    json["first_difference"] = {{"index", finding.difference->index},
                                {"found", finding.difference->found},
                                {"expected", finding.difference->expected}};
  return json;
}

Json to_json(const Report& report) {
  Json json = {{"folder", report.folder.string()}, {"equal", report.passes()}};
  if (!report.error.empty()) {
    json["error"] = report.error;
    return json;
  }
  json["network"] = report.network;
  json["tensors"] = Json::array();
  for (const Finding& finding : report.findings) json["tensors"].push_back(to_json(finding));
  json["unrecorded_outputs"] = report.unrecorded;
  return json;
}

/// The findings point into `golden`.
Report check_folder(const Call& call, const std::filesystem::path& folder, GoldenFolder& golden) {
  golden = read_golden_folder(folder);
  const graph::Graph graph = read_golden_network(golden, read_options_of(call));
  const auto engine = engine_or_reference(call, graph).engine;
  Report report{folder,           golden.network.filename().string(), compare_goldens(golden, graph, *engine), {}, {},
                golden.inferences};
  for (graph::ValueId id : graph.outputs) {
    const auto of_output = [&](const Finding& finding) { return finding.value == graph[id].name; };
    if (std::none_of(report.findings.begin(), report.findings.end(), of_output))
      report.unrecorded.push_back(graph[id].name);
  }
  return report;
}

Result check_several(const Call& call, const std::vector<std::filesystem::path>& folders) {
  Result result;
  result.json = {{"equal", true}, {"folders", Json::array()}};
  Columns columns({{"folder"}, {"result"}});
  int64_t wrong = 0, unreadable = 0;
  for (const std::filesystem::path& folder : folders) {
    GoldenFolder golden;
    Report report;
    try {
      report = check_folder(call, folder, golden);
    } catch (const UserError& error) {
      report.folder = folder;
      report.error = error.what();
    }
    if (!report.error.empty()) ++unreadable;
    if (!report.passes()) ++wrong;
    columns.add({folder.lexically_relative(call.path("DIR")).string(), summary(report)});
    result.json["folders"].push_back(to_json(report));
  }
  result.json["equal"] = wrong == 0;
  const auto all = static_cast<int64_t>(folders.size());
  result.text =
      columns.text() + fmt::format("\n{} of {} {} equal\n", all - wrong, all, all == 1 ? "folder" : "folders");
  if (wrong > 0) result.exit_code = wrong == unreadable ? 2 : 1;
  return result;
}

}  // namespace

Result check(const Call& call) {
  const std::vector<std::filesystem::path> folders = golden_folders(call.path("DIR"));
  if (folders.size() > 1 || folders.front() != call.path("DIR")) return check_several(call, folders);
  GoldenFolder golden;
  const Report report = check_folder(call, folders.front(), golden);
  return {to_json(report), table_of(report), report.passes() ? 0 : 1};
}

}  // namespace nibble::verbs
