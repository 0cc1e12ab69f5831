#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/charts.hpp"
#include "report/sections.hpp"

namespace nibble::report {
namespace {

/// Runs whose combination has the level (and the other factor's level), mean by mean of a replicate.
struct LevelMean {
  double mean = NAN;
  double low = NAN, high = NAN;  ///< 95 % over replicates, where there are several and they differ
};

std::string replicate_of(const Json& run) {
  return run.at("seed").dump() + " " + run.at("repeat").dump() + " " + run.at("fold").dump();
}

/// A factor's levels along x.
Json levels_axis(std::string_view field, const lab::Factor& factor) {
  Json channel = name(field, factor.name);
  size_t longest = 0;
  for (const lab::Factor::Level& level : factor.levels) longest = std::max(longest, level.name.size());
  channel["axis"] = {{"labelAngle", longest * factor.levels.size() <= 30 ? 0 : -40}};
  return channel;
}

LevelMean mean_where(const Findings& findings, const auto& holds) {
  std::map<std::string, std::pair<double, int>> sums;
  for (const Combination& one : findings.combinations) {
    if (!holds(one.levels)) continue;
    for (const Json& run : one.runs) {
      auto& [sum, count] = sums[replicate_of(run)];
      sum += run.at("value").get<double>(), ++count;
    }
  }
  std::vector<double> means;
  for (const auto& [replicate, sum] : sums) means.push_back(sum.first / sum.second);
  LevelMean level;
  if (means.empty()) return level;
  level.mean = 0;
  for (double mean : means) level.mean += mean / static_cast<double>(means.size());
  if (std::adjacent_find(means.begin(), means.end(), std::not_equal_to<>()) == means.end()) return level;
  const Json blocks = findings.answer.is_object() ? findings.answer.value("blocks", Json::object()) : Json::object();
  const auto interval = lab::interval_of_mean(means, !findings.metric.more_is_better, blocks);
  level.low = interval.low, level.high = interval.high;
  return level;
}

/// Whether every pair of levels of two factors stands in equally many runs: then a level's mean is not also another's.
bool is_balanced(const Findings& findings) {
  const size_t factors = findings.study.design.factors.size();
  for (size_t i = 0; i < factors; ++i)
    for (size_t k = 0; k < i; ++k) {
      std::map<std::pair<std::string, std::string>, size_t> counts;
      for (const lab::Factor::Level& a : findings.study.design.factors[i].levels)
        for (const lab::Factor::Level& b : findings.study.design.factors[k].levels) counts[{a.name, b.name}] = 0;
      for (const Combination& one : findings.combinations) counts[{one.levels[i], one.levels[k]}] += one.runs.size();
      for (const auto& [levels, count] : counts)
        if (count == 0 || count != counts.begin()->second) return false;
    }
  return true;
}

Json values_of_factor(const Findings& findings, size_t factor, Table& table) {
  Json values = Json::array();
  for (const lab::Factor::Level& level : findings.study.design.factors[factor].levels) {
    const LevelMean mean =
        mean_where(findings, [&](const std::vector<std::string>& levels) { return levels[factor] == level.name; });
    const Metric& metric = findings.metric;
    values.push_back({{"level", level.name},
                      {"mean", rounded(metric.number(mean.mean))},
                      {"low", rounded(metric.number(mean.low))},
                      {"high", rounded(metric.number(mean.high))}});
    table.rows.push_back({findings.study.design.factors[factor].name, level.name, metric.text(mean.mean),
                          std::isfinite(mean.low) ? metric.text(mean.low) + " to " + metric.text(mean.high) : "-"});
  }
  return values;
}

Chart main_effects(const Findings& findings, Table& table) {
  Chart chart{"Main effects",
              "Mean of every run with a level, whatever the other factors are; bars are 95 % over replicates. "
              "The table below has the numbers.",
              {}};
  for (size_t i = 0; i < findings.study.design.factors.size(); ++i) {
    const Json x = levels_axis("level", findings.study.design.factors[i]);
    const Json values = values_of_factor(findings, i, table);
    const Json y = quantity("mean", findings.metric.name), low = quantity("low", findings.metric.name);
    Json layers = {layer(mark("line", {{"color", "#9ab"}}), {{"x", x}, {"y", y}}),
                   layer(mark("rule", {{"strokeWidth", 2}, {"color", "#667"}}),
                         {{"x", x}, {"y", low}, {"y2", {{"field", "high"}}}}),
                   layer(mark("point", {{"filled", true}, {"size", 70}, {"opacity", 1}}), {{"x", x}, {"y", y}})};
    chart.panels.push_back({"", layered(values, layers, 180)});
  }
  return chart;
}

Chart interactions(const Findings& findings) {
  Chart chart{
      "Interactions of two factors",
      "Lines that run side by side: the factors act by themselves. Lines that come closer, part or cross: what one "
      "does depends on the other.",
      {}};
  const auto& factors = findings.study.design.factors;
  for (size_t i = 0; i < factors.size(); ++i)
    for (size_t k = i + 1; k < factors.size(); ++k) {
      Json values = Json::array();
      std::vector<std::string> names;
      for (const auto& of_k : factors[k].levels) {
        names.push_back(of_k.name);
        for (const auto& of_i : factors[i].levels) {
          const LevelMean mean = mean_where(findings, [&](const std::vector<std::string>& levels) {
            return levels[i] == of_i.name && levels[k] == of_k.name;
          });
          values.push_back(
              {{"x", of_i.name}, {"line", of_k.name}, {"mean", rounded(findings.metric.number(mean.mean))}});
        }
      }
      Json legend = colour("line", names);
      legend["title"] = factors[k].name, legend["legend"] = {{"orient", "bottom"}, {"columns", 4}};
      const Json encoding = {
          {"x", levels_axis("x", factors[i])}, {"y", quantity("mean", findings.metric.name)}, {"color", legend}};
      chart.panels.push_back({"", layered(values, {layer(mark("line", {{"point", {{"size", 50}}}}), encoding)}, 200)});
    }
  return chart;
}

std::string p_text(const Json& p) {
  return p.get<double>() < 1e-4 ? "< 0.0001" : fmt::format("{:.4f}", p.get<double>());
}

Table variance_table(const Json& rows) {
  Table table{"Analysis of variance, type II, replicates as blocks",
              {"effect", "sum of squares", "df", "F", "p", "partial omega squared"},
              {},
              1};
  for (const Json& row : rows) {
    const bool has_f = row.contains("f") && row.at("df") != 0;
    table.rows.push_back({row.at("term"), fmt::format("{:.4g}", row.at("sum_of_squares").get<double>()),
                          row.at("df").dump(), has_f ? fmt::format("{:.3f}", row.at("f").get<double>()) : "-",
                          has_f ? p_text(row.at("p")) : "-",
                          has_f ? fmt::format("{:.3f}", row.at("partial_omega_squared").get<double>()) : "-"});
  }
  return table;
}

}  // namespace

Section effects_section(const Findings& findings) {
  Section section{"Effects", {}};
  if (findings.study.design.factors.size() < 2 || findings.combinations.size() < 2) return section;
  if (is_balanced(findings)) {
    Table table{"Means of levels", {"factor", "level", findings.metric.name, "95 %"}, {}, 2};
    section.blocks.emplace_back(main_effects(findings, table));
    section.blocks.emplace_back(interactions(findings));
    section.blocks.emplace_back(std::move(table));
  } else {
    section.blocks.emplace_back(
        "Levels do not stand in equally many runs with each other's: a level's mean would also be another factor's, so "
        "none "
        "is drawn.");
  }
  if (findings.answer.is_object() && findings.answer.contains("anova") && findings.answer.at("anova").contains("rows"))
    section.blocks.emplace_back(variance_table(findings.answer.at("anova").at("rows")));
  return section;
}

}  // namespace nibble::report
