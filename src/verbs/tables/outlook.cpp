#include "verbs/tables/outlook.hpp"

#include <fmt/format.h>

#include "verbs/tables/columns.hpp"

namespace nibble::verbs {
namespace {

std::string points(const Json& row, const char* key) {
  return row.contains(key) ? fmt::format("{:.2f}", row[key].get<double>()) : "-";
}
std::string number(const Json& row, const char* key) {
  return row.contains(key) ? fmt::format("{:.0f}", row[key].get<double>()) : "-";
}

std::string case_of(const Json& row) {
  if (row.contains("disagreement")) return fmt::format("{:.3g} % disagree", 100 * row["disagreement"].get<double>());
  return fmt::format("deviation {:.2g}{}", row["deviation_points"].get<double>(),
                     row.contains("measured") ? ", as measured" : "");
}

/// One of the outlook's parts.
std::string describe_part(const Json& part, const Json& outlook) {
  const std::string by = part["by"] == "examples" ? "test examples" : part["by"].get<std::string>();
  if (part.contains("reason"))
    return "what the test set can tell is not known here: " + part["reason"].get<std::string>() + "\n";
  const bool margin = outlook.contains("margin_points"), counts = margin && part["by"] != "folds";
  std::vector<Column> titles{
      {fmt::format("{:.0f} {}", part["count"].get<double>(), by)}, {"tell, points"}, {"prove within"}};
  if (margin) titles.push_back({fmt::format("{}?", outlook["margin_points"].get<double>())});
  if (counts) titles.insert(titles.end(), {{"to tell it"}, {"to prove it"}});
  Columns columns(titles);
  for (const Json& row : part["rows"]) {
    std::vector<std::string> cells{case_of(row), points(row, "tells_points"), points(row, "proves_points")};
    if (margin) cells.push_back(row["proves_points"] <= outlook["margin_points"] ? "yes" : "no");
    if (counts) cells.insert(cells.end(), {number(row, "to_tell"), number(row, "to_prove")});
    columns.add(std::move(cells));
  }
  return columns.text();
}

}  // namespace

std::string duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  if (seconds < 5400) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string describe_outlook(const Json& outlook) {
  std::string text = fmt::format("what two combinations can tell, with a power of {:.0f} % at {:.0f} %:\n",
                                 100 * outlook["power"].get<double>(), 100 * outlook["alpha"].get<double>());
  for (const Json& part : outlook["parts"]) text += describe_part(part, outlook);
  return text;
}

}  // namespace nibble::verbs
