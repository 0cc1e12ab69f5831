#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "stats/bootstrap.hpp"
#include "stats/designs/anova.hpp"
#include "stats/designs/mixed_model.hpp"
#include "stats/designs/ranked_blocks.hpp"
#include "stats/effect_size.hpp"
#include "stats/multiplicity.hpp"
#include "stats/pairs/equivalence.hpp"
#include "stats/pairs/mcnemar.hpp"
#include "stats/pairs/means.hpp"
#include "stats/pairs/permutation.hpp"
#include "stats/pairs/proportions.hpp"
#include "stats/pairs/signed_rank.hpp"
#include "stats/power.hpp"

namespace nibble::stats {
namespace {

using Reals = std::vector<double>;
const double nan = std::numeric_limits<double>::quiet_NaN();

template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(StatsMessages, NameTheValueThatIsNoNumber) {
  EXPECT_EQ(message([] {
              paired_t(Reals{1, nan, 2}, Reals{1, 2, 3});
            }),
            "stats: paired t-test: value 1 is nan (expected finite numbers)");
  EXPECT_EQ(message([] {
              signed_rank(Reals{1, 2}, Reals{1, infinity});
            }),
            "stats: signed-rank test: value 1 is inf (expected finite numbers)");
  EXPECT_EQ(message([] {
              friedman(std::vector<Reals>{{1, 2}, {nan, 2}});
            }),
            "stats: Friedman's test: value 0 is nan (expected finite numbers)");
  EXPECT_EQ(message([] {
              holm(Reals{0.1, nan});
            }),
            "stats: adjustment of p-values: a p-value is nan (expected from 0 to 1)");
  EXPECT_EQ(message([] { bonferroni(Reals{1.5}); }),
            "stats: adjustment of p-values: a p-value is 1.5 (expected from 0 to 1)");
}

TEST(StatsMessages, SayThatThereAreTooFewOrUnlikeNumbersOfValues) {
  EXPECT_EQ(message([] { paired_t(Reals{1}, Reals{2}); }), "stats: paired t-test: 1 values (expected at least 2)");
  EXPECT_EQ(message([] {
              paired_t(Reals{1, 2}, Reals{2});
            }),
            "stats: paired t-test: 2 values beside 1 (expected as many of both)");
  EXPECT_EQ(message([] { paired_permutation(Reals{}, Reals{}); }),
            "stats: permutation test: 0 values (expected at least 1)");
  EXPECT_EQ(message([] { paired_table(std::vector<uint8_t>{1}, std::vector<uint8_t>{}); }),
            "stats: paired outcomes: 1 beside 0 (expected as many of both, at least one)");
  EXPECT_EQ(message([] { five_by_two_t(Reals(6), Reals(6)); }), "stats: 5x2 cv t-test: 6 repetitions (expected 5)");
  EXPECT_EQ(message([] {
              cochran_q(std::vector<std::vector<uint8_t>>{{1, 0}, {1}});
            }),
            "stats: Cochran's Q: 1 outcomes beside 2 (expected as many of each, at least one)");
  EXPECT_EQ(message([] {
              quade(std::vector<Reals>{{1, 2}, {1, 2, 3}});
            }),
            "stats: Quade's test: a block of 3 values beside one of 2 (expected a value a method in each)");
  EXPECT_EQ(message([] { bootstrap(1, mean_of(Reals{1})); }),
            "stats: bootstrap: 1 to draw from (expected at least two)");
  EXPECT_EQ(message([] {
              grouped_bootstrap(std::vector<int64_t>{3, 3, 3}, mean_of(Reals{1, 2, 3}));
            }),
            "stats: bootstrap: 1 to draw from (expected at least two)");
}

TEST(StatsMessages, SayThatNothingVaries) {
  EXPECT_EQ(message([] {
              paired_t(Reals{0.91, 0.92, 0.93}, Reals{0.9, 0.91, 0.92});
            }).substr(0, 41),
            "stats: paired t-test: all 3 differences a");
  EXPECT_EQ(message([] {
              welch_t(Reals{1, 1}, Reals{2, 2});
            }),
            "stats: Welch's t-test: two groups without spread (expected values that differ)");
  EXPECT_EQ(message([] {
              signed_rank(Reals{1, 2}, Reals{1, 2});
            }),
            "stats: signed-rank test: no pair with a difference (expected at least one)");
  EXPECT_EQ(message([] {
              cohen_d_paired(Reals{1, 2}, Reals{0, 1});
            }),
            "stats: Cohen's d of pairs: differences without spread (expected some that differ)");
  EXPECT_EQ(message([] {
              friedman(std::vector<Reals>{{1, 1}, {2, 2}});
            }),
            "stats: Friedman's test: all methods equal in every block (expected some that differ)");
}

TEST(StatsMessages, RefuseSharesMarginsAndLevelsThatAreNone) {
  EXPECT_EQ(message([] { wilson(3, 2); }), "stats: Wilson's interval: 3 of 2 (expected a share of at least one)");
  EXPECT_EQ(message([] { wilson(0, 0); }), "stats: Wilson's interval: 0 of 0 (expected a share of at least one)");
  EXPECT_EQ(message([] { wilson(1, 2, 95); }), "stats: Wilson's interval: the level is 95 (expected between 0 and 1)");
  EXPECT_EQ(message([] { mcnemar_exact(-1, 2); }),
            "stats: McNemar's test: counts -1 and 2 (expected counts of at least 0)");
  EXPECT_EQ(message([] { tango_score({}, 0); }), "stats: Tango's score: no examples (expected at least one)");
  EXPECT_EQ(message([] {
              tost_paired(Reals{1, 2}, Reals{2, 4}, {0.5, -0.5});
            }),
            "stats: equivalence: a margin from 0.5 to -0.5 (expected low < high, one of them finite)");
  EXPECT_EQ(message([] {
              tost_paired(Reals{1, 2}, Reals{2, 4}, {-infinity, infinity});
            }),
            "stats: equivalence: a margin from -inf to inf (expected low < high, one of them finite)");
  EXPECT_EQ(message([] {
              tost_paired_shares({5, 1, 1, 0}, {-50, 0.5});
            }),
            "stats: equivalence: an end of the margin is -50 (expected from -1 to 1)");
  EXPECT_EQ(message([] {
              tost_paired_ratio(Reals{1, -2}, Reals{2, 4}, {0.8, 1.25});
            }),
            "stats: equivalence: a ratio of -2 (expected positive values)");
  EXPECT_EQ(message([] {
              tost_paired_shares({5, 1, 1, 0}, {-0.1, 0.1}, 0.5);
            }),
            "stats: equivalence: alpha is 0.5 (expected between 0 and 0.5)");
}

TEST(StatsMessages, RefuseAPowerThatCannotBe) {
  EXPECT_EQ(message([] { t_size_needed(0, 0.9); }),
            "stats: power: an effect of 0 (expected one that the test looks for)");
  EXPECT_EQ(message([] { t_size_needed(1, 0.04); }), "stats: power: the power is 0.04 (expected between 0.05 and 1)");
  EXPECT_EQ(message([] { t_power(1, 1); }), "stats: power: the size is 1 (expected from 2 to 1000000000000)");
  EXPECT_EQ(
      message([] { examples_needed(0.01, 0.02, 0.8); }),
      "stats: power: a difference of 0.02 at a disagreement of 0.01 (expected at most the disagreement, and not 0)");
  EXPECT_EQ(message([] {
              tost_size_needed(0.6, {-0.5, 0.5}, 0.8);
            }),
            "stats: power: a true difference of 0.6 (expected one inside the margin)");
  EXPECT_EQ(message([] { detectable_share_difference(5, 0.01, 0.8); }),
            "stats: power: 5 examples with a disagreement of 0.01 (expected more, for a power of 0.8)");
}

Factor two_levels(std::vector<int> of_run) {
  return {"bits", {"8", "4"}, std::move(of_run)};
}

TEST(StatsMessages, SayWhatIsWrongWithADesign) {
  const auto analyse = [](const Design& design, const Reals& outcomes) {
    return message([&] { analyse_variance(design, outcomes, SumsOfSquares::marginal); });
  };
  EXPECT_EQ(
      analyse({{two_levels({0, 1})}, {{0}}}, {1, 2, 3}),
      "stats: analysis of variance: factor 'bits': levels of 2 runs beside 3 outcomes (expected one level a run)");
  EXPECT_EQ(analyse({{two_levels({0, 0, 0})}, {{0}}}, {1, 2, 3}),
            "stats: analysis of variance: factor 'bits': one level in all runs (expected at least two)");
  EXPECT_EQ(analyse({{two_levels({0, 1, 2})}, {{0}}}, {1, 2, 3}),
            "stats: analysis of variance: factor 'bits': level 2 of 2 (expected a place among the levels)");
  EXPECT_EQ(analyse({{two_levels({0, 1})}, {{0}}}, {1, 2}),
            "stats: analysis of variance: 2 runs for 2 coefficients (expected more runs, or fewer terms)");
  EXPECT_EQ(analyse({{two_levels({0, 0, 1, 1})}, {{0}}}, {1, 1, 2, 2}),
            "stats: analysis of variance: no variance besides the terms' (expected replicates that differ)");
  const Factor other{"algorithm", {"LSQ", "PACT"}, {0, 1, 0, 1, 0, 1}};
  const Factor bits = two_levels({0, 0, 0, 1, 1, 1});
  EXPECT_EQ(
      analyse({{bits, other}, {{0, 1}}}, {1, 2, 3, 4, 5, 7}),
      "stats: analysis of variance: term 'bits:algorithm' without 'algorithm' (expected the terms that it contains "
      "before it)");
  EXPECT_EQ(analyse({{bits, other}, {{0}, {0}}}, {1, 2, 3, 4, 5, 7}),
            "stats: analysis of variance: term 'bits' twice (expected once)");
  EXPECT_EQ(
      analyse({{bits}, {{1}}}, {1, 2, 3, 4, 5, 7}),
      "stats: analysis of variance: a term of other factors than the design's (expected each factor at most once, "
      "ascending)");
  EXPECT_EQ(analyse({{bits}, {}}, {1, 2, 3, 4, 5, 7}), "stats: analysis of variance: no terms (expected at least one)");
  const Factor same{"width", {"a", "b"}, {0, 0, 0, 1, 1, 1}};
  EXPECT_EQ(
      analyse({{bits, same}, {{0}, {1}}}, {1, 2, 3, 4, 5, 7}),
      "stats: analysis of variance: term 'bits' confounded with others (expected a run of each combination, fewer "
      "terms, or type II)");
  EXPECT_EQ(message([&] {
              tukey_hsd({{bits, other}, {{0}}}, Reals{1, 2, 3, 4, 5, 7}, 1);
            }),
            "stats: Tukey's comparison: a factor without a main effect (expected a term of the design)");
}

TEST(StatsMessages, SayWhatAMixedModelCannotTell) {
  const Factor bits = two_levels({0, 0, 0, 1, 1, 1});
  const auto fit = [](const Design& design, const Factor& group, const Reals& outcomes) {
    return message([&] { fit_mixed_model(design, group, outcomes); });
  };
  const Factor run{"seed", {"1", "2", "3", "4", "5", "6"}, {0, 1, 2, 3, 4, 5}};
  EXPECT_EQ(fit({}, run, {1, 2, 3, 4, 5, 7}), "stats: mixed model: a group a run (expected groups of several runs)");
  const Factor same{"seed", {"1", "2"}, {0, 0, 0, 1, 1, 1}};
  EXPECT_EQ(fit({{bits}, {{0}}}, same, {1, 2, 3, 4, 5, 7}),
            "stats: mixed model: groups that the fixed terms tell apart (expected more groups than the terms' levels)");
  EXPECT_EQ(fit({}, same, {1, 1, 1, 2, 2, 2}),
            "stats: mixed model: no variance within groups (expected runs of one group that differ)");
  EXPECT_EQ(fit({}, same, {1, 1, 1, 2, 2, nan}), "stats: mixed model: value 5 is nan (expected finite numbers)");
}

}  // namespace
}  // namespace nibble::stats
