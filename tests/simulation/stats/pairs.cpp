#include <gtest/gtest.h>

#include <cmath>

#include "simulation/stats/studies.hpp"
#include "stats/bootstrap.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"
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

/// Outcomes of n examples: one alone is right with probabilities b and c, both with `both`.
PairedTable draw_table(Random& random, int64_t n, double b, double c, double both = 0.8) {
  PairedTable table;
  for (int64_t i = 0; i < n; ++i) {
    const double u = random.uniform();
    ++(u < b ? table.only_first : u < b + c ? table.only_second : u < b + c + both ? table.both : table.neither);
  }
  return table;
}

/// The probability that `happens` on such a table, by counting all b and c that are not rarer than 1e-12.
double chance(int64_t n, double b, double c, const std::function<bool(const PairedTable&)>& happens) {
  double sum = 0;
  for (int64_t i = 0; i <= n; ++i) {
    const double first = binomial_mass(i, n, b);
    if (first < 1e-12) continue;
    for (int64_t j = 0; i + j <= n; ++j) {
      const double both = first * binomial_mass(j, n - i, c / (1 - b));
      if (both >= 1e-12 && happens({n - i - j, i, j, 0})) sum += both;
    }
  }
  return sum;
}

bool covers(const ConfidenceInterval& interval, double truth) {
  return interval.low <= truth && truth <= interval.high;
}

constexpr int64_t short_form = 1000;

TEST(Simulation, TestsOfPairsRejectATrueHypothesisAsOftenAsTheySay) {
  Studies studies(short_form);
  const Reals zeros(60);
  studies.claim("paired t, 5 seeds", 0.05,
                [&](Random& random) { return paired_t(normals(random, 5), std::span(zeros).first(5)).p <= 0.05; });
  studies.claim("pooled t, 5 and 8 values", 0.05,
                [](Random& random) { return pooled_t(normals(random, 5), normals(random, 8)).p <= 0.05; });
  studies.claim(
      "Welch's t, 10 and 15 values, variances 1 and 9", 0.05,
      [](Random& random) { return welch_t(normals(random, 10), normals(random, 15, 0, 3)).p <= 0.05; }, 0.005);

  // Ten folds' differences, correlated as test/(train + test) = 0.1: what the corrected test assumes.
  const auto folds = [](Random& random) {
    Reals d = normals(random, 10, 0, std::sqrt(0.9));
    const double shared = std::sqrt(0.1) * random.normal();
    for (double& value : d) value += shared;
    return d;
  };
  studies.claim("corrected resampled t, 10 folds", 0.05,
                [&](Random& random) { return corrected_resampled_t(folds(random), 9, 1).p <= 0.05; });
  const double too_bold = 2 * student_upper(student_quantile(0.975, 9) / std::sqrt(1 + 10.0 / 9), 9);
  studies.claim("(the plain t on these folds)", too_bold,
                [&](Random& random) { return one_sample_t(folds(random)).p <= 0.05; });

  // Of all 2^10 signs of ranks those with p <= 0.05.
  double size = 0;
  for (int signs = 0; signs < 1024; ++signs) {
    Reals x(10);
    for (int i = 0; i < 10; ++i) x[i] = signs >> i & 1 ? i + 1 : -(i + 1);
    size += signed_rank(x, Reals(10)).p <= 0.05;
  }
  studies.claim("signed ranks, exact, 10 pairs", size / 1024,
                [](Random& random) { return signed_rank(normals(random, 10), Reals(10)).p <= 0.05; });
  studies.claim(
      "signed ranks, normal, 40 pairs", 0.05,
      [](Random& random) {
        return signed_rank(normals(random, 40), Reals(40), {.distribution = RankDistribution::normal}).p <= 0.05;
      },
      0.005);
  studies.claim("permutation, exact, 8 pairs", 12.0 / 256,
                [](Random& random) { return paired_permutation(normals(random, 8), Reals(8)).p <= 0.05; });
  studies.claim("permutation, random signs, 40 pairs", 0.05, [](Random& random) {
    return paired_permutation(normals(random, 40), Reals(40), {.resamples = 199, .seed = random.bits()}).p <= 0.05;
  });
  studies.judge();
}

TEST(Simulation, TestsOfPairedOutcomesRejectATrueHypothesisAsOftenAsCountingSays) {
  Studies studies(short_form);
  const auto of_table = [&](const std::string& name, const std::function<bool(const PairedTable&)>& rejects) {
    studies.claim(name, chance(300, 0.05, 0.05, rejects),
                  [&](Random& random) { return rejects(draw_table(random, 300, 0.05, 0.05)); });
  };
  of_table("McNemar exact, 300 examples, 10 % differ",
           [](const PairedTable& t) { return mcnemar_exact(t.only_first, t.only_second) <= 0.05; });
  of_table("McNemar mid-p", [](const PairedTable& t) { return mcnemar_mid_p(t.only_first, t.only_second) <= 0.05; });
  of_table("McNemar chi squared",
           [](const PairedTable& t) { return mcnemar_chi_squared(t.only_first, t.only_second, false).p <= 0.05; });
  of_table("McNemar chi squared, corrected",
           [](const PairedTable& t) { return mcnemar_chi_squared(t.only_first, t.only_second, true).p <= 0.05; });
  studies.claim(
      "Cochran's Q, 3 deciders, 200 examples", 0.05,
      [](Random& random) {
        std::vector<std::vector<uint8_t>> right(3, std::vector<uint8_t>(200));
        for (size_t i = 0; i < 200; ++i) {
          const double easy = random.uniform() < 0.7 ? 0.95 : 0.5;
          for (std::vector<uint8_t>& decider : right) decider[i] = random.uniform() < easy;
        }
        return cochran_q(right).p <= 0.05;
      },
      0.005);
  studies.judge();
}

TEST(Simulation, IntervalsCoverTheTruthAsOftenAsTheySay) {
  Studies studies(short_form);
  studies.claim("paired t, 5 seeds", 0.95,
                [](Random& random) { return covers(paired_t(normals(random, 5, 2), normals(random, 5)).interval, 2); });
  const auto of_share = [&](const std::string& name, ConfidenceInterval interval(int64_t, int64_t, double)) {
    double coverage = 0;
    for (int64_t k = 0; k <= 200; ++k)
      if (covers(interval(k, 200, 0.95), 0.92)) coverage += binomial_mass(k, 200, 0.92);
    EXPECT_GT(coverage, 0.94) << name;
    studies.claim(name, coverage, [&](Random& random) {
      int64_t k = 0;
      for (int i = 0; i < 200; ++i) k += random.uniform() < 0.92;
      return covers(interval(k, 200, 0.95), 0.92);
    });
  };
  of_share("Wilson, 200 examples, 92 % right", wilson);
  of_share("Clopper and Pearson", clopper_pearson);
  const double z = -normal_quantile(0.025);
  const double tango =
      chance(300, 0.06, 0.04, [&](const PairedTable& t) { return std::abs(tango_score(t, 0.02)) <= z; });
  EXPECT_NEAR(tango, 0.95, 0.01);
  studies.claim("Tango, 300 examples, 10 % differ", tango, [](Random& random) {
    return covers(tango_paired_difference(draw_table(random, 300, 0.06, 0.04)), 0.02);
  });
  studies.claim(
      "Newcombe, method 10", 0.95,
      [](Random& random) { return covers(newcombe_paired_difference(draw_table(random, 300, 0.06, 0.04)), 0.02); },
      0.02);
  const BootstrapOptions options{.resamples = 499};
  studies.claim(
      "bootstrap (BCa) of a mean of 40 normal values", 0.95,
      [&](Random& random) {
        const Reals x = normals(random, 40);
        BootstrapOptions own = options;
        own.seed = random.bits();
        return covers(bootstrap(40, mean_of(x), own).interval, 0);
      },
      0.02);

  // 25 recordings of 4 frames, half of the variance between recordings.
  const auto recordings = [](Random& random) {
    Reals x;
    for (int g = 0; g < 25; ++g) {
      const double own = random.normal();
      for (int i = 0; i < 4; ++i) x.push_back(own + random.normal());
    }
    return x;
  };
  std::vector<int64_t> groups;
  for (int64_t i = 0; i < 100; ++i) groups.push_back(i / 4);
  studies.claim(
      "grouped bootstrap of 25 recordings", 0.95,
      [&](Random& random) {
        const Reals x = recordings(random);
        return covers(grouped_bootstrap(groups, mean_of(x), options).interval, 0);
      },
      0.03);
  // The mean's variance is 2.5 times what independent frames would have.
  studies.claim(
      "(the plain bootstrap of their frames)", 1 - 2 * normal_upper(z / std::sqrt(2.5)),
      [&](Random& random) {
        const Reals x = recordings(random);
        return covers(bootstrap(100, mean_of(x), options).interval, 0);
      },
      0.03);
  studies.judge();
}

TEST(Simulation, EquivalenceIsShownWronglyAtItsLevelAndRightlyWithItsPower) {
  Studies studies(short_form);
  const auto seeds = [](double difference, size_t n) {
    return [=](Random& random) { return tost_paired(normals(random, n, difference), Reals(n), {-1, 1}).equivalent; };
  };
  studies.claim("TOST, 20 seeds, at the margin", 0.05, seeds(1, 20));
  studies.claim("TOST, 10 seeds, no difference: power", tost_power(10, 0, {-1, 1}), seeds(0, 10));
  studies.claim("TOST, 10 seeds, a third of the margin: power", tost_power(10, 1.0 / 3, {-1, 1}), seeds(1.0 / 3, 10));

  const auto tango = [](const PairedTable& t) { return tost_paired_shares(t, {-0.02, 0.02}).equivalent; };
  const auto wald = [](const PairedTable& t) { return tost_paired_shares_wald(t, {-0.02, 0.02}).equivalent; };
  const auto at_margin = [](const auto& test) {
    return [&test](Random& random) { return test(draw_table(random, 1000, 0.035, 0.015)); };
  };
  const auto score = [](const PairedTable& t) {  // tango, without the interval that counting has no use for
    return std::min(tango_score(t, -0.02), -tango_score(t, 0.02)) >= -normal_quantile(0.05);
  };
  const double level = chance(1000, 0.035, 0.015, score);
  EXPECT_NEAR(level, 0.05, 0.005);
  studies.claim("TOST (Tango), 1000 examples, at the margin", level, at_margin(tango));
  studies.claim("TOST (Wald), the same", chance(1000, 0.035, 0.015, wald), at_margin(wald));
  studies.claim(
      "TOST (Tango), no difference: power", equivalence_power(1000, 0.05, 0.02),
      [&](Random& random) { return tango(draw_table(random, 1000, 0.025, 0.025)); }, 0.02);
  studies.claim("TOST of repeated splits, at the margin", 0.05, [](Random& random) {
    Reals d = normals(random, 10, 2, std::sqrt(0.9));
    const double shared = std::sqrt(0.1) * random.normal();
    for (double& value : d) value += shared;
    return tost_corrected_resampled(d, 9, 1, {-2, 2}).equivalent;
  });
  studies.judge();
}

TEST(Simulation, DifferencesAreFoundAsOftenAsThePowerSays) {
  Studies studies(short_form);
  studies.claim("paired t, 5 seeds, 1.5 deviations", t_power(5, 1.5),
                [](Random& random) { return paired_t(normals(random, 5, 1.5), Reals(5)).p <= 0.05; });
  studies.claim("paired t, one-sided, 8 seeds", t_power(8, 0.8, {.sides = Sides::one}), [](Random& random) {
    return paired_t(normals(random, 8, 0.8), Reals(8), Alternative::greater).p <= 0.05;
  });
  studies.claim("pooled t, 10 values each", t_power(10, 1, {.samples = Samples::two}),
                [](Random& random) { return pooled_t(normals(random, 10, 1), normals(random, 10)).p <= 0.05; });
  const double n = std::ceil(t_size_needed(1, 0.9));
  studies.claim("paired t, as many seeds as 90 % need", t_power(n, 1), [&](Random& random) {
    return paired_t(normals(random, static_cast<size_t>(n), 1), Reals(static_cast<size_t>(n))).p <= 0.05;
  });
  const auto examples = static_cast<int64_t>(std::ceil(examples_needed(0.1, 0.03, 0.8)));
  studies.claim(
      "McNemar, as many examples as 80 % need", 0.8,
      [&](Random& random) {
        const PairedTable t = draw_table(random, examples, 0.065, 0.035);
        return mcnemar_chi_squared(t.only_first, t.only_second, false).p <= 0.05;
      },
      0.02);
  studies.claim(
      "two shares, 200 examples each", shares_power(200, 0.9, 0.8),
      [](Random& random) {
        std::vector<int64_t> right(2);
        for (int i = 0; i < 200; ++i) {
          right[0] += random.uniform() < 0.9;
          right[1] += random.uniform() < 0.8;
        }
        return equal_proportions(right, std::vector<int64_t>{200, 200}).p <= 0.05;
      },
      0.02);
  studies.judge();
}

}  // namespace
}  // namespace nibble::stats
