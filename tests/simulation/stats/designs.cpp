#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simulation/stats/studies.hpp"
#include "stats/designs/anova.hpp"
#include "stats/designs/mixed_model.hpp"
#include "stats/designs/ranked_blocks.hpp"
#include "stats/distributions.hpp"
#include "stats/multiplicity.hpp"
#include "stats/power.hpp"

namespace nibble::stats {
namespace {

using Reals = std::vector<double>;

/// A factor whose level of run i is level(i).
template <class Level>
Factor made(std::string name, size_t runs, int levels, Level level) {
  Factor result{std::move(name), {}, {}};
  for (int l = 0; l < levels; ++l) result.levels.push_back(std::to_string(l));
  for (size_t i = 0; i < runs; ++i) result.of_run.push_back(level(static_cast<int>(i)));
  return result;
}

std::vector<Reals> blocks(Random& random, size_t count, size_t methods) {
  std::vector<Reals> values;
  for (size_t i = 0; i < count; ++i) values.push_back(normals(random, methods, 10 * random.normal()));
  return values;
}

constexpr int64_t short_form = 300;

TEST(Simulation, AnalysesOfDesignsRejectATrueHypothesisAsOftenAsTheySay) {
  Studies studies(short_form);
  // 2 x 3 levels, cells of 1 to 5 runs.
  const Factor a = made("a", 19, 2, [](int i) { return i < 12; });
  const Factor b = made("b", 19, 3, [](int i) { return i % 5 == 0 ? 2 : i % 2; });
  const Design crossed{{a, b}, interactions(2, 2)};
  // b has an effect that a has not; type II and III must not mistake it for a's.
  const auto outcomes = [&](Random& random) {
    Reals y = normals(random, 19);
    for (size_t i = 0; i < 19; ++i) y[i] += 3 * b.of_run[i];
    return y;
  };
  const auto rejects = [&](SumsOfSquares type, size_t row) {
    return [&, type, row](Random& random) {
      return analyse_variance(crossed, outcomes(random), type).rows[row].p <= 0.05;
    };
  };
  studies.claim("type I, interaction, unbalanced 2 x 3", 0.05, rejects(SumsOfSquares::sequential, 2));
  studies.claim("type II, main effect, unbalanced 2 x 3", 0.05, rejects(SumsOfSquares::hierarchical, 0));
  studies.claim("type III, main effect, unbalanced 2 x 3", 0.05, rejects(SumsOfSquares::marginal, 0));

  const Design one_way{{made("method", 20, 4, [](int i) { return i % 4; })}, {{0}}};
  const double between = 0.7;
  studies.claim("one factor of 4 levels, 5 runs each: power", anova_power(4, 5, between, 1), [&](Random& random) {
    Reals y = normals(random, 20);
    for (size_t i = 0; i < 20; i += 4) y[i] += 2 * std::sqrt(between);  // means m, 0, 0, 0: variance m^2 / 4
    return analyse_variance(one_way, y, SumsOfSquares::sequential).rows[0].p <= 0.05;
  });
  studies.claim("Tukey's comparison of 4 levels, any pair", 0.05, [&](Random& random) {
    const Reals y = normals(random, 20);
    for (const LevelDifference& d : tukey_hsd(one_way, y, 0))
      if (d.p <= 0.05) return true;
    return false;
  });

  const Factor seed = made("seed", 24, 6, [](int i) { return i / 4; });
  const Design within{{made("method", 24, 4, [](int i) { return i % 4; })}, {{0}}};
  const auto with_seeds = [&](Random& random) {
    const Reals of_seed = normals(random, 6, 0, 1.5);
    Reals y = normals(random, 24);
    for (size_t i = 0; i < 24; ++i) y[i] += of_seed[i / 4];
    return y;
  };
  studies.claim(
      "mixed model, 4 methods within 6 seeds", 0.05,
      [&](Random& random) { return fit_mixed_model(within, seed, with_seeds(random)).terms[0].test.p <= 0.05; }, 0.002);
  const Factor recording = made("recording", 60, 12, [](int i) { return i / 5; });
  studies.claim(
      "mixed model, no deviation between 12 groups", 0.05,
      [&](Random& random) { return fit_mixed_model({}, recording, normals(random, 60)).group_p <= 0.05; }, 0.015);
  studies.judge();
}

TEST(Simulation, RanksOverDataSetsRejectATrueHypothesisAboutAsOftenAsTheySay) {
  Studies studies(short_form);
  studies.claim(
      "Iman and Davenport, 5 methods, 20 data sets", 0.05,
      [](Random& random) { return friedman(blocks(random, 20, 5)).iman_davenport.p <= 0.05; }, 0.006);
  studies.claim(
      "Friedman's chi squared, the same", 0.05,
      [](Random& random) { return friedman(blocks(random, 20, 5)).corrected.p <= 0.05; }, 0.01);
  const double distance = nemenyi_critical_difference(5, 20);
  studies.claim(
      "Nemenyi, any pair", 0.05,
      [&](Random& random) {
        const Reals ranks = friedman(blocks(random, 20, 5)).mean_ranks;
        const auto [least, most] = std::minmax_element(ranks.begin(), ranks.end());
        return *most - *least >= distance;
      },
      0.012);
  studies.claim(
      "Quade, 4 methods, 10 data sets", 0.05, [](Random& random) { return quade(blocks(random, 10, 4)).p <= 0.05; },
      0.012);
  studies.judge();
}

TEST(Simulation, AdjustedPValuesKeepTheirErrorOverAllHypotheses) {
  Studies studies(10 * short_form);
  const auto uniforms = [](Random& random, size_t count) {
    Reals p(count);
    for (double& value : p) value = random.uniform();
    return p;
  };
  const auto any = [](const Reals& p) { return std::ranges::any_of(p, [](double value) { return value <= 0.05; }); };
  studies.claim("Holm, any of 10 true hypotheses", 1 - std::pow(1 - 0.005, 10),
                [&](Random& random) { return any(holm(uniforms(random, 10))); });
  studies.claim(
      "Hochberg, any of 10", 0.05, [&](Random& random) { return any(hochberg(uniforms(random, 10))); }, 0.001);
  studies.claim("Benjamini and Hochberg, any of 10", 0.05,
                [&](Random& random) { return any(benjamini_hochberg(uniforms(random, 10))); });
  // Ten true hypotheses among twenty, the others far off: half of the level.
  const auto share = [&](auto adjust) {
    return [&uniforms, adjust](Random& random) {
      Reals p = uniforms(random, 20);
      for (size_t i = 10; i < 20; ++i) p[i] = normal_upper(3 + random.normal());
      const Reals adjusted = adjust(p);
      double wrong = 0;
      double rejected = 0;
      for (size_t i = 0; i < 20; ++i) {
        rejected += adjusted[i] <= 0.05;
        wrong += i < 10 && adjusted[i] <= 0.05;
      }
      return rejected == 0 ? 0 : wrong / rejected;
    };
  };
  studies.claim_mean("Benjamini and Hochberg, share of false ones", 0.025, share(benjamini_hochberg));
  double sum = 0;
  for (int i = 1; i <= 20; ++i) sum += 1.0 / i;
  studies.claim_mean("Benjamini and Yekutieli, share of false ones", 0.025 / sum, share(benjamini_yekutieli));
  studies.judge();
}

}  // namespace
}  // namespace nibble::stats
