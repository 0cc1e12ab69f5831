#include "stats/choice.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "stats/designs/ranked_blocks.hpp"
#include "stats/pairs/equivalence.hpp"
#include "stats/pairs/mcnemar.hpp"
#include "stats/pairs/means.hpp"

namespace nibble::stats {
namespace {

using Reals = std::vector<double>;

std::vector<Reals> runs(size_t variants, size_t count) {
  Random random(1);
  std::vector<Reals> values(variants);
  for (size_t v = 0; v < variants; ++v)
    for (size_t i = 0; i < count; ++i) values[v].push_back(90 + 0.5 * static_cast<double>(v) + random.normal());
  return values;
}

TEST(Choice, FollowsTheDesign) {
  struct Line {
    Outcome outcome;
    Pairing pairing;
    std::string two, many, pairs;
  };
  const std::vector<Line> lines = {
      {Outcome::per_example, Pairing::seeds, "mcnemar_mid_p", "cochran_q", "mcnemar_mid_p, holm"},
      {Outcome::per_run, Pairing::unpaired, "welch_t", "analyse_variance", "tukey_hsd"},
      {Outcome::per_run, Pairing::seeds, "paired_t", "fit_mixed_model", "paired_t, holm"},
      {Outcome::per_run, Pairing::folds, "corrected_resampled_t", "corrected_resampled_t, holm",
       "corrected_resampled_t, holm"},
      {Outcome::per_run, Pairing::data_sets, "signed_rank", "friedman", "nemenyi"}};
  for (const Line& line : lines) {
    Comparison c{.outcome = line.outcome, .pairing = line.pairing, .train = 900, .test = 100, .margin = {}};
    EXPECT_EQ(choose_test(c).test, line.two);
    EXPECT_EQ(choose_test(c).pairs, "");
    EXPECT_EQ(choose_test(c).equivalence, "");
    c.variants = 3;
    EXPECT_EQ(choose_test(c).test, line.many);
    EXPECT_EQ(choose_test(c).pairs, line.pairs);
    EXPECT_FALSE(choose_test(c).reason.empty());
  }
  EXPECT_EQ(choose_test({.pairing = Pairing::data_sets, .variants = 3, .values = 5, .margin = {}}).test, "quade");
}

TEST(Choice, OfEquivalenceNeedsAMarginStatedBefore) {
  EXPECT_EQ(choose_test({.margin = {-0.5, 0.5}}).equivalence, "tost_paired");
  EXPECT_EQ(choose_test({.pairing = Pairing::unpaired, .margin = {-0.5, 0.5}}).equivalence, "tost_welch");
  EXPECT_EQ(choose_test({.outcome = Outcome::per_example, .margin = {-0.005, 0.005}}).equivalence,
            "tost_paired_shares");
}

std::string refusal(const Comparison& comparison) {
  try {
    choose_test(comparison);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(Choice, RefusesWhatHasNoAnswer) {
  EXPECT_EQ(refusal({.variants = 1, .margin = {}}), "stats: comparison: 1 variants (expected at least two)");
  EXPECT_EQ(refusal({.pairing = Pairing::folds, .margin = {}}),
            "stats: comparison: folds of 0 training and 0 test examples (expected how many each split has)");
  EXPECT_EQ(refusal({.variants = 3, .margin = {-1, 1}}),
            "stats: comparison: a margin for 3 variants (expected a comparison of two)");
  EXPECT_EQ(refusal({.pairing = Pairing::data_sets, .margin = {-1, 1}}),
            "stats: comparison: a margin over data sets that are unlike each other (expected a margin on each)");
  EXPECT_THROW(compare({.outcome = Outcome::per_example, .margin = {}}, std::vector<Reals>{{1, 0.5}, {0, 1}}),
               UserError);
  EXPECT_THROW(compare({.margin = {}}, std::vector<Reals>{{1, 2}, {0, 1, 3}}), UserError);
}

TEST(Comparison, OfTwoVariantsIsTheChosenTest) {
  const std::vector<Reals> values = runs(2, 6);
  const Answer seeds = compare({.margin = {-2, 2}}, values);
  const TTest paired = paired_t(values[0], values[1]);
  EXPECT_EQ(seeds.statistic, paired.t);
  EXPECT_EQ(seeds.p, paired.p);
  EXPECT_EQ(seeds.pairs[0].interval.low, paired.interval.low);
  EXPECT_EQ(seeds.equivalence_p, tost_paired(values[0], values[1], {-2, 2}).p);
  EXPECT_EQ(compare({.pairing = Pairing::unpaired, .margin = {}}, values).p, welch_t(values[0], values[1]).p);
  const Comparison folds{.pairing = Pairing::folds, .train = 5, .test = 1, .margin = {}};
  EXPECT_GT(compare(folds, values).p, paired.p);
}

TEST(Comparison, OfEqualRunsFindsNothingAndProvesEquivalence) {
  const std::vector<Reals> values = {{91, 92, 93}, {91, 92, 93}};
  for (Pairing pairing : {Pairing::seeds, Pairing::folds}) {
    const Answer answer = compare({.pairing = pairing, .train = 9, .test = 1, .margin = {-0.1, 0.1}}, values);
    EXPECT_EQ(answer.p, 1);
    EXPECT_EQ(answer.pairs[0].difference, 0);
    EXPECT_TRUE(answer.equivalent);
  }
}

TEST(Comparison, OfExamplesIsMcNemarsAndTangos) {
  Random random(2);
  std::vector<Reals> right(2);
  for (int i = 0; i < 2000; ++i) {
    right[0].push_back(random.uniform() < 0.9);
    right[1].push_back(random.uniform() < 0.02 ? 1 - right[0].back() : right[0].back());
  }
  const Answer answer = compare({.outcome = Outcome::per_example, .margin = {-0.03, 0.03}}, right);
  EXPECT_EQ(answer.choice.test, "mcnemar_mid_p");
  EXPECT_TRUE(answer.equivalent);
  EXPECT_LT(answer.pairs[0].interval.low, answer.equivalence_interval.low);
  right.push_back(Reals(2000, 1));
  const Answer many = compare({.outcome = Outcome::per_example, .variants = 3, .margin = {}}, right);
  EXPECT_LT(many.p, 1e-10);
  EXPECT_EQ(many.pairs.size(), 3u);
}

TEST(Comparison, OfManyVariantsAdjustsEveryPair) {
  const std::vector<Reals> values = runs(4, 12);
  for (Pairing pairing : {Pairing::unpaired, Pairing::seeds, Pairing::folds, Pairing::data_sets}) {
    const Answer answer = compare({.pairing = pairing, .variants = 4, .train = 11, .test = 1, .margin = {}}, values);
    ASSERT_EQ(answer.pairs.size(), 6u);
    for (const PairAnswer& pair : answer.pairs) {
      EXPECT_LT(pair.first, pair.second);
      double difference = 0;
      for (size_t i = 0; i < 12; ++i) difference += (values[pair.first][i] - values[pair.second][i]) / 12;
      EXPECT_NEAR(pair.difference, difference, 1e-12);
      EXPECT_GE(pair.p, 0);
      EXPECT_LE(pair.p, 1);
    }
    EXPECT_GT(answer.statistic, pairing == Pairing::folds ? -1 : 0);
  }
}

}  // namespace
}  // namespace nibble::stats
