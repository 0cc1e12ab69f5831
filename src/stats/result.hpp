#pragma once
#include <limits>

namespace nibble::stats {

/// The ends of an interval of confidence, in the unit of what they enclose.
struct ConfidenceInterval {
  double low = 0;
  double high = 0;
};

/// What is held against "no difference": a difference, one below zero, one above zero.
enum class Alternative { two_sided, less, greater };

/// A mean against zero, in the unit of the data. `p` is of the alternative that the test was asked for.
struct TTest {
  double estimate = 0;
  double standard_error = 0;
  double t = 0;
  double df = 0;
  double p = 1;
  ConfidenceInterval interval;  ///< two-sided, at the level that the test was asked for
};

/// A ratio of variances: p = P(F(df1, df2) >= f).
struct FTest {
  double f = 0;
  double df1 = 0;
  double df2 = 0;
  double p = 1;
};

/// p = P(chi squared(df) >= statistic).
struct ChiSquaredTest {
  double statistic = 0;
  double df = 0;
  double p = 1;
};

inline constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace nibble::stats
