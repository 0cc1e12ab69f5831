#pragma once
#include <cstdint>

#include "stats/result.hpp"

namespace nibble::stats {

/// How likely a study finds what is there (power), how large it must be (…_needed: real numbers, to be rounded up), and
/// what a study of that size can find (detectable_…). Powers in (0, 1); alpha in (0, 0.5); sizes at least 2.
/// "Power" of a study already done says what it could have found: it is reckoned from the margin or difference that
/// matters, never from the one seen (Hoenig and Heisey 2001).

enum class Sides { one = 1, two = 2 };
/// Pairs (or values against a constant), or two independent groups of n each.
enum class Samples { paired, two };

struct PowerOptions {
  double alpha = 0.05;
  Sides sides = Sides::two;
  Samples samples = Samples::paired;
};

/// Of Student's t to find a mean difference of `effect` standard deviations (of the differences; of one group where
/// there are two): exact by the noncentral t, rejections on the wrong side included.
double t_power(double n, double effect, const PowerOptions& options = {});
/// Pairs (seeds, folds), or values a group, that a difference of `effect` standard deviations needs.
double t_size_needed(double effect, double power, const PowerOptions& options = {});
/// The effect that n find with that power, in standard deviations.
double detectable_effect(double n, double power, const PowerOptions& options = {});

/// Of TOST on the mean of n pairs, exact: the true difference and the margin in standard deviations of the differences.
double tost_power(double n, double difference, ConfidenceInterval margin, double alpha = 0.05);
/// Pairs needed; difference inside the margin.
double tost_size_needed(double difference, ConfidenceInterval margin, double power, double alpha = 0.05);

/// Of the one-way analysis of variance: `groups` means with the given variance between them (divisor groups - 1), n
/// values each with variance `within`.
double anova_power(int groups, double n, double between, double within, double alpha = 0.05);
double anova_size_needed(int groups, double between, double within, double power, double alpha = 0.05);

/// Of the normal test of two independent shares, n examples each.
double shares_power(double n, double p1, double p2, double alpha = 0.05);
double shares_size_needed(double p1, double p2, double power, double alpha = 0.05);

/// Test examples on which two deciders that disagree on a share `disagreement` and differ by `difference` in accuracy
/// (0 < |difference| <= disagreement <= 1) are told apart by McNemar's test. Source: Connor 1987.
double examples_needed(double disagreement, double difference, double power, double alpha = 0.05);
double mcnemar_power(double examples, double disagreement, double difference, double alpha = 0.05);
/// The least difference in accuracy that so many examples tell.
double detectable_share_difference(double examples, double disagreement, double power, double alpha = 0.05);

/// Test examples on which deciders of one accuracy that disagree on a share `disagreement` are shown to be within
/// -+margin by TOST: (z_{1-alpha} + z_{1-(1-power)/2})^2 disagreement / margin^2.
double equivalence_examples_needed(double disagreement, double margin, double power, double alpha = 0.05);
double equivalence_power(double examples, double disagreement, double margin, double alpha = 0.05);
/// The least margin that so many examples prove.
double provable_margin(double examples, double disagreement, double power, double alpha = 0.05);

/// Exact TOST of one share in (low, high): counts [first, last] of n at which both one-sided binomial tests reject, and
/// the chance of them where the share is p. first > last: none does.
struct RejectedCounts {
  int64_t first = 0;
  int64_t last = 0;
};
RejectedCounts share_tost_counts(int64_t n, ConfidenceInterval margin, double alpha = 0.05);
double share_tost_power(int64_t n, ConfidenceInterval margin, double p, double alpha = 0.05);

/// Standard error of a difference of means of m1 and n1 values over that of m2 and n2, the same variances.
double uncertainty_reduction(double m1, double n1, double m2, double n2);

}  // namespace nibble::stats
