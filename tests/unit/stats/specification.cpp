// The values of STATISTICS.md, section 5, as its sources print them.
#include <gtest/gtest.h>

#include <array>
#include <sstream>

#include "stats/designs/anova.hpp"
#include "stats/designs/mixed_model.hpp"
#include "stats/designs/ranked_blocks.hpp"
#include "stats/multiplicity.hpp"
#include "stats/pairs/equivalence.hpp"
#include "stats/pairs/mcnemar.hpp"
#include "stats/pairs/means.hpp"
#include "stats/pairs/proportions.hpp"
#include "stats/pairs/signed_rank.hpp"
#include "stats/power.hpp"
#include "stats/studentised_range.hpp"
#include "unit/stats/printed.hpp"

namespace nibble::stats {
namespace {

using Reals = std::vector<double>;

/// Each value beside what is printed of it.
void expect_all(const Reals& values, const std::string& printed) {
  std::istringstream words(printed);
  std::string word;
  for (double value : values) {
    ASSERT_TRUE(words >> word) << printed;
    expect_printed(value, word);
  }
  EXPECT_FALSE(words >> word) << printed;
}

Reals ends(const ConfidenceInterval& interval) {
  return {interval.low, interval.high};
}

TEST(Specification, McNemarsTests) {
  struct Line {
    int64_t b, c;
    std::string exact, corrected, corrected_p, statistic, p;
  };
  const std::vector<Line> lines = {
      {150, 86, "3.71593614e-05", "16.81779661", "4.114562e-05", "17.3559322", "3.099293e-05"},
      {121, 59, "4e-6", "20.67222", "5.450095e-06", "21.35556", "3.815136e-06"},
      {70, 59, ".378688", ".7751938", ".3786151", ".9379845", ".3327967"},
      {80, 59, ".089452", "2.87769784", ".08981434", "3.17266187", ".07488031"},
      {60, 45, ".1715646972", "1.8666667", ".1718573", "2.1428571", ".1432349"}};
  for (const Line& line : lines) {
    const ChiSquaredTest corrected = mcnemar_chi_squared(line.b, line.c, true);
    const ChiSquaredTest plain = mcnemar_chi_squared(line.b, line.c, false);
    expect_printed(mcnemar_exact(line.b, line.c), line.exact);
    expect_printed(corrected.statistic, line.corrected);
    expect_printed(corrected.p, line.corrected_p);
    expect_printed(plain.statistic, line.statistic);
    expect_printed(plain.p, line.p);
  }
  expect_all({mcnemar_exact(30, 60), mcnemar_exact(10, 30), mcnemar_exact(10, 10)}, ".00206 .002221 1.0");
  expect_all({mcnemar_mid_p(150, 86), mcnemar_mid_p(60, 45)}, "2.893389518e-05 .1447823393");
}

TEST(Specification, PairedShares) {
  const PairedTable survey{794, 150, 86, 570};
  expect_all({survey.difference(), wald_paired_standard_error(survey)}, ".04 .009549214627");
  expect_all(ends(wald_paired_difference(survey)), ".02128388 .05871612");
  const PairedTable images{9135, 60, 45, 760};
  expect_all({images.difference(), wald_paired_standard_error(images)}, ".0015 .00102458528");
  expect_all(ends(wald_paired_difference(images)), "-.00050815 .00350815");
  expect_all(ends(wald_paired_difference(images, 0.9)), "-.00018529 .00318529");
  expect_printed(tost_paired_shares_wald(images, {-0.005, 0.005}).p, ".00031772224");
  expect_all({tango_score(images, 0), tango_score(images, -0.005), tango_score(images, 0.005)},
             "1.463850109 5.711486053 -3.205083588");
  expect_all(ends(tango_paired_difference(images)), "-.0005176440 .0035689025");
  expect_all(ends(tango_paired_difference(images, 0.9)), "-.0001878603 .0032243485");
  expect_all(ends(newcombe_paired_difference(images)), "-.0005360387 .0035494948");
  expect_all(ends(newcombe_paired_difference({36, 12, 2, 0})), ".0569296 .3404276");
  expect_all(ends(newcombe_paired_difference({20, 12, 2, 16})), ".0561564 .3292070");
}

TEST(Specification, Shares) {
  expect_all(ends(wilson(9195, 10000)), ".9140051136 .9246727118");
  expect_all(ends(wilson(682, 925)), ".7079959876 .7646358010");
  expect_all(ends(clopper_pearson(9195, 10000)), ".9139945459 .9247596511");
  expect_all(ends(clopper_pearson(682, 925)), ".7076683 .7654066");
  expect_printed(binomial_test(682, 925, 0.75), ".3825");
  const ChiSquaredTest smokers =
      equal_proportions(std::array<int64_t, 4>{83, 90, 129, 70}, std::array<int64_t, 4>{86, 93, 136, 82});
  expect_all({smokers.statistic, smokers.df, smokers.p}, "12.6 3 .005585");
}

std::vector<std::vector<uint8_t>> columns(const std::vector<std::string>& rows) {
  std::vector<std::vector<uint8_t>> result(rows[0].size());
  for (const std::string& row : rows)
    for (size_t j = 0; j < row.size(); ++j) result[j].push_back(row[j] == '1');
  return result;
}

TEST(Specification, CochransQ) {
  const ChiSquaredTest a = cochran_q(columns({"1011", "0111", "1110", "0100", "0100", "1010", "0100", "1111", "0100"}));
  expect_all({a.statistic, a.df}, "4.2 3");
  const ChiSquaredTest b =
      cochran_q(columns({"00110", "01010", "01101", "10001", "11000", "10100", "01000", "00110", "00000"}));
  expect_all({b.statistic, b.df}, "1.217391304 4");
}

TEST(Specification, PowerAndSize) {
  const auto connor = [](double psi, double d) {
    return Reals{examples_needed(psi, d, 0.8), examples_needed(psi, d, 0.9)};
  };
  expect_all(connor(.05, .01), "3922.08 5249.56");
  expect_all(connor(.025, .005), "7846.52 10503.27");
  expect_all(connor(.025, .003), "21800.09 29183.13");
  expect_all(connor(.1, .005), "31393.16 42025.54");
  expect_all(connor(.4, .2), "76.087 100.854");
  const auto tost = [](double psi, double m) {
    return Reals{equivalence_examples_needed(psi, m, 0.8), equivalence_examples_needed(psi, m, 0.9)};
  };
  expect_all(tost(.025, .005), "8563.85 10822.17");
  expect_all(tost(.025, .003), "23788.46 30061.59");
  expect_all(tost(.05, .005), "17127.69 21644.35");
  // R leaves out what is rejected on the wrong side, 2e-7 here, and finds sizes to 1e-4.
  const PowerOptions two{.samples = Samples::two};
  const PowerOptions one_sided{.sides = Sides::one, .samples = Samples::two};
  expect_all({t_power(20, 1, two), t_size_needed(1, 0.9, two), t_size_needed(1, 0.9, one_sided)},
             ".868953 22.0211 17.8471");
  expect_all({shares_power(50, .5, .75), shares_size_needed(.5, .75, .9)}, ".74017 76.707");
  expect_all({anova_power(4, 5, 1, 3), anova_size_needed(4, 1, 3, .8)}, ".3535594 11.9261");
  expect_printed(anova_size_needed(4, 500.0 / 3, 500, .9), "15.1883");
  expect_all({t_power(5, 2), t_size_needed(1, .9)}, ".90888486 12.5855");
  Reals power;
  for (double p : {.6, .61, .62, .63, .64, .65, .66, .67, .68, .69})
    power.push_back(share_tost_power(500, {.5, .7}, p));
  expect_all(power, ".9965 .9940 .9815 .9482 .8783 .7583 .5914 .4041 .2352 .1139");
  EXPECT_EQ(share_tost_counts(500, {.5, .7}).first, 269);
  EXPECT_EQ(share_tost_counts(500, {.5, .7}).last, 332);
  expect_all({uncertainty_reduction(5, 3, 5, 5), uncertainty_reduction(5, 3, 7, 3)},
             "1.1547005383792515 1.0583005244258363");
}

const Reals first_drug = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0};
const Reals second_drug = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};

TEST(Specification, Means) {
  const TTest sleep = paired_t(first_drug, second_drug);
  expect_all({sleep.t, sleep.df, sleep.p}, "-4.0621277 9 .0028329");
  expect_all(ends(sleep.interval), "-2.45988576 -.70011424");
  expect_printed(tost_paired(first_drug, second_drug, {-3, 3}).p, ".00265557");
  Reals low;
  Reals high;
  for (int i = 1; i <= 10; ++i) low.push_back(i);
  for (int i = 7; i <= 20; ++i) high.push_back(i);
  const TTest welch = welch_t(low, high);
  expect_all({welch.t, welch.df, welch.p}, "-5.4349 21.982 1.855e-05");
  const Reals x = {71.42, 71.31, 71.55, 71.38, 71.47};
  const Reals y = {71.36, 71.35, 71.40, 71.33, 71.49};
  const Equivalence seeds = tost_paired(x, y, {-.1, .1});
  expect_all({seeds.estimate, seeds.standard_error, seeds.p}, ".04 .033615473 .074416713");
  expect_all(ends(seeds.interval), "-.031663037 .111663037");
  expect_all({tost_paired(x, y, {-.2, .2}).p, tost_paired(x, y, {-.3, .3}).p}, ".0044535376 .000752442");
  EXPECT_FALSE(seeds.equivalent);
  EXPECT_TRUE(tost_paired(x, y, {-.2, .2}).equivalent);
  const Equivalence share = tost_share(228, 762, {.18, .38});
  expect_all({share.lower, share.upper}, "7.1865 -4.8701");
}

TEST(Specification, EquivalenceInTheClinic) {
  const Reals a1 = {2.84, 2.51, 2.41, 2.95, 3.14, 3.79, 4.14, 3.85, 3.02, 3.45, 5.37, 3.81, 4.19, 3.16, 3.84};
  const Reals b1 = {2.60, 2.82, 2.18, 3.46, 4.01, 3.04, 3.47, 4.06, 2.91, 3.59, 4.51, 3.16, 3.86, 3.31, 3.02};
  const Reals a2 = {4.00, 3.26, 4.14, 3.42, 3.25, 4.34, 4.97, 4.31, 3.11, 3.41, 5.02, 4.21, 4.59, 5.30, 4.32};
  const Reals b2 = {3.76, 3.66, 3.65, 3.60, 3.48, 2.87, 3.24, 3.92, 3.99, 4.21, 4.21, 3.31, 3.61, 2.97, 2.73};
  const ConfidenceInterval margin{-.6, .6};
  const Equivalence paired2 = tost_paired(a2, b2, margin);
  expect_all({paired2.estimate, paired2.standard_error, paired2.df, paired2.p}, ".5626667 .24782764 14 .4412034046");
  const Equivalence paired1 = tost_paired(a1, b1, margin);
  expect_all({paired1.estimate, paired1.standard_error, paired1.p}, ".1646667 .1357514 .00316688149");
  const Equivalence welch1 = tost_welch(a1, b1, margin);
  expect_all({welch1.df, welch1.p}, "26.7484787582 .04853083976");
  expect_printed(tost_pooled(a1, b1, margin).p, ".04827315101");
  const Equivalence welch2 = tost_welch(a2, b2, margin);
  expect_all({welch2.df, welch2.p}, "24.11000151 .43179368");
  expect_printed(tost_paired_ratio(a1, b1, {0.8, 1.25}).p, ".000166415793");
}

TEST(Specification, Resampling) {
  const Reals a = {.912, .905, .918, .921, .909, .915, .911, .920, .907, .914};
  const Reals b = {.908, .903, .911, .918, .910, .909, .907, .914, .905, .911};
  Reals d;
  for (size_t i = 0; i < 10; ++i) d.push_back(a[i] - b[i]);
  const TTest naive = paired_t(a, b);
  expect_all({naive.estimate, naive.t, naive.p}, ".0036 4.8107024 .00095931");
  const TTest corrected = corrected_resampled_t(d, 9, 1);
  expect_all({corrected.t, corrected.p}, "3.3109524 .00907013");
  const Reals p1 = {.012, .018, .006, .015, .010};
  const Reals p2 = {.008, .011, .014, .009, .005};
  const TTest t = five_by_two_t(p1, p2);
  const FTest f = five_by_two_f(p1, p2);
  expect_all({t.t, t.p, f.f, f.p}, "2.7529888 .0401674 6.9263158 .0226889");
}

TEST(Specification, SignedRanks) {
  const Reals x = {1.83, .50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
  const Reals y = {.878, .647, .598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
  const SignedRank one = signed_rank(x, y, {.alternative = Alternative::greater});
  expect_all({one.v, one.p, signed_rank(x, y).p}, "40 .01953 .03906");
  // The normal approximation as printed has no correction: z = (V - 22.5) / sqrt(71.25).
  expect_printed(0.5 * std::erfc((one.v - 22.5) / std::sqrt(71.25) / std::sqrt(2.0)), ".01908");
}

std::vector<Reals> demsar() {
  return {{.763, .768, .771, .798}, {.599, .591, .590, .569},
          {.954, .971, .968, .967}, {.628, .661, .654, .657},
          {.882, .888, .886, .898}, {.936, .931, .916, .931},
          {.661, .668, .609, .685}, {.583, .583, .563, .625},
          {.775, .838, .866, .875}, {1, 1, 1, 1},
          {.940, .962, .965, .962}, {.619, .666, .614, .669},
          {.972, .981, .975, .975}, {.957, .978, .946, .970}};
}

Reals column(const std::vector<Reals>& rows, size_t j) {
  Reals result;
  for (const Reals& row : rows) result.push_back(row[j]);
  return result;
}

TEST(Specification, ManyDataSets) {
  // Demsar ranks the best 1.
  std::vector<Reals> worse = demsar();
  for (Reals& row : worse)
    for (double& value : row) value = -value;
  const Friedman printed = friedman(worse);
  expect_all(printed.mean_ranks, "3.142857 2 2.928571 1.928571");
  expect_all(
      {printed.uncorrected.statistic, printed.corrected.statistic, printed.corrected.p, printed.iman_davenport.f},
      "9.857143 10.952 .01199 3.986667");
  Reals p;
  for (const RankDifference& pair : nemenyi(worse)) p.push_back(pair.p);
  expect_all(p, ".08867 .97169 .06168 .22670 .99888 .17005");
  worse[12][2] = -.97501;
  const Friedman paper = friedman(worse);
  expect_all(paper.mean_ranks, "3.143 2.000 2.893 1.964");
  expect_all({paper.uncorrected.statistic, paper.iman_davenport.f}, "9.28 3.69");
  expect_all({nemenyi_critical_difference(4, 14), nemenyi_critical_difference(4, 14, .1)}, "1.25 1.12");
  const SignedRank first_two =
      signed_rank(column(demsar(), 0), column(demsar(), 1), {.distribution = RankDistribution::normal});
  expect_all({first_two.v, first_two.p}, "6.5 .01203");
  Reals five;
  Reals ten;
  Reals dunn;
  for (int k = 2; k <= 10; ++k) {
    five.push_back(studentised_range_quantile(.05, k, infinity) / std::sqrt(2.0));
    ten.push_back(studentised_range_quantile(.1, k, infinity) / std::sqrt(2.0));
    dunn.push_back(dunn_critical_difference(k, 6) / std::sqrt(k * (k + 1) / 36.0));
  }
  expect_all(five, "1.959964 2.343701 2.569032 2.727774 2.849705 2.948320 3.030879 3.101730 3.163684");
  expect_all(ten, "1.644854 2.052293 2.291341 2.459516 2.588521 2.692732 2.779884 2.854606 2.919889");
  expect_all(dunn, "1.960 2.241 2.394 2.498 2.576 2.638 2.690 2.734 2.773");
  const FTest q = quade(std::vector<Reals>{{5, 4, 7, 10, 12},
                                           {1, 3, 1, 0, 2},
                                           {16, 12, 22, 22, 35},
                                           {5, 4, 3, 5, 4},
                                           {10, 9, 7, 13, 10},
                                           {19, 18, 28, 37, 58},
                                           {10, 7, 6, 8, 7}});
  expect_all({q.f, q.df1, q.df2, q.p}, "3.8293 4 24 .01519");
}

TEST(Specification, TheStudentisedRange) {
  Reals cumulative;
  for (int q = 0; q <= 10; ++q) cumulative.push_back(1 - studentised_range_upper(q, 2, 5));
  expect_all(cumulative, "0 .4889159 .7835628 .9126407 .9632574 .9833586 .9918510 .9957141 .9976011 .9985838 .9991249");
  Reals quantiles;
  for (int df = 3; df <= 11; ++df) quantiles.push_back(studentised_range_quantile(.05, 2, df));
  expect_all(quantiles, "4.500659 3.9265 3.635351 3.460456 3.344084 3.261182 3.199173 3.151064 3.112663");
  // Of two groups it is Student's t times sqrt(2): R's 6.079637 at two degrees of freedom is its quadrature's error, and
  // its 3.926503 at four that of a search which ends within 1e-4.
  expect_printed(studentised_range_quantile(.05, 2, 2), "6.084870");
}

TEST(Specification, AdjustedPValues) {
  const Reals p = {.838541367553, .642193923795,     .680845947633,  .967833824309,   .71626938238,
                   .177096952723, 5.23656777208e-05, .0202732688798, .00028140506198, .0149877310796};
  const auto sorted = [](Reals values) {
    std::sort(values.begin(), values.end());
    return values;
  };
  expect_all(
      sorted(benjamini_hochberg(p)),
      "5.2365677e-04 1.4070253e-03 .0499591036 .0506831722 .3541939 .8953367 .8953367 .8953367 .9317126 .9678338");
  expect_all(sorted(holm(p)), "5.2365677e-04 .0025326456 .1199018486 .1419128822 1 1 1 1 1 1");
  expect_all(sorted(benjamini_yekutieli(p)), ".0015337741 .0041211325 .1463286284 .1484494024 1 1 1 1 1 1");
  const Reals ten = {.001, .008, .039, .041, .042, .06, .074, .205, .212, .216};
  expect_all(benjamini_hochberg(ten), ".01 .04 .084 .084 .084 .1 .1057143 .216 .216 .216");
  expect_all(holm(ten), ".01 .072 .312 .312 .312 .312 .312 .615 .615 .615");
  expect_all(hochberg(ten), ".01 .072 .216 .216 .216 .216 .216 .216 .216 .216");
  expect_all(benjamini_yekutieli(ten),
             ".0292897 .1171587 .2460333 .2460333 .2460333 .2928968 .3096338 .6326571 .6326571 .6326571");
}

/// "yield" of npk, and its runs' factors.
struct Npk {
  Factor block, n, p, k;
  Reals yield;
};

Npk npk() {
  const std::vector<std::string> runs = {"1 011", "1 110", "1 000", "1 101", "2 100", "2 111", "2 001", "2 010",
                                         "3 010", "3 111", "3 100", "3 001", "4 100", "4 111", "4 001", "4 010",
                                         "5 110", "5 000", "5 101", "5 011", "6 101", "6 110", "6 011", "6 000"};
  std::array<std::vector<std::string>, 4> levels;
  for (const std::string& run : runs) {
    levels[0].push_back(run.substr(0, 1));
    for (size_t i = 1; i < 4; ++i) levels[i].push_back(run.substr(i + 1, 1));
  }
  return {factor("block", levels[0]),
          factor("N", levels[1]),
          factor("P", levels[2]),
          factor("K", levels[3]),
          {49.5, 62.8, 46.8, 57.0, 59.8, 58.5, 55.5, 56.0, 62.8, 55.8, 69.5, 55.0,
           62.0, 48.8, 45.5, 44.2, 52.0, 51.5, 49.8, 48.8, 57.2, 59.0, 53.2, 56.0}};
}

TEST(Specification, NpkWithinItsBlocks) {
  const Npk data = npk();
  const Design design{{data.block, data.n, data.p, data.k}, {{0}, {1}, {2}, {3}, {1, 2}, {1, 3}, {2, 3}, {1, 2, 3}}};
  const Anova table = analyse_variance(design, data.yield, SumsOfSquares::sequential);
  Reals sums;
  Reals ratios;
  Reals p;
  for (const AnovaRow& row : table.rows) {
    sums.push_back(row.sum_of_squares);
    ratios.push_back(row.f);
    p.push_back(row.p);
  }
  // N:P:K is confounded with the blocks.
  EXPECT_EQ(table.rows[7].df, 0);
  expect_all(Reals(sums.begin(), sums.end() - 1), "343.2950 189.2817 8.4017 95.2017 21.2817 33.1350 .4817");
  expect_all(Reals(ratios.begin() + 1, ratios.end() - 1), "12.259 .544 6.166 1.378 2.146 .031");
  expect_all(Reals(p.begin() + 1, p.end() - 1), ".00437 .47490 .02880 .26317 .16865 .86275");
  expect_all({table.residual_sum_of_squares, table.residual_mean_square}, "185.2867 15.44");
  EXPECT_EQ(table.residual_df, 12);
}

TEST(Specification, NpkWithBlocksDrawnAtRandom) {
  const Npk data = npk();
  const MixedModel model = fit_mixed_model({{data.n, data.p, data.k}, interactions(3, 3)}, data.block, data.yield);
  expect_all({model.group_deviation, model.residual_deviation}, "3.90937 3.92945");
  expect_all({model.terms.front().test.f, model.terms.back().test.f, model.terms.back().test.p},
             "12.25873 .48322 .525");
}

TEST(Specification, Warpbreaks) {
  const Reals breaks = {26, 30, 54, 25, 70, 52, 51, 26, 67, 18, 21, 29, 17, 12, 18, 35, 30, 36,
                        36, 21, 24, 18, 10, 43, 28, 15, 26, 27, 14, 29, 19, 29, 31, 41, 20, 44,
                        42, 26, 19, 16, 39, 28, 21, 39, 29, 20, 21, 24, 17, 13, 15, 15, 16, 28};
  std::vector<std::string> wool;
  std::vector<std::string> tension;
  for (size_t i = 0; i < breaks.size(); ++i) {
    wool.push_back(i < 27 ? "A" : "B");
    tension.push_back(std::string(1, "LMH"[i / 9 % 3]));
  }
  const Design crossed{{factor("wool", wool), factor("tension", tension)}, interactions(2, 2)};
  const Anova table = analyse_variance(crossed, breaks, SumsOfSquares::hierarchical);
  expect_all({table.rows[0].sum_of_squares, table.rows[1].sum_of_squares, table.rows[2].sum_of_squares},
             "450.6667 2034.2593 1002.7778");
  expect_all({table.rows[0].f, table.rows[1].f, table.rows[2].f}, "3.76529 8.49805 4.18907");
  expect_all({table.rows[0].p, table.rows[1].p, table.rows[2].p}, ".05821298 .00069262 .02104419");
  expect_printed(table.residual_sum_of_squares, "5745.1111");
  EXPECT_EQ(table.residual_df, 48);
  const std::vector<LevelDifference> pairs = tukey_hsd({crossed.factors, {{0}, {1}}}, breaks, 1);
  expect_all({pairs[0].estimate, pairs[1].estimate, pairs[2].estimate}, "-10.0 -14.722222 -4.722222");
  expect_all({pairs[0].p, pairs[1].p, pairs[2].p}, ".0336262 .0011218 .4474210");
}

TEST(Specification, Dyestuff) {
  const Reals yield = {1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560,
                       1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445};
  std::vector<std::string> batch;
  for (size_t i = 0; i < 30; ++i) batch.push_back(std::string(1, "ABCDEF"[i / 5]));
  const MixedModel reml = fit_mixed_model({}, factor("batch", batch), yield);
  expect_all({reml.criterion, reml.group_deviation, reml.residual_deviation, reml.mean, reml.standard_error},
             "319.65428 42.000595 49.510100 1527.5 19.383412");
  const MixedModel ml = fit_mixed_model({}, factor("batch", batch), yield, Likelihood::ml);
  expect_all({ml.criterion, ml.group_deviation}, "327.32706 37.260345");
  const Anova table = analyse_variance({{factor("batch", batch)}, {{0}}}, yield, SumsOfSquares::sequential);
  expect_all({table.rows[0].f, table.rows[0].p}, "4.59827 .0043975");
}

TEST(Specification, DyestuffWithoutDeviationBetweenBatches) {
  const Reals yield = {7.298, 3.846,  2.434,  9.566, 7.990, 5.220, 6.556, 0.608, 11.788, -0.892,
                       0.110, 10.386, 13.434, 5.510, 8.166, 2.212, 4.852, 7.092, 9.288,  4.980,
                       0.282, 9.014,  4.458,  9.446, 7.198, 1.722, 4.782, 8.106, 0.758,  3.758};
  std::vector<std::string> batch;
  for (size_t i = 0; i < 30; ++i) batch.push_back(std::string(1, "ABCDEF"[i / 5]));
  const MixedModel model = fit_mixed_model({}, factor("batch", batch), yield);
  EXPECT_EQ(model.group_deviation, 0);
  EXPECT_EQ(model.group_p, 1);
  expect_all({model.residual_deviation, model.criterion}, "3.716 161.8283");
}

}  // namespace
}  // namespace nibble::stats
