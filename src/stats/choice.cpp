#include "stats/choice.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/designs/anova.hpp"
#include "stats/designs/mixed_model.hpp"
#include "stats/designs/ranked_blocks.hpp"
#include "stats/moments.hpp"
#include "stats/multiplicity.hpp"
#include "stats/pairs/equivalence.hpp"
#include "stats/pairs/grouped.hpp"
#include "stats/pairs/mcnemar.hpp"
#include "stats/pairs/means.hpp"
#include "stats/pairs/proportions.hpp"
#include "stats/pairs/signed_rank.hpp"

namespace nibble::stats {
namespace {

constexpr std::string_view what = "comparison";
/// Below so many data sets, those on which methods differ more count more.
constexpr size_t few_data_sets = 10;
using Values = std::span<const std::vector<double>>;

void check_comparison(const Comparison& c) {
  if (c.variants < 2) fail("stats", what, fmt::format("{} variants", c.variants), "at least two");
  check_between(what, "alpha", c.alpha, 0, 0.5);
  if (c.outcome == Outcome::per_run && c.pairing == Pairing::folds && !(c.train >= 1 && c.test >= 1))
    fail("stats", what, fmt::format("folds of {} training and {} test examples", c.train, c.test),
         "how many each split has");
  if (!c.asks_equivalence()) return;
  if (c.variants > 2) fail("stats", what, fmt::format("a margin for {} variants", c.variants), "a comparison of two");
  if (c.outcome == Outcome::per_run && c.pairing == Pairing::data_sets)
    fail("stats", what, "a margin over data sets that are unlike each other", "a margin on each");
}

Choice of_examples(bool two) {
  if (two)
    return {"mcnemar_mid_p", "", "tost_paired_shares",
            "Both variants decide the same examples: only those on which they differ tell them apart."};
  return {"cochran_q", "mcnemar_mid_p, holm", "",
          "All variants decide the same examples: one test of all, then each pair, adjusted for how many there are."};
}

Choice of_errors(bool two, bool grouped) {
  const std::string reason =
      grouped
          ? "All variants err on the same examples, of which those of a group depend on each other: groups are drawn."
          : "All variants err on the same examples: each gives a difference of its own.";
  if (two) return {"grouped_difference", "", "tost_grouped", reason};
  return {"grouped_difference, holm", "grouped_difference, holm", "", reason};
}

Choice of_unpaired(bool two) {
  if (two) return {"welch_t", "", "tost_welch", "The runs share nothing, and nothing says that they vary alike."};
  return {"analyse_variance", "tukey_hsd", "", "The runs share nothing: one factor, then all pairs of its levels."};
}

Choice of_seeds(bool two) {
  if (two)
    return {"paired_t", "", "tost_paired",
            "Each seed gives a difference of its own, free of what the seed itself does."};
  return {"fit_mixed_model", "paired_t, holm", "",
          "Seeds are a sample of all seeds: their deviation is a random effect, the variants are a fixed one."};
}

Choice of_folds(bool two) {
  const std::string reason =
      "Splits share training data: their differences are correlated, and the plain t finds too much.";
  if (two) return {"corrected_resampled_t", "", "tost_corrected_resampled", reason};
  return {"corrected_resampled_t, holm", "corrected_resampled_t, holm", "", reason};
}

Choice of_data_sets(bool two, size_t count) {
  if (two)
    return {"signed_rank", "", "", "Data sets are unlike each other: differences on them are ranked, not averaged."};
  if (count > 0 && count < few_data_sets)
    return {"quade", "signed_rank, holm", "", "Few data sets: those on which the variants differ more count more."};
  return {"friedman", "nemenyi", "", "Data sets are unlike each other: variants are ranked on each."};
}

/// Two variants beside each other: p is not adjusted yet.
PairAnswer pair_of(const Comparison& c, const Choice& choice, Values values, size_t a, size_t b, double& statistic) {
  const std::vector<double>& x = values[a];
  const std::vector<double>& y = values[b];
  const double level = 1 - c.alpha;
  PairAnswer answer{a, b, mean(x) - mean(y), {}, 1};
  if (choice.test.starts_with("signed_rank") || choice.pairs.starts_with("signed_rank")) {
    if (x == y) return answer;
    const auto distribution = x.size() > 50 ? RankDistribution::normal : RankDistribution::exact;
    const SignedRank test = signed_rank(x, y, {.distribution = distribution});
    statistic = test.v;
    answer.p = test.p;
    return answer;
  }
  if (c.pairing != Pairing::unpaired && x == y) return answer;
  const TTest test = c.pairing == Pairing::unpaired ? welch_t(x, y, Alternative::two_sided, level)
                     : c.pairing == Pairing::seeds
                         ? paired_t(x, y, Alternative::two_sided, level)
                         : corrected_resampled_t(differences(x, y), c.train, c.test, Alternative::two_sided, level);
  statistic = test.t;
  answer.interval = test.interval;
  answer.p = test.p;
  return answer;
}

PairedTable table_of(Values values, size_t a, size_t b) {
  std::vector<uint8_t> first(values[a].begin(), values[a].end());
  std::vector<uint8_t> second(values[b].begin(), values[b].end());
  return paired_table(first, second);
}

PairAnswer pair_of_examples(const Comparison& c, Values values, size_t a, size_t b) {
  const PairedTable table = table_of(values, a, b);
  return {a, b, table.difference(), tango_paired_difference(table, 1 - c.alpha),
          mcnemar_mid_p(table.only_first, table.only_second)};
}

PairAnswer pair_of_errors(const Comparison& c, Values values, size_t a, size_t b) {
  const GroupedDifference test = grouped_difference(values[a], values[b], c.groups, 1 - c.alpha);
  return {a, b, test.estimate, test.interval, test.p};
}

PairAnswer pair_by_outcome(const Comparison& c, const Choice& choice, Values values, size_t a, size_t b,
                           double& statistic) {
  switch (c.outcome) {
    case Outcome::per_example: return pair_of_examples(c, values, a, b);
    case Outcome::error_per_example: return pair_of_errors(c, values, a, b);
    case Outcome::per_run: break;
  }
  return pair_of(c, choice, values, a, b, statistic);
}

/// Every pair; p by Holm.
void answer_pairs(const Comparison& c, Values values, Answer& answer) {
  std::vector<double> p;
  for (size_t a = 0; a < values.size(); ++a)
    for (size_t b = a + 1; b < values.size(); ++b) {
      double statistic = 0;
      answer.pairs.push_back(pair_by_outcome(c, answer.choice, values, a, b, statistic));
      p.push_back(answer.pairs.back().p);
      if (values.size() == 2) answer.statistic = statistic;
    }
  const std::vector<double> adjusted = holm(p);
  for (size_t i = 0; i < p.size(); ++i) answer.pairs[i].p = adjusted[i];
  answer.p = *std::min_element(adjusted.begin(), adjusted.end());
}

Equivalence equivalence_of(const Comparison& c, Values values) {
  const std::vector<double>& x = values[0];
  const std::vector<double>& y = values[1];
  if (c.outcome == Outcome::per_example) return tost_paired_shares(table_of(values, 0, 1), c.margin, c.alpha);
  if (c.outcome == Outcome::error_per_example) return tost_grouped(x, y, c.groups, c.margin, c.alpha);
  if (c.pairing == Pairing::unpaired) return tost_welch(x, y, c.margin, c.alpha);
  if (x == y) {  // no variance: the difference is 0
    Equivalence same;
    same.equivalent = c.margin.low < 0 && 0 < c.margin.high;
    same.p = same.equivalent ? 0 : 1;
    return same;
  }
  if (c.pairing == Pairing::seeds) return tost_paired(x, y, c.margin, c.alpha);
  return tost_corrected_resampled(differences(x, y), c.train, c.test, c.margin, c.alpha);
}

/// Runs of all variants one after another: the variant and, where paired, what it is paired by.
struct Runs {
  Factor variant{"variant", {}, {}};
  Factor block{"block", {}, {}};
  std::vector<double> outcomes;
};

Runs runs_of(Values values) {
  Runs runs;
  for (size_t v = 0; v < values.size(); ++v) {
    runs.variant.levels.push_back(std::to_string(v));
    for (size_t i = 0; i < values[v].size(); ++i) {
      runs.variant.of_run.push_back(static_cast<int>(v));
      runs.block.of_run.push_back(static_cast<int>(i));
      runs.outcomes.push_back(values[v][i]);
    }
  }
  for (size_t i = 0; i < values[0].size(); ++i) runs.block.levels.push_back(std::to_string(i));
  return runs;
}

std::vector<std::vector<double>> transposed(Values values) {
  std::vector<std::vector<double>> rows(values[0].size());
  for (const std::vector<double>& variant : values)
    for (size_t i = 0; i < rows.size(); ++i) rows[i].push_back(variant[i]);
  return rows;
}

void answer_unpaired(const Comparison& c, Values values, Answer& answer) {
  const Runs runs = runs_of(values);
  const Design design{{runs.variant}, {{0}}};
  const Anova table = analyse_variance(design, runs.outcomes, SumsOfSquares::sequential);
  answer.statistic = table.rows[0].f;
  answer.p = table.rows[0].p;
  for (const LevelDifference& d : tukey_hsd(design, runs.outcomes, 0, 1 - c.alpha))
    answer.pairs.push_back({d.second, d.first, -d.estimate, {-d.high, -d.low}, d.p});
}

void answer_data_sets(const Comparison& c, Values values, Answer& answer) {
  const std::vector<std::vector<double>> rows = transposed(values);
  const bool few = answer.choice.test == "quade";
  if (few) answer_pairs(c, values, answer);
  const FTest test = few ? quade(rows) : friedman(rows).iman_davenport;
  answer.statistic = test.f;
  answer.p = test.p;
  if (few) return;
  for (const RankDifference& d : nemenyi(rows))
    answer.pairs.push_back({d.first, d.second, mean(values[d.first]) - mean(values[d.second]), {}, d.p});
}

/// More than two variants.
void answer_many(const Comparison& c, Values values, Answer& answer) {
  if (c.outcome == Outcome::per_example) {
    answer_pairs(c, values, answer);
    std::vector<std::vector<uint8_t>> right;
    for (const std::vector<double>& variant : values) right.emplace_back(variant.begin(), variant.end());
    const ChiSquaredTest test = cochran_q(right);
    answer.statistic = test.statistic;
    answer.p = test.p;
  } else if (c.outcome == Outcome::error_per_example) {
    answer_pairs(c, values, answer);
  } else if (c.pairing == Pairing::unpaired) {
    answer_unpaired(c, values, answer);
  } else if (c.pairing == Pairing::data_sets) {
    answer_data_sets(c, values, answer);
  } else {
    answer_pairs(c, values, answer);
    if (c.pairing == Pairing::folds) return;
    const Runs runs = runs_of(values);
    const FTest test = fit_mixed_model({{runs.variant}, {{0}}}, runs.block, runs.outcomes).terms[0].test;
    answer.statistic = test.f;
    answer.p = test.p;
  }
}

void check_all(const Comparison& c, Values values) {
  if (values.size() != c.variants)
    fail("stats", what, fmt::format("values of {} variants beside {}", values.size(), c.variants), "as planned");
  const bool paired = c.outcome != Outcome::per_run || c.pairing != Pairing::unpaired;
  for (const std::vector<double>& variant : values) {
    check_values(what, variant, 2);
    if (paired && variant.size() != values[0].size())
      fail("stats", what, fmt::format("{} values beside {}", variant.size(), values[0].size()),
           "as many of each variant");
    for (double value : variant)
      if (c.outcome == Outcome::per_example && value != 0 && value != 1)
        fail("stats", what, fmt::format("an outcome of {}", value), "1 for right, 0 for wrong");
  }
}

}  // namespace

Choice choose_test(const Comparison& comparison) {
  check_comparison(comparison);
  const bool two = comparison.variants == 2;
  Choice choice;
  if (comparison.outcome == Outcome::per_example) {
    choice = of_examples(two);
  } else if (comparison.outcome == Outcome::error_per_example) {
    choice = of_errors(two, !comparison.groups.empty());
  } else {
    switch (comparison.pairing) {
      case Pairing::unpaired: choice = of_unpaired(two); break;
      case Pairing::seeds: choice = of_seeds(two); break;
      case Pairing::folds: choice = of_folds(two); break;
      case Pairing::data_sets: choice = of_data_sets(two, comparison.values); break;
    }
  }
  if (!comparison.asks_equivalence()) choice.equivalence.clear();
  return choice;
}

Answer compare(const Comparison& comparison, std::span<const std::vector<double>> values) {
  check_comparison(comparison);
  check_all(comparison, values);
  Comparison known = comparison;
  known.values = values[0].size();
  Answer answer;
  answer.choice = choose_test(known);
  if (values.size() > 2) {
    answer_many(known, values, answer);
    return answer;
  }
  answer_pairs(known, values, answer);
  if (!known.asks_equivalence()) return answer;
  const Equivalence equivalence = equivalence_of(known, values);
  answer.equivalence_p = equivalence.p;
  answer.equivalent = equivalence.equivalent;
  answer.equivalence_interval = equivalence.interval;
  return answer;
}

}  // namespace nibble::stats
