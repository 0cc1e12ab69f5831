#pragma once
#include <cstdint>
#include <functional>

#include "stats/result.hpp"

namespace nibble::stats {

/// Probabilities and quantiles of Boost.Math, which are compiled in one file. `upper` is P(X >= x), found without
/// subtracting from one: small ones keep their digits. Degrees of freedom are positive reals; infinite ones are the
/// limit (Student's t: the normal). Probabilities of quantiles lie in (0, 1).

double normal_cdf(double x);
double normal_upper(double x);
double normal_quantile(double p);

double student_cdf(double t, double df);
double student_upper(double t, double df);
double student_quantile(double p, double df);
/// P(T >= t) of a T whose mean is moved by `shift` standard errors (the noncentral t).
double student_upper(double t, double df, double shift);

double chi_squared_upper(double x, double df);
double f_upper(double x, double df1, double df2);
double f_quantile(double p, double df1, double df2);
/// P(F >= x) under the noncentrality `shift` (the sum of squared standardised means).
double f_upper(double x, double df1, double df2, double shift);

double binomial_mass(int64_t k, int64_t n, double p);
/// P(X <= k).
double binomial_cdf(int64_t k, int64_t n, double p);
/// The least k with P(X <= k) >= q.
int64_t binomial_quantile(double q, int64_t n, double p);
double beta_quantile(double p, double a, double b);

/// The mean of value(S) where S = sqrt(chi squared(df) / df), the ratio of an estimated to a true standard deviation.
/// value is bounded, smooth in (0, most) and 0 above; 1e-11 relative to its mean size.
double mean_over_scale(double df, const std::function<double(double)>& value, double most = infinity);
/// Integral of a smooth f from low to high (finite ends), about 1e-12 relative to that of |f|.
double integrate(const std::function<double(double)>& f, double low, double high);

/// Where f crosses zero in [low, high], to the last digits; f(low) and f(high) differ in sign or one is zero.
double find_root(const std::function<double(double)>& f, double low, double high);

}  // namespace nibble::stats
