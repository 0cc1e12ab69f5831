#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/charts.hpp"
#include "report/sections.hpp"

namespace nibble::report {
namespace {

/// Of the runs of one line: what a seed's curve has at an epoch.
struct Band {
  double sum = 0, low = INFINITY, high = -INFINITY;
  int count = 0;
  void add(double value) {
    sum += value, ++count;
    low = std::min(low, value), high = std::max(high, value);
  }
};

/// What lines and panels are: the last factor's levels in colours, a panel for each combination of the others.
struct Split {
  std::string panel, line;
};

/// Factors that a phase of the training depends on: float networks only on those whose levels never share one.
std::vector<size_t> factors_of(const Findings& findings, bool is_float) {
  std::vector<size_t> factors;
  for (size_t i = 0; i < findings.study.design.factors.size(); ++i) {
    std::map<std::string, std::string> level_of;
    bool shared = false;
    for (const lab::StudyRun& run : findings.study.runs)
      shared |= level_of.emplace(run.float_hash, run.levels[i]).first->second != run.levels[i];
    if (!is_float || !shared) factors.push_back(i);
  }
  return factors;
}

Split split_of(const Findings& findings, const std::vector<size_t>& factors, const std::vector<std::string>& levels) {
  const auto named = [&](size_t factor) { return findings.study.design.factors[factor].name + " " + levels[factor]; };
  Split split;
  for (size_t i = 0; i + 1 < factors.size(); ++i) split.panel += (i == 0 ? "" : ", ") + named(factors[i]);
  split.line = factors.empty() ? "all runs" : named(factors.back());
  return split;
}

using Curves = std::map<int64_t, Band>;

/// By panel and line, in the design's order.
struct Panels {
  std::vector<std::string> panels, lines;
  std::map<std::pair<std::string, std::string>, Curves> curves;
  void add(const Split& split, int64_t epoch, double value) {
    if (std::find(panels.begin(), panels.end(), split.panel) == panels.end()) panels.push_back(split.panel);
    if (std::find(lines.begin(), lines.end(), split.line) == lines.end()) lines.push_back(split.line);
    curves[{split.panel, split.line}][epoch].add(value);
  }
};

/// By combination: rows of the view `curves`.
std::map<std::string, Json> curves_of(lab::Database& store, const std::string& phase) {
  std::map<std::string, Json> found;
  for (Json& row :
       lab::rows_of(store, "SELECT * FROM curves WHERE phase = ? ORDER BY seed, repeat, fold, epoch", phase))
    found[row.at("combination")].push_back(std::move(row));
  return found;
}

Panels panels_of(const Findings& findings, const std::vector<size_t>& factors,
                 const std::map<std::string, Json>& curves, const char* column) {
  Panels panels;
  for (const Combination& one : findings.combinations) {
    const auto found = curves.find(one.name);
    if (found == curves.end()) continue;
    for (const Json& row : found->second)
      if (row.at(column).is_number())
        panels.add(split_of(findings, factors, one.levels), row.at("epoch").get<int64_t>(),
                   row.at(column).get<double>());
  }
  return panels;
}

Json values_of(const Panels& panels, const std::string& panel, double factor) {
  Json values = Json::array();
  for (const std::string& line : panels.lines) {
    const auto found = panels.curves.find({panel, line});
    if (found == panels.curves.end()) continue;
    for (const auto& [epoch, band] : found->second)
      values.push_back({{"epoch", epoch},
                        {"line", line},
                        {"mean", rounded(factor * band.sum / band.count)},
                        {"low", rounded(factor * band.low)},
                        {"high", rounded(factor * band.high)}});
  }
  return values;
}

Json curve_spec(Json values, const std::string& title, const std::vector<std::string>& lines) {
  Json x = quantity("epoch", "epoch");
  x["axis"] = {{"tickMinStep", 1}, {"format", "d"}};
  const Json colours = colour("line", lines);
  Json band = layer(mark("area", {{"opacity", 0.25}}),
                    {{"x", x}, {"y", quantity("low", title)}, {"y2", {{"field", "high"}}}, {"color", colours}});
  Json line =
      layer(mark("line", {{"point", {{"size", 18}}}}), {{"x", x}, {"y", quantity("mean", title)}, {"color", colours}});
  return layered(std::move(values), {std::move(band), std::move(line)}, 200);
}

/// "after the last epoch: bits 8-8 97.10, ..."
std::string last_values(const Panels& panels, double factor, int decimals) {
  std::string text;
  for (const auto& [place, curves] : panels.curves) {
    const auto& [epoch, band] = *curves.rbegin();
    text += fmt::format("{}{}{}{} {:.{}f}", text.empty() ? "" : "; ", place.first, place.first.empty() ? "" : ", ",
                        place.second, factor * band.sum / band.count, decimals);
  }
  return text;
}

void add_charts(Section& section, const Findings& findings, lab::Database& store, const std::string& phase,
                const std::string& called) {
  const std::map<std::string, Json> curves = curves_of(store, phase);
  const std::vector<size_t> factors = factors_of(findings, phase == "float");
  struct Shown {
    const char *column, *title;
    double factor;
    int decimals;
  };
  const bool shares = findings.metric.more_is_better;
  std::vector<Shown> all{{"train_loss", "training loss", 1, 4}, {"test_loss", "test loss", 1, 4}};
  if (shares) all.insert(all.begin(), Shown{"test_accuracy", "test accuracy, %", 100, 2});
  for (const Shown& shown : all) {
    const Panels panels = panels_of(findings, factors, curves, shown.column);
    if (panels.curves.empty()) continue;
    Chart chart{called + ": " + shown.title,
                "Means over replicates; bands from the least to the greatest. After the last epoch: " +
                    last_values(panels, shown.factor, shown.decimals) + ".",
                {}};
    chart.legend = panels.lines;
    for (const std::string& panel : panels.panels)
      chart.panels.push_back({panel, curve_spec(values_of(panels, panel, shown.factor), shown.title, panels.lines)});
    section.blocks.emplace_back(std::move(chart));
  }
}

}  // namespace

Section training_section(const Findings& findings, lab::Database& store) {
  Section section{"Training", {}};
  add_charts(section, findings, store, "float", "Float networks");
  add_charts(section, findings, store, "quantised", "With quantisers");
  return section;
}

}  // namespace nibble::report
