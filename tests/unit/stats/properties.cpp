#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"
#include "stats/bootstrap.hpp"
#include "stats/designs/anova.hpp"
#include "stats/designs/mixed_model.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"
#include "stats/pairs/equivalence.hpp"
#include "stats/pairs/mcnemar.hpp"
#include "stats/pairs/permutation.hpp"
#include "stats/pairs/proportions.hpp"
#include "stats/pairs/signed_rank.hpp"
#include "stats/power.hpp"
#include "stats/ranks.hpp"
#include "stats/studentised_range.hpp"

namespace nibble::stats {
namespace {

using Reals = std::vector<double>;

Reals normals(uint64_t seed, size_t count) {
  Random random(seed);
  Reals values(count);
  for (double& value : values) value = random.normal();
  return values;
}

TEST(PairedTable, CountsWhoWasRight) {
  const PairedTable table = paired_table(std::vector<uint8_t>{1, 1, 0, 0, 2}, std::vector<uint8_t>{1, 0, 1, 0, 1});
  EXPECT_EQ(table.both, 2);
  EXPECT_EQ(table.only_first, 1);
  EXPECT_EQ(table.only_second, 1);
  EXPECT_EQ(table.neither, 1);
}

TEST(PairedShares, OfEqualDecidersAreEquivalentWithinAnyMarginThatEnoughExamplesProve) {
  const PairedTable equal{900, 0, 0, 100};
  EXPECT_EQ(tango_score(equal, 0), 0);
  const ConfidenceInterval interval = tango_paired_difference(equal);
  EXPECT_NEAR(interval.low, -interval.high, 1e-12);
  EXPECT_GT(interval.high, 0);
  EXPECT_TRUE(tost_paired_shares(equal, {-0.005, 0.005}).equivalent);
  EXPECT_FALSE(tost_paired_shares({9, 0, 0, 1}, {-0.005, 0.005}).equivalent);
}

TEST(PairedShares, AreWithinTheMarginExactlyWhereTheIntervalIs) {
  for (int64_t b = 0; b < 40; b += 3)
    for (int64_t c = 0; c < 40; c += 3) {
      const Equivalence e = tost_paired_shares({500 - b - c, b, c, 100}, {-0.03, 0.02});
      EXPECT_EQ(e.equivalent, -0.03 <= e.interval.low && e.interval.high <= 0.02) << b << ' ' << c;
    }
}

TEST(PairedShares, ReachTheEndsOfTheScale) {
  const ConfidenceInterval best = tango_paired_difference({0, 5, 0, 0});
  EXPECT_EQ(best.high, 1);
  EXPECT_GT(best.low, 0);
  const ConfidenceInterval worst = tango_paired_difference({0, 0, 5, 0});
  EXPECT_EQ(worst.low, -1);
  EXPECT_NEAR(worst.high, -best.low, 1e-12);
}

TEST(Equivalence, WithOneInfiniteEndIsATestOfBeingNoWorse) {
  const Reals x = {1.0, 1.2, 0.9, 5.0};
  const Reals y = {1.1, 1.1, 1.0, 1.0};
  const Equivalence e = tost_paired(x, y, {-4, infinity});
  EXPECT_EQ(e.upper, -infinity);
  EXPECT_EQ(e.p, student_upper(e.lower, 3));
  EXPECT_LT(tost_paired_shares({900, 50, 20, 30}, {-0.01, infinity}).p, 0.001);
}

TEST(McNemar, HasNoEvidenceWithoutDiscordantExamples) {
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
  EXPECT_EQ(mcnemar_mid_p(0, 0), 1);
  EXPECT_EQ(mcnemar_chi_squared(0, 0, true).p, 1);
}

TEST(McNemar, IsTheExactBinomialTest) {
  EXPECT_NEAR(mcnemar_exact(0, 5), 2 * 0.03125, 1e-12);
  EXPECT_NEAR(mcnemar_exact(2, 8), 2 * (1 + 10 + 45) / 1024.0, 1e-12);
  EXPECT_EQ(mcnemar_exact(8, 2), mcnemar_exact(2, 8));
  EXPECT_EQ(mcnemar_exact(4, 4), 1);
}

TEST(Wilson, GivesTheTextbookInterval) {
  // 8 of 10: Newcombe 1998's method 3 without continuity correction.
  EXPECT_NEAR(wilson(8, 10).low, 0.4902, 5e-5);
  EXPECT_NEAR(wilson(8, 10).high, 0.9433, 5e-5);
}

TEST(Wilson, StaysInsideZeroAndOneAtTheEnds) {
  EXPECT_EQ(wilson(0, 10).low, 0);
  EXPECT_EQ(wilson(10, 10).high, 1);
  EXPECT_GT(wilson(0, 10).high, 0.2);
}

TEST(Ranks, OfDifferencesThatAreEqualButForRoundingAreShared) {
  ASSERT_NE(0.3 - 0.2, 0.2 - 0.1);
  const SignedRank test = signed_rank(Reals{0.3, 0.2, 0.1}, Reals{0.2, 0.1, 0.7});
  EXPECT_EQ(test.v, 3);
  EXPECT_EQ(midranks(Reals{3, 1, 3, 2}), (Reals{3.5, 1, 3.5, 2}));
}

TEST(Permutation, OfManyPairsIsNearTheExactOne) {
  Reals x = normals(1, 36);
  for (double& value : x) value += 0.3;
  const Reals y(36);
  const Permutation exact = paired_permutation(x, y);
  EXPECT_TRUE(exact.exact);
  // A 37th pair without a difference changes no p, and asks for random signs.
  x.push_back(0);
  const Permutation random = paired_permutation(x, Reals(37), {.resamples = 100000});
  EXPECT_FALSE(random.exact);
  EXPECT_NEAR(random.p, exact.p, 4 * std::sqrt(exact.p / 100000));
}

TEST(Permutation, CountsTheSignsItself) {
  // All 8 signs of 1, 2, 4 have sums -7, -5, ..., 7.
  EXPECT_EQ(paired_permutation(Reals{1, 2, 4}, Reals(3)).p, 0.25);
  EXPECT_EQ(paired_permutation(Reals{1, 2, 4}, Reals(3), {.alternative = Alternative::greater}).p, 0.125);
  EXPECT_EQ(paired_permutation(Reals{1, 2, 4}, Reals(3), {.alternative = Alternative::less}).p, 1);
  EXPECT_EQ(paired_permutation(Reals{1, 1}, Reals{1, 1}).p, 1);
}

TEST(Bootstrap, GivesTheSameIntervalForTheSameSeed) {
  const Reals x = normals(2, 30);
  const Bootstrap a = bootstrap(30, mean_of(x), {.resamples = 999, .seed = 7});
  const Bootstrap b = bootstrap(30, mean_of(x), {.resamples = 999, .seed = 7});
  const Bootstrap c = bootstrap(30, mean_of(x), {.resamples = 999, .seed = 8});
  EXPECT_EQ(a.interval.low, b.interval.low);
  EXPECT_NE(a.interval.low, c.interval.low);
  EXPECT_NEAR(a.standard_error, std::sqrt(variance(x) * 29 / 30 / 30), 0.02);
}

TEST(Bootstrap, OfAStatisticThatNeverChangesIsAPoint) {
  const Bootstrap b = bootstrap(5, mean_of(Reals{2, 2, 2, 2, 2}), {.resamples = 99});
  EXPECT_EQ(b.interval.low, 2);
  EXPECT_EQ(b.interval.high, 2);
}

TEST(GroupedBootstrap, OfGroupsOfOneRowIsThePlainOne) {
  const Reals x = normals(3, 12);
  std::vector<int64_t> groups(12);
  for (int64_t i = 0; i < 12; ++i) groups[i] = i;
  const BootstrapOptions options{.resamples = 499, .seed = 4};
  EXPECT_EQ(grouped_bootstrap(groups, mean_of(x), options).interval.low,
            bootstrap(12, mean_of(x), options).interval.low);
}

TEST(StudentisedRange, OfTwoGroupsIsStudentsT) {
  for (double df : {1.0, 2.0, 3.5, 30.0, infinity})
    for (double q : {0.1, 1.0, 3.0, 20.0}) {
      const double exact = 2 * student_upper(q / std::sqrt(2.0), df);
      EXPECT_NEAR(studentised_range_upper(q, 2, df), exact, 1e-10 * exact) << q << ' ' << df;
    }
}

TEST(Power, OfTheSizeNeededIsWhatWasAskedFor) {
  for (double power : {0.5, 0.8, 0.95}) {
    EXPECT_NEAR(t_power(t_size_needed(0.4, power), 0.4), power, 1e-9);
    EXPECT_NEAR(t_power(12, detectable_effect(12, power)), power, 1e-9);
    EXPECT_NEAR(tost_power(tost_size_needed(0.2, {-1, 1}, power), 0.2, {-1, 1}), power, 1e-9);
    EXPECT_NEAR(mcnemar_power(examples_needed(0.05, 0.01, power), 0.05, 0.01), power, 1e-12);
    EXPECT_NEAR(mcnemar_power(10000, 0.05, detectable_share_difference(10000, 0.05, power)), power, 1e-9);
    EXPECT_NEAR(equivalence_power(equivalence_examples_needed(0.025, 0.005, power), 0.025, 0.005), power, 1e-12);
    EXPECT_NEAR(equivalence_power(10000, 0.025, provable_margin(10000, 0.025, power)), power, 1e-12);
  }
}

TEST(Power, OfTenThousandImagesProvesHalfAPointAndNotThreeTenths) {
  EXPECT_GE(equivalence_power(10000, 0.025, 0.005), 0.8);
  EXPECT_LT(equivalence_power(10000, 0.025, 0.003), 0.8);
}

TEST(Anova, OfABalancedDesignIsOneWhateverTheType) {
  std::vector<std::string> a;
  std::vector<std::string> b;
  for (int i = 0; i < 24; ++i) {
    a.push_back(i % 2 ? "x" : "y");
    b.push_back(std::to_string(i / 2 % 3));
  }
  const Design design{{factor("a", a), factor("b", b)}, interactions(2, 2)};
  const Reals y = normals(5, 24);
  const Anova one = analyse_variance(design, y, SumsOfSquares::sequential);
  double sum = one.residual_sum_of_squares;
  for (size_t t = 0; t < 3; ++t) {
    sum += one.rows[t].sum_of_squares;
    for (SumsOfSquares type : {SumsOfSquares::hierarchical, SumsOfSquares::marginal})
      EXPECT_NEAR(analyse_variance(design, y, type).rows[t].sum_of_squares, one.rows[t].sum_of_squares, 1e-12);
  }
  EXPECT_NEAR(sum, one.total_sum_of_squares, 1e-12);
}

TEST(Anova, IsTheSameForOutcomesMovedFarAway) {
  const Design design{{factor("a", std::vector<std::string>{"x", "x", "x", "y", "y", "y"})}, {{0}}};
  const Reals y = {1, 2, 4, 3, 6, 7};
  Reals far = y;
  for (double& value : far) value += 1e6;
  EXPECT_NEAR(analyse_variance(design, far, SumsOfSquares::sequential).rows[0].p,
              analyse_variance(design, y, SumsOfSquares::sequential).rows[0].p, 1e-9);
}

TEST(MixedModel, OfABalancedDesignHasTheVariancesOfItsAnalysis) {
  std::vector<std::string> seed;
  for (int i = 0; i < 20; ++i) seed.push_back(std::to_string(i / 4));
  Reals y = normals(6, 20);
  for (size_t i = 0; i < 20; ++i) y[i] += 3 * static_cast<double>(i / 4);
  const Factor group = factor("seed", seed);
  const MixedModel model = fit_mixed_model({}, group, y);
  const Anova table = analyse_variance({{group}, {{0}}}, y, SumsOfSquares::sequential);
  EXPECT_NEAR(std::pow(model.residual_deviation, 2), table.residual_mean_square, 1e-10);
  EXPECT_NEAR(std::pow(model.group_deviation, 2), (table.rows[0].mean_square - table.residual_mean_square) / 4, 1e-9);
}

TEST(Interactions, StandAfterWhatTheyContain) {
  EXPECT_EQ(interactions(3, 2), (std::vector<Term>{{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}}));
  EXPECT_EQ(interactions(2, 5), (std::vector<Term>{{0}, {1}, {0, 1}}));
}

}  // namespace
}  // namespace nibble::stats
