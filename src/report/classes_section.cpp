#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.hpp"
#include "report/sections.hpp"

namespace nibble::report {
namespace {

constexpr size_t most_classes = 40;  ///< of a matrix: what can be told apart
constexpr size_t most_matrices = 4;  ///< those that differ most

/// How often examples of a class were taken for each, a run, over the runs of a combination.
struct Confusion {
  std::string name;
  std::vector<std::vector<double>> counts;  ///< [label][class]

  double of_label(size_t label) const {
    double sum = 0;
    for (double count : counts[label]) sum += count;
    return sum;
  }
  double share(size_t label) const { return counts[label][label] / of_label(label); }
};

void add(Confusion& confusion, const lab::Predictions& found, double weight) {
  for (size_t i = 0; i < std::min(found.labels.size(), found.classes.size()); ++i) {
    const auto label = static_cast<size_t>(found.labels[i]), decided = static_cast<size_t>(found.classes[i]);
    const size_t classes = std::max({confusion.counts.size(), label + 1, decided + 1});
    confusion.counts.resize(classes);
    for (auto& row : confusion.counts) row.resize(classes);
    confusion.counts[label][decided] += weight;
  }
}

std::vector<Confusion> confusions_of(const Findings& findings, lab::Database& store) {
  std::vector<Confusion> all;
  size_t classes = 0;
  for (const Combination& one : findings.combinations) {
    Confusion& confusion = all.emplace_back(Confusion{one.name, {}});
    for (const Json& run : one.runs)
      add(confusion, lab::predictions_of(store, run.at("run"), "ID"), 1.0 / static_cast<double>(one.runs.size()));
    classes = std::max(classes, confusion.counts.size());
  }
  for (Confusion& one : all) {
    one.counts.resize(classes);
    for (auto& row : one.counts) row.resize(classes);
  }
  return all;
}

/// A cell of two matrices that are not the same.
struct Change {
  size_t label, decided;
  double more;  ///< times a run
};

std::vector<Change> changes_of(const Confusion& one, const Confusion& base) {
  std::vector<Change> changes;
  for (size_t label = 0; label < one.counts.size(); ++label)
    for (size_t decided = 0; decided < one.counts.size(); ++decided)
      if (const double more = one.counts[label][decided] - base.counts[label][decided]; std::abs(more) > 1e-9)
        changes.push_back({label, decided, more});
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return std::abs(a.more) > std::abs(b.more); });
  return changes;
}

/// Classes that occur, at most so many: those whose share changes most.
std::vector<size_t> shown_classes(const std::vector<Confusion>& all, const Confusion& base) {
  std::vector<std::pair<double, size_t>> largest;
  for (size_t label = 0; label < base.counts.size(); ++label) {
    if (base.of_label(label) == 0) continue;
    double most = 0;
    for (const Confusion& one : all) most = std::max(most, std::abs(one.share(label) - base.share(label)));
    largest.emplace_back(-most, label);
  }
  std::stable_sort(largest.begin(), largest.end());
  if (largest.size() > most_classes) largest.resize(most_classes);
  std::vector<size_t> classes;
  for (const auto& [most, label] : largest) classes.push_back(label);
  std::sort(classes.begin(), classes.end());
  return classes;
}

/// Red below nothing, blue above, as far as the values of all panels go.
Json diverging(std::string_view field, std::string_view title, double most) {
  Json channel = quantity(field, title);
  channel["scale"] = {{"scheme", "redblue"}, {"domain", {-most, most}}};
  channel["legend"] = {{"orient", "bottom"}, {"gradientLength", 160}};
  return channel;
}

Chart classes_chart(const std::vector<Confusion>& all, const Confusion& base, const std::vector<size_t>& classes) {
  Json values = Json::array();
  double most = 0;
  for (const Confusion& one : all) {
    if (&one == &base) continue;
    for (size_t label : classes) most = std::max(most, 100 * std::abs(one.share(label) - base.share(label)));
    for (size_t label : classes)
      values.push_back({{"combination", one.name},
                        {"class", label},
                        {"points", rounded(100 * (one.share(label) - base.share(label)))}});
  }
  Json y = combination_axis("combination");
  y["axis"]["grid"] = false;
  const Json encoding = {
      {"x", {{"field", "class"}, {"type", "ordinal"}, {"title", "class"}, {"axis", {{"labelAngle", 0}}}}},
      {"y", y},
      {"color", diverging("points", "points", most)}};
  Json spec = layered(values, {layer(mark("rect", {{"tooltip", {{"content", "data"}}}}), encoding)},
                      static_cast<int>(34 * (all.size() - 1)));
  return {"Accuracy of each class, difference from '" + base.name + "'",
          "Points that each class gains or loses, means over runs. The table below has the shares.",
          {{"", std::move(spec)}}};
}

Table classes_table(const std::vector<Confusion>& all, const std::vector<size_t>& classes) {
  Table table{"Accuracy of each class, %", {"combination"}, {}, 1};
  for (size_t label : classes) table.columns.push_back(std::to_string(label));
  for (const Confusion& one : all) {
    auto& row = table.rows.emplace_back(std::vector<std::string>{one.name});
    for (size_t label : classes) row.push_back(fmt::format("{:.1f}", 100 * one.share(label)));
  }
  return table;
}

std::string described(const std::vector<Change>& changes) {
  std::string text;
  size_t told = 0;
  for (const Change& change : changes) {
    if (change.label == change.decided) continue;
    text +=
        fmt::format("{}{} taken for {} {:+.1f}", text.empty() ? "" : ", ", change.label, change.decided, change.more);
    if (++told == 3) break;
  }
  return text;
}

Chart matrices_chart(const std::vector<Confusion>& all, const Confusion& base, const std::vector<size_t>& classes) {
  struct Differing {
    const Confusion* one;
    std::vector<Change> changes;
    double size;
  };
  std::vector<Differing> differing;
  for (const Confusion& one : all) {
    std::vector<Change> changes = changes_of(one, base);
    double size = 0;
    for (const Change& change : changes) size += std::abs(change.more);
    if (size > 0) differing.push_back({&one, std::move(changes), size});
  }
  std::stable_sort(differing.begin(), differing.end(),
                   [](const Differing& a, const Differing& b) { return a.size > b.size; });
  if (differing.size() > most_matrices) differing.resize(most_matrices);
  double most = 0;
  for (const Differing& found : differing) most = std::max(most, std::abs(found.changes[0].more));
  Chart chart{"Confusions that differ most from those of '" + base.name + "'",
              "How often a run takes examples of a class for another, more (or less) than the baseline: ",
              {}};
  const char* separator = "";
  for (const Differing& found : differing) {
    Json values = Json::array();
    for (size_t label : classes)
      for (size_t decided : classes)
        values.push_back({{"label", label},
                          {"decided", decided},
                          {"more", rounded(found.one->counts[label][decided] - base.counts[label][decided])}});
    const Json encoding = {
        {"x", {{"field", "decided"}, {"type", "ordinal"}, {"title", "taken for"}, {"axis", {{"labelAngle", 0}}}}},
        {"y", {{"field", "label"}, {"type", "ordinal"}, {"title", "class"}}},
        {"color", diverging("more", "examples a run", most)}};
    chart.panels.push_back(
        {found.one->name, layered(values, {layer(mark("rect", {{"tooltip", {{"content", "data"}}}}), encoding)}, 240)});
    chart.text += separator + found.one->name + ": " + described(found.changes);
    separator = "; ";
  }
  chart.text += ".";
  return chart;
}

}  // namespace

Section classes_section(const Findings& findings, lab::Database& store) {
  Section section{"Classes", {}};
  if (findings.combinations.size() < 2) return section;
  const std::vector<Confusion> all = confusions_of(findings, store);
  if (all[0].counts.empty()) return section;
  const std::string& name = (findings.baseline() == nullptr ? findings.combinations[0] : *findings.baseline()).name;
  const auto base = std::find_if(all.begin(), all.end(), [&](const Confusion& one) { return one.name == name; });
  const std::vector<size_t> classes = shown_classes(all, *base);
  if (base->counts.size() > classes.size())
    section.blocks.emplace_back(
        fmt::format("Of {} classes the {} that change most.", base->counts.size(), classes.size()));
  section.blocks.emplace_back(classes_chart(all, *base, classes));
  section.blocks.emplace_back(classes_table(all, classes));
  Chart matrices = matrices_chart(all, *base, classes);
  if (!matrices.panels.empty()) section.blocks.emplace_back(std::move(matrices));
  return section;
}

}  // namespace nibble::report
