#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/charts.hpp"
#include "report/sections.hpp"

namespace nibble::report {
namespace {

constexpr int64_t most_points = 40;  ///< of a curve: what a chart of this size shows

/// Which epochs are drawn: evenly spaced, the last among them.
bool is_drawn(int64_t epoch, int64_t last) {
  const int64_t step = (last + most_points - 1) / most_points;
  return (last - epoch) % std::max<int64_t>(step, 1) == 0;
}

/// A quantiser's rows of one combination and epoch, over its replicates.
Json rows_of(lab::Database& store) {
  return lab::rows_of(store,
                      "SELECT combination, quantiser, min(place) AS place, epoch, avg(low) AS low, avg(high) AS high, "
                      "min(scale_min) AS scale_min, max(scale_max) AS scale_max, avg(scale_max) AS scale, "
                      "max(below + above) AS outside FROM quantisers JOIN combinations ON run = training "
                      "WHERE is_on GROUP BY combination, quantiser, epoch ORDER BY place, quantiser, epoch");
}

/// By quantiser, in the network's order.
struct OfQuantiser {
  std::string name;
  Json rows = Json::array();
};

std::vector<OfQuantiser> grouped(const Json& rows, const std::vector<std::string>& combinations) {
  std::vector<OfQuantiser> all;
  std::map<std::string, size_t> known;
  for (const Json& row : rows) {
    const auto [found, is_new] = known.emplace(row.at("quantiser"), all.size());
    if (is_new) all.push_back({row.at("quantiser"), Json::array()});
    all[found->second].rows.push_back(row);
  }
  const auto place = [&](const Json& row) {
    return std::find(combinations.begin(), combinations.end(), row.at("combination").get<std::string>());
  };
  for (OfQuantiser& one : all)
    std::stable_sort(one.rows.begin(), one.rows.end(),
                     [&](const Json& a, const Json& b) { return place(a) < place(b); });
  return all;
}

Json drawn(const Json& rows, const std::map<std::string, int64_t>& last) {
  Json values = Json::array();
  for (const Json& row : rows) {
    if (!is_drawn(row.at("epoch"), last.at(row.at("combination")))) continue;
    Json value = {{"epoch", row.at("epoch")}, {"combination", row.at("combination")}};
    for (const char* column : {"low", "high", "scale", "scale_min", "scale_max"})
      value[column] = row.at(column).is_number() ? rounded(row.at(column).get<double>()) : Json();
    values.push_back(std::move(value));
  }
  return values;
}

Json range_spec(const Json& values, const Json& colours) {
  Json x = quantity("epoch", "epoch");
  x["axis"] = {{"tickMinStep", 1}, {"format", "d"}, {"tickCount", 4}};
  const Json low = {{"x", x}, {"y", quantity("low", "range")}, {"color", colours}};
  Json high = low;
  high["y"] = quantity("high", "range");
  return layered(values, {layer(mark("line"), low), layer(mark("line"), high)}, 110);
}

Json scale_spec(const Json& values, const Json& colours) {
  Json x = quantity("epoch", "epoch");
  x["axis"] = {{"tickMinStep", 1}, {"format", "d"}, {"tickCount", 4}};
  Json y = quantity("scale", "scale");
  y["scale"] = {{"type", "log"}, {"nice", false}};
  y["axis"] = {{"format", ".2~g"}, {"tickCount", 4}};
  return layered(values, {layer(mark("line"), {{"x", x}, {"y", y}, {"color", colours}})}, 110);
}

}  // namespace

Section quantisers_section(const Findings& findings, lab::Database& store) {
  Section section{"Quantisers", {}};
  const Json rows = rows_of(store);
  if (rows.empty()) return section;
  std::map<std::string, int64_t> last;  // by combination
  for (const Json& row : rows)
    last[row.at("combination")] = std::max(last[row.at("combination")], row.at("epoch").get<int64_t>());
  std::vector<std::string> names;
  for (const Combination& one : findings.combinations) names.push_back(one.name);
  Chart ranges{"Ranges",
               "What each quantiser lets through, its least and its greatest value over all channels, by epoch; means "
               "over replicates. The table below has them after the last epoch.",
               {}};
  Chart scales{"Scales",
               "The step between two levels of each quantiser, the greatest of its channels, by epoch; means over "
               "replicates.",
               {}};
  Table table{"After the last epoch",
              {"quantiser", "combination", "low", "high", "least scale", "greatest scale", "outside, %"},
              {},
              2};
  ranges.legend = scales.legend = names;
  for (const OfQuantiser& one : grouped(rows, names)) {
    const Json colours = colour("combination", names);
    const Json values = drawn(one.rows, last);
    ranges.panels.push_back({one.name, range_spec(values, colours)});
    scales.panels.push_back({one.name, scale_spec(values, colours)});
    for (const Json& row : one.rows) {
      if (row.at("epoch") != last.at(row.at("combination"))) continue;
      const auto number = [&](const char* column, double factor = 1) {
        return row.at(column).is_number() ? fmt::format("{:.4g}", factor * row.at(column).get<double>()) : "-";
      };
      table.rows.push_back({one.name, row.at("combination"), number("low"), number("high"), number("scale_min"),
                            number("scale_max"), number("outside", 100)});
    }
  }
  section.blocks.emplace_back(std::move(ranges));
  section.blocks.emplace_back(std::move(scales));
  section.blocks.emplace_back(std::move(table));
  return section;
}

}  // namespace nibble::report
