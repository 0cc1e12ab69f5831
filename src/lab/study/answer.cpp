#include "lab/study/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "lab/study/execute.hpp"
#include "lab/study/measured.hpp"
#include "stats/choice.hpp"
#include "stats/designs/anova.hpp"
#include "stats/multiplicity.hpp"
#include "stats/pairs/means.hpp"

namespace nibble::lab {
namespace {

/// Points of percent on both sides of 0, as shares; of errors percent of the baseline's.
stats::ConfidenceInterval within(const std::optional<double>& margin, double of) {
  return margin ? stats::ConfidenceInterval{-*margin / 100 * of, *margin / 100 * of} : stats::ConfidenceInterval{};
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Json blocks_json(const Measured& all) {
  Json blocks = {{"kind", all.by_folds ? "folds" : "seeds"}, {"count", all.combinations.front().outcomes.size()}};
  if (all.by_folds) blocks["train"] = all.train, blocks["test"] = all.test;
  return blocks;
}

Json variant_json(const Json& blocks, const Combination& one) {
  Json json = {{"name", one.name}, {"runs", one.outcomes.size()}};
  json[one.is_error ? "error" : "accuracy"] = mean_of(one.outcomes);
  json["weight_bytes"] = one.weight_bytes;
  if (one.to_float.is_object()) json["to_float"] = one.to_float;
  const bool spread =
      std::adjacent_find(one.outcomes.begin(), one.outcomes.end(), std::not_equal_to<>()) != one.outcomes.end();
  if (one.outcomes.size() == 1)
    json["interval"] = {one.low, one.high};
  else if (spread) {
    const auto interval = interval_of_mean(one.outcomes, one.is_error, blocks);
    json["interval"] = {interval.low, interval.high};
  }
  if (!one.choices.empty()) json["choices"] = one.choices;
  return json;
}

const std::vector<double>& values_of(const Combination& one, bool by_example) {
  return by_example ? one.examples : one.outcomes;
}

/// What combinations are compared with: one of them, or each with the float network that it was made of.
struct Baseline {
  std::string name;
  const Combination* one;  ///< null: the float networks
  double value;            ///< its mean; the mean of all float networks

  /// The pairs of a combination: its values, and the baseline's. Errors against float networks of several errors are
  /// brought to one size: shares of them stay what they are.
  std::vector<std::vector<double>> pairs(const Combination& other, bool by_example) const {
    if (one != nullptr) return {values_of(other, by_example), values_of(*one, by_example)};
    std::vector<std::vector<double>> both{values_of(other, by_example),
                                          by_example ? other.float_examples : other.float_outcomes};
    const double factor = other.is_error ? value / mean_of(other.float_outcomes) : 1;
    if (factor != 1)
      for (std::vector<double>& values : both)
        for (double& x : values) x *= factor;
    return both;
  }
};

stats::Comparison comparison_of(const Measured& all, const Baseline& baseline, const Question& question,
                                size_t variants) {
  stats::Comparison comparison;
  const std::vector<Combination>& combinations = all.combinations;
  const bool by_example = combinations.front().outcomes.size() == 1, errors = combinations.front().is_error;
  comparison.outcome = !by_example ? stats::Outcome::per_run
                       : errors    ? stats::Outcome::error_per_example
                                   : stats::Outcome::per_example;
  comparison.groups = combinations.front().groups;
  comparison.pairing = all.by_folds ? stats::Pairing::folds : stats::Pairing::seeds;
  comparison.train = all.train, comparison.test = all.test;
  comparison.variants = variants;
  comparison.values = values_of(combinations.front(), by_example).size();
  comparison.alpha = question.alpha;
  if (variants == 2) comparison.margin = within(question.margin, errors ? baseline.value : 1);
  return comparison;
}

/// Each other combination against the baseline; what cannot be tested says why.
Json differences_json(const Measured& measured, const Baseline& baseline, const Question& question) {
  const std::vector<Combination>& all = measured.combinations;
  const bool by_example = all.front().outcomes.size() == 1;
  const stats::Comparison comparison = comparison_of(measured, baseline, question, 2);
  Json list = Json::array();
  std::vector<double> p, equivalence;
  for (const Combination& other : all) {
    if (&other == baseline.one) continue;
    Json one = {{"name", other.name}};
    try {
      const stats::Answer answer = stats::compare(comparison, baseline.pairs(other, by_example));
      const stats::PairAnswer& pair = answer.pairs.at(0);
      one["difference"] = pair.difference;
      one["interval"] = {pair.interval.low, pair.interval.high};
      one["p"] = pair.p;
      p.push_back(pair.p);
      if (question.margin) {
        one["equivalence_interval"] = {answer.equivalence_interval.low, answer.equivalence_interval.high};
        equivalence.push_back(answer.equivalence_p);
      }
    } catch (const UserError& error) {
      one["untested"] = error.what();
    }
    list.push_back(std::move(one));
  }
  const std::vector<double> adjusted = stats::holm(p), equivalent = stats::holm(equivalence);
  size_t at = 0;
  for (Json& one : list) {
    if (!one.contains("p")) continue;
    one["p_adjusted"] = adjusted[at];
    if (question.margin) {
      one["equivalence_p_adjusted"] = equivalent[at];
      one["equivalent"] = equivalent[at] <= question.alpha;
    }
    ++at;
  }
  return list;
}

/// Main effects and interactions of two, seeds as blocks; absent where the design does not allow it.
Json anova_json(const Measured& measured) {
  const std::vector<Combination>& all = measured.combinations;
  const size_t seeds = all.front().outcomes.size(), factors = measured.design.factors.size();
  if (factors < 2 || seeds < 2) return {};
  if (measured.by_folds)
    return {{"untested", "folds share training data: F would find too much; differences are tested one by one"}};
  std::vector<double> outcomes;
  std::vector<std::vector<std::string>> levels(factors + 1);
  for (const Combination& one : all)
    for (size_t seed = 0; seed < seeds; ++seed) {
      outcomes.push_back(100 * one.outcomes[seed]);
      for (size_t i = 0; i < factors; ++i) levels[i].push_back(one.levels[i]);
      levels[factors].push_back(std::to_string(seed));
    }
  stats::Design design;
  for (size_t i = 0; i < factors; ++i)
    design.factors.push_back(stats::factor(measured.design.factors[i].name, levels[i]));
  design.terms = stats::interactions(factors, 2);
  design.factors.push_back(stats::factor("seed", levels[factors]));
  design.terms.insert(design.terms.begin() + static_cast<ptrdiff_t>(factors), {factors});
  try {
    const stats::Anova anova = stats::analyse_variance(design, outcomes, stats::SumsOfSquares::hierarchical);
    Json rows = Json::array();
    for (const stats::AnovaRow& row : anova.rows)
      rows.push_back({{"term", row.term},
                      {"sum_of_squares", row.sum_of_squares},
                      {"df", row.df},
                      {"f", row.f},
                      {"p", row.p},
                      {"partial_omega_squared", row.partial_omega_squared}});
    rows.push_back(
        {{"term", "residual"}, {"sum_of_squares", anova.residual_sum_of_squares}, {"df", anova.residual_df}});
    return {{"type", "II"}, {"unit", "points squared"}, {"rows", rows}};
  } catch (const UserError& error) {
    return {{"untested", error.what()}};
  }
}

Baseline baseline_of(const std::vector<Combination>& all, const std::string& name) {
  std::vector<std::string> names{"float"};
  for (const Combination& one : all) {
    if (name.empty() || one.name == name) return {one.name, &one, mean_of(one.outcomes)};
    names.push_back(one.name);
  }
  if (name != names.front())
    fail("lab", "--baseline", "no combination '" + name + "'" + did_you_mean(name, names),
         "float, or one of the table's");
  double sum = 0;
  for (const Combination& one : all) sum += mean_of(one.float_outcomes);
  return {name, nullptr, sum / static_cast<double>(all.size())};
}

}  // namespace

stats::ConfidenceInterval interval_of_mean(const std::vector<double>& outcomes, bool are_errors, const Json& blocks) {
  const bool by_folds = blocks.value("kind", "seeds") == "folds";  // whose training parts overlap
  const stats::ConfidenceInterval interval =
      by_folds ? stats::corrected_resampled_t(outcomes, blocks.at("train"), blocks.at("test")).interval
               : stats::one_sample_t(outcomes).interval;
  return {std::max(interval.low, 0.0), are_errors ? interval.high : std::min(interval.high, 1.0)};
}

Json answer_json(const std::filesystem::path& out, const Question& question) {
  const Study study = recorded_study(out);
  const Measured found = measured(study, out);
  const std::vector<Combination>& all = found.combinations;
  Json answer = {{"name", study.name}, {"missing", found.missing}};
  const bool one_way = found.design.factors.empty() && !all.empty();  // every factor is chosen inside the folds
  const bool one_will_do = one_way || (question.baseline == "float" && !all.empty());
  if (all.size() < 2 && !one_will_do)
    fail("lab", out.string(), fmt::format("{} whole combinations", all.size()),
         found.by_folds ? "at least two, every fold done" : "at least two, every seed done");
  const Baseline baseline = baseline_of(all, question.baseline);
  answer["baseline"] = baseline.name;
  answer["baseline_value"] = baseline.value;
  answer["alpha"] = question.alpha;
  if (question.margin) answer["margin_points"] = *question.margin;
  answer["variants"] = Json::array();
  answer["blocks"] = blocks_json(found);
  for (const Combination& one : all) answer["variants"].push_back(variant_json(answer["blocks"], one));
  const stats::Choice choice = stats::choose_test(comparison_of(found, baseline, question, 2));
  answer["test"] = {{"name", choice.test}, {"equivalence", choice.equivalence}, {"reason", choice.reason}};
  answer["differences"] = differences_json(found, baseline, question);
  const Json anova = anova_json(found);
  if (anova.is_object()) answer["anova"] = anova;
  return answer;
}

}  // namespace nibble::lab
