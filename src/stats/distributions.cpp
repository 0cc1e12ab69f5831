#include "stats/distributions.hpp"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/non_central_f.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>

#include "base/error.hpp"

namespace nibble::stats {
namespace {

using boost::math::complement;
// What is too large or too small is infinite or zero: limits of probabilities.
using Policy =
    boost::math::policies::policy<boost::math::policies::overflow_error<boost::math::policies::ignore_error>,
                                  boost::math::policies::underflow_error<boost::math::policies::ignore_error>,
                                  boost::math::policies::discrete_quantile<boost::math::policies::integer_round_up>>;
// The normal one stands inside integrals: doubles alone, good to their last digit or two.
using Normal =
    boost::math::normal_distribution<double,
                                     boost::math::policies::policy<boost::math::policies::promote_double<false>>>;
using Student = boost::math::students_t_distribution<double, Policy>;
using NoncentralT = boost::math::non_central_t_distribution<double, Policy>;
using ChiSquared = boost::math::chi_squared_distribution<double, Policy>;
using FisherF = boost::math::fisher_f_distribution<double, Policy>;
using NoncentralF = boost::math::non_central_f_distribution<double, Policy>;
using Binomial = boost::math::binomial_distribution<double, Policy>;
using Beta = boost::math::beta_distribution<double, Policy>;

}  // namespace

double normal_cdf(double x) {
  return std::isinf(x) ? (x > 0 ? 1 : 0) : cdf(Normal(), x);
}

double normal_upper(double x) {
  return normal_cdf(-x);
}

double normal_quantile(double p) {
  return quantile(boost::math::normal_distribution<double, Policy>(), p);
}

double student_cdf(double t, double df) {
  if (std::isinf(t) || std::isinf(df)) return normal_cdf(t);
  return cdf(Student(df), t);
}

double student_upper(double t, double df) {
  return student_cdf(-t, df);
}

double student_quantile(double p, double df) {
  return std::isinf(df) ? normal_quantile(p) : quantile(Student(df), p);
}

double student_upper(double t, double df, double shift) {
  if (std::isinf(t) || std::isinf(df)) return normal_upper(t - shift);
  return cdf(complement(NoncentralT(df, shift), t));
}

double chi_squared_upper(double x, double df) {
  return std::isinf(x) ? 0 : cdf(complement(ChiSquared(df), x));
}

double f_upper(double x, double df1, double df2) {
  if (std::isinf(x)) return 0;
  return std::isinf(df2) ? chi_squared_upper(x * df1, df1) : cdf(complement(FisherF(df1, df2), x));
}

double f_quantile(double p, double df1, double df2) {
  return quantile(FisherF(df1, df2), p);
}

double f_upper(double x, double df1, double df2, double shift) {
  return shift == 0 ? f_upper(x, df1, df2) : cdf(complement(NoncentralF(df1, df2, shift), x));
}

double binomial_mass(int64_t k, int64_t n, double p) {
  if (k < 0 || k > n) return 0;
  return pdf(Binomial(static_cast<double>(n), p), static_cast<double>(k));
}

double binomial_cdf(int64_t k, int64_t n, double p) {
  if (k < 0) return 0;
  return k >= n ? 1 : cdf(Binomial(static_cast<double>(n), p), static_cast<double>(k));
}

int64_t binomial_quantile(double q, int64_t n, double p) {
  auto k = static_cast<int64_t>(quantile(Binomial(static_cast<double>(n), p), q));
  // Boost rounds up from a root: the neighbours decide.
  while (k > 0 && binomial_cdf(k - 1, n, p) >= q) --k;
  while (binomial_cdf(k, n, p) < q) ++k;
  return k;
}

double beta_quantile(double p, double a, double b) {
  return quantile(Beta(a, b), p);
}

double mean_over_scale(double df, const std::function<double(double)>& value, double most) {
  if (std::isinf(df)) return most >= 1 ? value(1) : 0;
  const double constant = std::log(2.0) + df / 2 * std::log(df / 2) - std::lgamma(df / 2);
  const auto weighted = [&](double s) {
    const double density = std::exp(constant + (df == 1 ? 0 : (df - 1) * std::log(s)) - df * s * s / 2);
    return density == 0 ? 0 : density * value(s);
  };
  // Beyond so many standard deviations of S lie 1e-30 of its mass.
  const double reach = 15 / std::sqrt(2 * df);
  const double low = std::max(0.0, 1 - reach);
  const double high = std::min(most, 1 + reach);
  return low < high ? integrate(weighted, low, high) : 0;
}

double integrate(const std::function<double(double)>& f, double low, double high) {
  // The error that is estimated is that of the coarser rule, 15 points; of 31 it is its square or so.
  return boost::math::quadrature::gauss_kronrod<double, 31>::integrate(f, low, high, 12, 1e-9);
}

double find_root(const std::function<double(double)>& f, double low, double high) {
  const double at_low = f(low);
  const double at_high = f(high);
  if (at_low == 0) return low;
  if (at_high == 0) return high;
  ensure((at_low < 0) != (at_high < 0), "a root is looked for between two signs");
  std::uintmax_t iterations = 200;
  const auto [left, right] = boost::math::tools::toms748_solve(
      f, low, high, at_low, at_high, boost::math::tools::eps_tolerance<double>(52), iterations);
  return left + (right - left) / 2;
}

}  // namespace nibble::stats
