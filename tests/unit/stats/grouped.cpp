#include "stats/pairs/grouped.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.hpp"
#include "base/random.hpp"
#include "stats/bootstrap.hpp"
#include "stats/choice.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"
#include "stats/pairs/permutation.hpp"

using namespace nibble;
using namespace nibble::stats;

namespace {

/// Errors of two methods on `count` examples, the first larger by `shift` on average.
struct Errors {
  explicit Errors(size_t count, double shift = 0.1) {
    Random random(3);
    for (size_t i = 0; i < count; ++i) {
      const double common = random.normal();
      first.push_back(common + shift + 0.3 * random.normal());
      second.push_back(common);
    }
  }
  std::vector<double> first, second;
};

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(GroupedDifference, IsThatOfPairsWhereEveryRowIsAGroup) {
  const Errors errors(30);
  const GroupedDifference found = grouped_difference(errors.first, errors.second, {});
  const std::vector<double> d = differences(errors.first, errors.second);
  const Bootstrap expected = bootstrap(d.size(), mean_of(d));
  EXPECT_DOUBLE_EQ(found.estimate, mean(d));
  EXPECT_EQ(found.interval.low, expected.interval.low);
  EXPECT_EQ(found.interval.high, expected.interval.high);
  EXPECT_NEAR(found.p, paired_permutation(errors.first, errors.second).p, 1e-12);
}

TEST(GroupedDifference, LearnsNothingFromARowThatIsThereTwice) {
  const Errors errors(20);
  std::vector<double> first, second;
  std::vector<int64_t> groups;
  for (size_t i = 0; i < 20; ++i)
    for (int copy = 0; copy < 2; ++copy) {
      first.push_back(errors.first[i]), second.push_back(errors.second[i]);
      groups.push_back(static_cast<int64_t>(i));
    }
  const GroupedDifference once = grouped_difference(errors.first, errors.second, {});
  const GroupedDifference twice = grouped_difference(first, second, groups);
  EXPECT_NEAR(twice.interval.low, once.interval.low, 1e-9);
  EXPECT_NEAR(twice.interval.high, once.interval.high, 1e-9);
  EXPECT_NEAR(twice.p, once.p, 1e-9);
  const GroupedDifference without = grouped_difference(first, second, {});
  EXPECT_LT(without.interval.high - without.interval.low, 0.8 * (once.interval.high - once.interval.low));
}

TEST(TostGrouped, IsStudentsByTheStandardErrorOfGroups) {
  const Errors errors(40, 0);
  std::vector<int64_t> groups(40);
  for (size_t i = 0; i < 40; ++i) groups[i] = static_cast<int64_t>(i / 4);
  const Equivalence found = tost_grouped(errors.first, errors.second, groups, {-0.5, 0.5});
  EXPECT_EQ(found.df, 9);
  EXPECT_EQ(found.standard_error, grouped_difference(errors.first, errors.second, groups).standard_error);
  EXPECT_NEAR(found.p, student_upper((0.5 - std::abs(found.estimate)) / found.standard_error, 9), 1e-12);
  EXPECT_TRUE(found.equivalent);
  EXPECT_FALSE(tost_grouped(errors.first, errors.second, groups, {-0.01, 0.01}).equivalent);
}

TEST(TostGrouped, OfEqualErrorsIsEquivalentWithinAnyMarginAroundZero) {
  const Errors errors(10);
  EXPECT_EQ(tost_grouped(errors.first, errors.first, {}, {-1e-9, 1e-9}).p, 0);
  EXPECT_FALSE(tost_grouped(errors.first, errors.first, {}, {1e-9, 1}).equivalent);
}

TEST(ErrorsOfExamples, AreComparedByGroupsWhereThereAreGroups) {
  const Errors errors(30, 0.5);
  Comparison comparison;
  comparison.outcome = Outcome::error_per_example;
  comparison.margin = {-1, 1};
  const std::vector<std::vector<double>> values{errors.first, errors.second};
  Answer answer = compare(comparison, values);
  EXPECT_EQ(answer.choice.test, "grouped_difference");
  EXPECT_EQ(answer.choice.equivalence, "tost_grouped");
  EXPECT_EQ(answer.p, grouped_difference(errors.first, errors.second, {}).p);
  EXPECT_TRUE(answer.equivalent);
  comparison.groups.assign(30, 0);
  std::fill(comparison.groups.begin() + 15, comparison.groups.end(), 1);
  answer = compare(comparison, values);
  EXPECT_GT(answer.p, 0.4);  // two groups have four signs
  comparison.margin = {}, comparison.variants = 3, comparison.groups.clear();
  answer = compare(comparison, std::vector{errors.first, errors.second, errors.second});
  EXPECT_EQ(answer.pairs.size(), 3U);
  EXPECT_EQ(answer.pairs.back().p, 1);
}

TEST(GroupErrors, NameWhatIsMissing) {
  const Errors errors(4);
  const std::vector<int64_t> few{1, 2}, one{1, 1, 1, 1};
  EXPECT_EQ(message_of([&] { grouped_difference(errors.first, errors.second, few); }),
            "stats: groups: 2 beside 4 rows (expected one a row)");
  EXPECT_EQ(message_of([&] { grouped_difference(errors.first, errors.second, one); }),
            "stats: groups: one group (expected at least two)");
  EXPECT_EQ(message_of([&] {
              tost_grouped(errors.first, errors.second, {}, {1, 1});
            }),
            "stats: margin: 1 to 1 (expected a low end below the high one)");
}
