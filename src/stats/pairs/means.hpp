#pragma once
#include <span>

#include "stats/result.hpp"

namespace nibble::stats {

/// Student's t of means. Values in one unit, finite; level in (0, 1). Where there is no spread at all there is no test:
/// UserError.

/// Pairs (same seed, same fold): mean of first - second, df = n - 1. At least two.
TTest paired_t(std::span<const double> first, std::span<const double> second,
               Alternative alternative = Alternative::two_sided, double level = 0.95);
/// mean(values) against 0.
TTest one_sample_t(std::span<const double> values, Alternative alternative = Alternative::two_sided,
                   double level = 0.95);
/// Independent values, variances unlike. Source: Welch 1947, df by Satterthwaite.
TTest welch_t(std::span<const double> first, std::span<const double> second,
              Alternative alternative = Alternative::two_sided, double level = 0.95);
/// Independent values of one variance.
TTest pooled_t(std::span<const double> first, std::span<const double> second,
               Alternative alternative = Alternative::two_sided, double level = 0.95);

/// Differences of repeated splits, which share training data: t = mean / sqrt(s^2 (1/J + test/train)), df = J - 1, for
/// J differences each tested on `test` examples after training on `train`. At least two differences; both counts >= 1.
/// Source: Nadeau and Bengio 2003; r times k folds: Bouckaert and Frank 2004.
TTest corrected_resampled_t(std::span<const double> differences, double train, double test,
                            Alternative alternative = Alternative::two_sided, double level = 0.95);

/// Five repetitions of two folds: the differences on each repetition's first and second fold, five of each.
/// The estimate is the first difference. Source: Dietterich 1998.
TTest five_by_two_t(std::span<const double> first_folds, std::span<const double> second_folds);
/// F(10, 5) of the same, which depends on no order. Source: Alpaydin 1999.
FTest five_by_two_f(std::span<const double> first_folds, std::span<const double> second_folds);

}  // namespace nibble::stats
