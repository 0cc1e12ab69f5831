#include "lab/study/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "lab/study/execute.hpp"
#include "stats/choice.hpp"
#include "stats/designs/anova.hpp"
#include "stats/multiplicity.hpp"
#include "stats/pairs/means.hpp"

namespace nibble::lab {
namespace {

/// A combination's finished runs, in the order of the seeds.
struct Combination {
  std::string name;
  std::vector<std::string> levels;
  bool is_error = false;
  std::vector<double> outcomes;  ///< accuracies or errors
  std::vector<double> examples;  ///< of one seed: each example's, right or wrong or its error
  std::vector<int64_t> groups;   ///< of one seed, where the errors' examples have any
  Json to_float;                 ///< of one seed: by how much its error is larger than the float network's
  double low = 0, high = 0;      ///< of one seed: the test set's interval
  int64_t weight_bytes = 0;
};

/// The finished outcome's last row, of the integer network, or null.
Json integer_row(const std::filesystem::path& run) {
  const auto file = run / "outcome.json";
  if (!std::filesystem::exists(file)) return {};
  const Json outcome = read_json(file, "lab");
  if (outcome.value("status", "") != "done") return {};
  return outcome.at("rows").back();
}

void read_examples(const std::filesystem::path& run, Combination& one) {
  const auto file = run / "predictions.json";
  if (!std::filesystem::exists(file)) return;
  const Json predictions = read_json(file, "lab");
  if (one.is_error) {
    one.examples = predictions.value("ID", std::vector<double>());
    one.groups = predictions.value("groups", std::vector<int64_t>());
    return;
  }
  for (char digit : predictions.value("ID", std::string())) one.examples.push_back(digit == '1');
}

/// In the order of the factors' levels.
std::vector<Combination> combinations_of(const Study& study, const std::filesystem::path& out, Json& missing) {
  std::map<Cell, std::map<uint64_t, const StudyRun*>> runs;
  std::set<uint64_t> seeds;
  for (const StudyRun& run : study.runs) {
    Cell cell;
    for (size_t i = 0; i < run.levels.size(); ++i) {
      const auto& levels = study.design.factors[i].levels;
      const auto found = std::find_if(levels.begin(), levels.end(),
                                      [&](const Factor::Level& level) { return level.name == run.levels[i]; });
      cell.push_back(static_cast<size_t>(found - levels.begin()));
    }
    runs[cell][run.seed] = &run;
    seeds.insert(run.seed);
  }
  std::vector<Combination> found;
  for (const auto& [cell, of_seed] : runs) {
    const std::vector<std::string>& levels = of_seed.begin()->second->levels;
    Combination one;
    one.name = name_of(study.design, levels), one.levels = levels;
    for (const auto& [seed, run] : of_seed) {
      const Json row = integer_row(out / "runs" / run->hash);
      if (!row.is_object()) continue;
      one.is_error = row.contains("error");
      one.outcomes.push_back(row.at(one.is_error ? "error" : "accuracy"));
      one.low = row.at("interval")[0], one.high = row.at("interval")[1];
      one.weight_bytes = row.at("weight_bytes");
      if (seeds.size() > 1) continue;
      one.to_float = row.value("to_float", Json());
      read_examples(out / "runs" / run->hash, one);
    }
    if (one.outcomes.size() == seeds.size())
      found.push_back(std::move(one));
    else
      missing.push_back(one.name);
  }
  return found;
}

/// Points of percent on both sides of 0, as shares; of errors percent of the baseline's.
stats::ConfidenceInterval within(const std::optional<double>& margin, double of) {
  return margin ? stats::ConfidenceInterval{-*margin / 100 * of, *margin / 100 * of} : stats::ConfidenceInterval{};
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Json variant_json(const Combination& one) {
  Json json = {{"name", one.name}, {"runs", one.outcomes.size()}};
  json[one.is_error ? "error" : "accuracy"] = mean_of(one.outcomes);
  json["weight_bytes"] = one.weight_bytes;
  if (one.to_float.is_object()) json["to_float"] = one.to_float;
  const bool spread =
      std::adjacent_find(one.outcomes.begin(), one.outcomes.end(), std::not_equal_to<>()) != one.outcomes.end();
  if (one.outcomes.size() == 1)
    json["interval"] = {one.low, one.high};
  else if (spread) {
    const auto interval = stats::one_sample_t(one.outcomes).interval;
    json["interval"] = {interval.low, interval.high};
  }
  return json;
}

const std::vector<double>& values_of(const Combination& one, bool by_example) {
  return by_example ? one.examples : one.outcomes;
}

stats::Comparison comparison_of(const std::vector<Combination>& combinations, size_t baseline, const Question& question,
                                size_t variants) {
  stats::Comparison comparison;
  const bool by_example = combinations.front().outcomes.size() == 1, errors = combinations.front().is_error;
  comparison.outcome = !by_example ? stats::Outcome::per_run
                       : errors    ? stats::Outcome::error_per_example
                                   : stats::Outcome::per_example;
  comparison.groups = combinations.front().groups;
  comparison.pairing = stats::Pairing::seeds;
  comparison.variants = variants;
  comparison.values = values_of(combinations.front(), by_example).size();
  comparison.alpha = question.alpha;
  if (variants == 2) comparison.margin = within(question.margin, errors ? mean_of(combinations[baseline].outcomes) : 1);
  return comparison;
}

/// Each other combination against the baseline; what cannot be tested says why.
Json differences_json(const std::vector<Combination>& all, size_t baseline, const Question& question) {
  const bool by_example = all.front().outcomes.size() == 1;
  const stats::Comparison comparison = comparison_of(all, baseline, question, 2);
  Json list = Json::array();
  std::vector<double> p, equivalence;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i == baseline) continue;
    Json one = {{"name", all[i].name}};
    try {
      const stats::Answer answer =
          stats::compare(comparison, std::vector{values_of(all[i], by_example), values_of(all[baseline], by_example)});
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
Json anova_json(const Study& study, const std::vector<Combination>& all) {
  const size_t seeds = all.front().outcomes.size(), factors = study.design.factors.size();
  if (factors < 2 || seeds < 2) return {};
  std::vector<double> outcomes;
  std::vector<std::vector<std::string>> levels(factors + 1);
  for (const Combination& one : all)
    for (size_t seed = 0; seed < seeds; ++seed) {
      outcomes.push_back(100 * one.outcomes[seed]);
      for (size_t i = 0; i < factors; ++i) levels[i].push_back(one.levels[i]);
      levels[factors].push_back(std::to_string(seed));
    }
  stats::Design design;
  for (size_t i = 0; i < factors; ++i) design.factors.push_back(stats::factor(study.design.factors[i].name, levels[i]));
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

size_t baseline_of(const std::vector<Combination>& all, const std::string& name) {
  if (name.empty()) return 0;
  std::vector<std::string> names;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return i;
    names.push_back(all[i].name);
  }
  fail("lab", "--baseline", "no combination '" + name + "'" + did_you_mean(name, names), "one of the table's");
}

}  // namespace

Json answer_json(const std::filesystem::path& out, const Question& question) {
  const Study study = recorded_study(out);
  Json answer = {{"name", study.name}, {"missing", Json::array()}};
  const std::vector<Combination> all = combinations_of(study, out, answer["missing"]);
  if (all.size() < 2)
    fail("lab", out.string(), fmt::format("{} whole combinations", all.size()), "at least two, every seed done");
  const size_t baseline = baseline_of(all, question.baseline);
  answer["baseline"] = all[baseline].name;
  answer["alpha"] = question.alpha;
  if (question.margin) answer["margin_points"] = *question.margin;
  answer["variants"] = Json::array();
  for (const Combination& one : all) answer["variants"].push_back(variant_json(one));
  const stats::Choice choice = stats::choose_test(comparison_of(all, baseline, question, 2));
  answer["test"] = {{"name", choice.test}, {"equivalence", choice.equivalence}, {"reason", choice.reason}};
  answer["differences"] = differences_json(all, baseline, question);
  const Json anova = anova_json(study, all);
  if (anova.is_object()) answer["anova"] = anova;
  return answer;
}

}  // namespace nibble::lab
