#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/charts.hpp"
#include "report/sections.hpp"

namespace nibble::report {
namespace {

using Kind = Verdict::Kind;

std::string p_of(double p) {
  return p < 1e-4 ? "p < 0.0001" : fmt::format("p {:.4f}", p);
}

/// What a margin is in.
std::string_view unit_of(const Metric& metric) {
  return metric.more_is_better ? "points" : "%";
}

Kind kind_of(const Json& difference, const Findings& findings) {
  if (difference.contains("untested")) return Kind::Undecided;
  if (difference.value("equivalent", false)) return Kind::Equivalent;
  if (difference.at("p_adjusted").get<double>() > findings.answer.at("alpha").get<double>()) return Kind::Undecided;
  const bool is_more = difference.at("difference").get<double>() > 0;
  return is_more == findings.metric.more_is_better ? Kind::Gains : Kind::Loses;
}

/// "-5.90 points (95 % -6.80 to -5.00, p < 0.0001)"
std::string described(const Json& one, const Metric& metric) {
  if (one.contains("untested")) return one.at("untested");
  return fmt::format("{} {} (95 % {} to {}, {})", metric.signed_text(one.at("difference")), metric.of_difference,
                     metric.signed_text(one.at("interval")[0]), metric.signed_text(one.at("interval")[1]),
                     p_of(one.at("p_adjusted")));
}

/// "equivalent: bits 4-4, range mse: +0.02 points (...)"
void add_verdicts(Section& section, const Findings& findings) {
  for (const Kind kind : {Kind::Equivalent, Kind::Loses, Kind::Gains, Kind::Undecided})
    for (const Json& one : findings.answer.at("differences")) {
      if (kind_of(one, findings) != kind) continue;
      std::string text = one.at("name").get<std::string>() + ": " + described(one, findings.metric);
      if (kind == Kind::Equivalent)
        text += fmt::format("; within ±{} {}, {}", findings.answer.at("margin_points").get<double>(),
                            unit_of(findings.metric), p_of(one.at("equivalence_p_adjusted")));
      section.blocks.push_back(Verdict{kind, std::move(text)});
    }
}

/// How many of each, in one sentence.
std::string summary(const Findings& findings) {
  std::map<Kind, int> counts;
  for (const Json& one : findings.answer.at("differences")) ++counts[kind_of(one, findings)];
  const bool margin = findings.answer.contains("margin_points");
  std::string text = fmt::format("Against '{}' ", findings.answer.at("baseline").get<std::string>());
  text += "(" + findings.metric.described(findings.answer.at("baseline_value")) + ")";
  text += fmt::format(", of {} {}combination{}: ", findings.answer.at("differences").size(),
                      findings.baseline() == nullptr ? "" : "other ",
                      findings.answer.at("differences").size() == 1 ? "" : "s");
  if (margin)
    text += fmt::format("{} equivalent within ±{} {}, ", counts[Kind::Equivalent],
                        findings.answer.at("margin_points").get<double>(), unit_of(findings.metric));
  return text + fmt::format("{} lose, {} gain, {} undecided.", counts[Kind::Loses], counts[Kind::Gains],
                            counts[Kind::Undecided]);
}

std::string how(const Findings& findings) {
  const Json& answer = findings.answer;
  const size_t count = answer.at("differences").size();
  std::string text = fmt::format(
      "{}: {} Each p is corrected for {} comparison{} by Holm's method; the level is {} %. An interval is of its "
      "comparison "
      "alone.",
      answer.at("test").at("name").get<std::string>(), answer.at("test").at("reason").get<std::string>(), count,
      count == 1 ? "" : "s", 100 * answer.at("alpha").get<double>());
  text += answer.contains("margin_points")
              ? " Equivalent: the difference is shown to lie within the margin, which was stated before. Undecided: "
                "neither a difference nor its absence is shown."
              : " No margin was stated, so nothing is called equivalent: that a difference is not significant shows "
                "nothing (--margin POINTS asks).";
  return text;
}

Json difference_values(const Findings& findings) {
  Json values = Json::array();
  for (const Json& one : findings.answer.at("differences")) {
    if (one.contains("untested")) continue;
    const auto number = [&](const Json& share) { return rounded(findings.metric.difference(share.get<double>())); };
    values.push_back({{"combination", one.at("name")},
                      {"difference", number(one.at("difference"))},
                      {"low", number(one.at("interval")[0])},
                      {"high", number(one.at("interval")[1])},
                      {"verdict", name_of(kind_of(one, findings))}});
  }
  return values;
}

Chart differences_chart(const Findings& findings) {
  const Json values = difference_values(findings);
  const std::string title = "difference, " + findings.metric.of_difference;
  Json x = quantity("difference", title), from = quantity("low", title);
  double widest = 0;
  for (const Json& value : values) widest = std::max(widest, std::abs(value.value("difference", 0.0)));
  // Percents of a baseline know no end: as they are up to 10, by their logarithm beyond.
  if (!findings.metric.more_is_better && widest > 100)
    for (Json* channel : {&x, &from}) {
      (*channel)["scale"] = {{"type", "symlog"}, {"constant", 10}, {"nice", false}};
      (*channel)["axis"] = {{"values", {-100, -30, -10, -3, 0, 3, 10, 30, 100, 300, 1000, 3000}}};
    }
  const Json y = combination_axis("combination");
  Json layers = Json::array();
  const Json once = {{"values", {Json::object()}}};
  if (findings.answer.contains("margin_points")) {
    const double margin = findings.answer.at("margin_points");
    Json band = layer(mark("rect", {{"color", "#9fb8ad"}, {"opacity", 0.35}}),
                      {{"x", {{"datum", -margin}, {"type", "quantitative"}}}, {"x2", {{"datum", margin}}}});
    band["data"] = once;
    layers.push_back(std::move(band));
  }
  Json zero = layer(mark("rule", {{"color", "#555"}}), {{"x", {{"datum", 0}, {"type", "quantitative"}}}});
  zero["data"] = once;
  layers.push_back(std::move(zero));
  layers.push_back(layer(mark("rule", {{"strokeWidth", 2}, {"color", "#777"}}),
                         {{"x", from}, {"x2", {{"field", "high"}}}, {"y", y}}));
  Json verdict = name("verdict", "");
  verdict["title"] = nullptr;
  verdict["legend"] = {{"orient", "bottom"}, {"columns", 2}};
  Json shape = verdict;
  verdict["scale"] = {{"domain", {"equivalent", "gains", "loses", "undecided"}},
                      {"range", {"#2a7f62", "#1f5fa8", "#b3341f", "#777777"}}};
  shape["scale"] = {{"domain", {"equivalent", "gains", "loses", "undecided"}},
                    {"range", {"circle", "triangle-up", "triangle-down", "diamond"}}};
  layers.push_back(layer(mark("point", {{"filled", true}, {"size", 90}, {"opacity", 1}}),
                         {{"x", x}, {"y", y}, {"color", verdict}, {"shape", shape}}));
  const size_t step = std::max<size_t>(26, 13 * findings.study.design.factors.size() + 12);
  Json spec = layered(values, layers, static_cast<int>(step * values.size()));
  return {"Differences from the baseline",
          "Each point is a combination's difference from the baseline with its 95 % interval" +
              std::string(findings.answer.contains("margin_points") ? "; the band is the margin" : "") +
              ". The lines above say them in numbers.",
          {{"", std::move(spec)}}};
}

std::string interval_text(const Json& variant, const Metric& metric) {
  return variant.contains("interval")
             ? metric.text(variant.at("interval")[0]) + " to " + metric.text(variant.at("interval")[1])
             : "-";
}

Table combinations_table(const Findings& findings) {
  Table table{"Every combination",
              {"combination", "runs", findings.metric.name, "95 %", "float", "weights, bytes", "latency, ms"},
              {},
              1};
  std::map<std::string, Json> variants;
  if (findings.answer.is_object())
    for (const Json& variant : findings.answer.at("variants")) variants[variant.at("name")] = variant;
  for (const Combination& one : findings.combinations) {
    const auto variant = variants.find(one.name);
    const double latency = one.mean("latency");
    table.rows.push_back({one.name, std::to_string(one.runs.size()), findings.metric.text(one.mean("value")),
                          variant == variants.end() ? "-" : interval_text(variant->second, findings.metric),
                          findings.metric.text(one.mean("float_value")),
                          fmt::format("{:.0f}", one.mean("weight_bytes")),
                          std::isfinite(latency) ? fmt::format("{:.3f}", 1e3 * latency) : "-"});
  }
  return table;
}

}  // namespace

Section answer_section(const Findings& findings) {
  Section section{"Answer", {}};
  if (findings.answer.is_object()) {
    section.blocks.emplace_back(summary(findings));
    add_verdicts(section, findings);
    for (const Json& name : findings.answer.at("missing"))
      section.blocks.push_back(Verdict{Kind::Note, "left out, runs missing: " + name.get<std::string>()});
    section.blocks.emplace_back(how(findings));
    if (!difference_values(findings).empty()) section.blocks.emplace_back(differences_chart(findings));
  } else {
    section.blocks.push_back(Verdict{Kind::Note, "Nothing is compared yet: " + findings.no_answer});
  }
  if (!findings.combinations.empty()) section.blocks.emplace_back(combinations_table(findings));
  return section;
}

}  // namespace nibble::report
