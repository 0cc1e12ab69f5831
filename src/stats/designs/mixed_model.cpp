#include "stats/designs/mixed_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/designs/model_matrix.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"

namespace nibble::stats {
namespace {

constexpr std::string_view what = "mixed model";
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// Data, split into what lies within groups (deviations from the group's mean) and the groups' sums.
struct Data {
  Matrix x_within, x_sums;  ///< a row a run; a row a group
  Vector y_within, y_sums;
  Vector sizes;  ///< runs of each group
  double runs() const { return static_cast<double>(y_within.size()); }
  double coefficients() const { return static_cast<double>(x_within.cols()); }
};

Data split(const Matrix& x, const Vector& y, const Factor& group) {
  const auto groups = static_cast<Eigen::Index>(group.levels.size());
  Data data{x, Matrix::Zero(groups, x.cols()), y, Vector::Zero(groups), Vector::Zero(groups)};
  for (Eigen::Index i = 0; i < y.size(); ++i) {
    const int g = group.of_run[static_cast<size_t>(i)];
    data.x_sums.row(g) += x.row(i);
    data.y_sums[g] += y[i];
    data.sizes[g] += 1;
  }
  for (Eigen::Index i = 0; i < y.size(); ++i) {
    const int g = group.of_run[static_cast<size_t>(i)];
    data.x_within.row(i) -= data.x_sums.row(g) / data.sizes[g];
    data.y_within[i] -= data.y_sums[g] / data.sizes[g];
  }
  return data;
}

/// Generalised least squares at one ratio of variances, group's over residual. With V = 1 + ratio * (1 within a group),
/// u' V^-1 v = within products + sums' products / (n (1 + n ratio)), a sum of squares without cancellation.
struct Fit {
  Matrix covariance;  ///< of the coefficients, in residual variances
  Vector coefficients;
  double residual = 0;   ///< r' V^-1 r
  double criterion = 0;  ///< -2 log likelihood
  double slope = 0;      ///< its derivative by the ratio
  double variance = 0;   ///< of residuals
};

Fit fit(const Data& data, double ratio, Likelihood likelihood) {
  const Vector grown = 1 + (data.sizes * ratio).array();
  const Vector weights = 1 / (data.sizes.array() * grown.array());
  const Matrix weighted = weights.asDiagonal() * data.x_sums;
  const Matrix normal = data.x_within.transpose() * data.x_within + data.x_sums.transpose() * weighted;
  const Eigen::LDLT<Matrix> decomposed(normal);
  Fit result;
  result.covariance = decomposed.solve(Matrix::Identity(normal.rows(), normal.cols()));
  result.coefficients =
      decomposed.solve(data.x_within.transpose() * data.y_within + weighted.transpose() * data.y_sums);
  const Vector within = data.y_within - data.x_within * result.coefficients;
  const Vector sums = data.y_sums - data.x_sums * result.coefficients;
  result.residual = within.squaredNorm() + sums.cwiseAbs2().dot(weights);
  const bool restricted = likelihood == Likelihood::reml;
  const double freedom = data.runs() - (restricted ? data.coefficients() : 0);
  result.variance = result.residual / freedom;
  result.criterion = freedom * (1 + std::log(2 * std::numbers::pi * result.variance)) + grown.array().log().sum();
  const Vector shrunk = sums.array() / grown.array();
  result.slope = (data.sizes.array() / grown.array()).sum() - freedom * shrunk.squaredNorm() / result.residual;
  if (restricted) {
    result.criterion += decomposed.vectorD().array().log().sum();
    const Matrix scaled = grown.cwiseInverse().asDiagonal() * data.x_sums;
    result.slope -= (scaled * result.covariance).cwiseProduct(scaled).sum();
  }
  return result;
}

/// The ratio of the greatest likelihood: 0, or the best root of the slope where it turns upwards.
double best_ratio(const Data& data, Likelihood likelihood) {
  const auto slope = [&](double ratio) { return fit(data, ratio, likelihood).slope; };
  double best = 0;
  double least = fit(data, 0, likelihood).criterion;
  double low = 0;
  double at_low = slope(0);
  for (double high = 1e-8; high < 1e12; high *= 4) {
    const double at_high = slope(high);
    if (at_low < 0 && at_high >= 0) {
      const double root = find_root(slope, low, high);
      if (const double criterion = fit(data, root, likelihood).criterion; criterion < least) {
        best = root;
        least = criterion;
      }
    }
    low = high;
    at_low = at_high;
  }
  return best;
}

bool full_rank(const Matrix& x) {
  return x.colPivHouseholderQr().rank() == x.cols();
}

/// The groups' columns in sum-to-zero coding beside x: whether the data tell some of them from the fixed terms.
bool tells_groups(const Matrix& x, const Factor& group) {
  const ModelMatrix groups = model_matrix({{group}, {{0}}}, group.of_run.size());
  Matrix both(x.rows(), x.cols() + groups.columns.cols() - 1);
  both << x, groups.columns.rightCols(groups.columns.cols() - 1);
  return both.colPivHouseholderQr().rank() > x.cols();
}

void check_data(const Matrix& x, const Factor& group, const Data& data, double size) {
  if (!full_rank(x)) fail("stats", what, "fixed terms confounded with each other", "a run of each combination");
  if (group.levels.size() == group.of_run.size()) fail("stats", what, "a group a run", "groups of several runs");
  if (!tells_groups(x, group))
    fail("stats", what, "groups that the fixed terms tell apart", "more groups than the terms' levels");
  const Vector fitted = data.x_within * data.x_within.completeOrthogonalDecomposition().solve(data.y_within);
  const Vector left = data.y_within - fitted;
  if (left.norm() <= 16 * std::numeric_limits<double>::epsilon() * size * std::sqrt(data.runs()))
    fail("stats", what, "no variance within groups", "runs of one group that differ");
}

/// Columns (but the mean's) that change within some group, and those that do not.
struct Degrees {
  std::vector<bool> inner;
  double inner_df = 0;
  double outer_df = 0;
};

Degrees containment(const Data& data) {
  Degrees degrees;
  degrees.inner_df = data.runs() - static_cast<double>(data.sizes.size());
  degrees.outer_df = static_cast<double>(data.sizes.size()) - 1;
  for (Eigen::Index c = 0; c < data.x_within.cols(); ++c) {
    degrees.inner.push_back(data.x_within.col(c).cwiseAbs().maxCoeff() > 1e-9);
    if (c > 0) (degrees.inner.back() ? degrees.inner_df : degrees.outer_df) -= 1;
  }
  return degrees;
}

FTest wald(const Fit& fit, const Degrees& degrees, int first, int count, const std::string& term) {
  const Vector b = fit.coefficients.segment(first, count);
  const Matrix covariance = fit.covariance.block(first, first, count, count);
  FTest test;
  test.f = b.dot(covariance.ldlt().solve(b)) / (count * fit.variance);
  test.df1 = count;
  test.df2 = infinity;
  for (int c = first; c < first + count; ++c)
    test.df2 = std::min(test.df2, degrees.inner[static_cast<size_t>(c)] ? degrees.inner_df : degrees.outer_df);
  if (test.df2 < 1)
    fail("stats", what, fmt::format("term '{}' with {} degrees of freedom left", term, test.df2),
         "more groups or runs");
  test.p = f_upper(test.f, test.df1, test.df2);
  return test;
}

}  // namespace

MixedModel fit_mixed_model(const Design& fixed, const Factor& group, std::span<const double> outcomes,
                           Likelihood likelihood) {
  check_values(what, outcomes, 3);
  check_design(what, fixed, outcomes.size());
  check_design(what, {{group}, {{0}}}, outcomes.size());
  const ModelMatrix model = model_matrix(fixed, outcomes.size());
  const double centre = mean(outcomes);
  Vector y = Eigen::Map<const Vector>(outcomes.data(), static_cast<Eigen::Index>(outcomes.size()));
  y.array() -= centre;
  const Data data = split(model.columns, y, group);
  check_data(model.columns, group, data, largest(outcomes));
  const double ratio = best_ratio(data, likelihood);
  const Fit best = fit(data, ratio, likelihood);
  const double gained = fit(data, 0, likelihood).criterion - best.criterion;
  MixedModel result;
  result.mean = centre + best.coefficients[0];
  result.standard_error = std::sqrt(best.variance * best.covariance(0, 0));
  result.residual_deviation = std::sqrt(best.variance);
  result.group_deviation = std::sqrt(ratio) * result.residual_deviation;
  result.criterion = best.criterion;
  result.group_p = gained > 0 ? chi_squared_upper(gained, 1) / 2 : 1;
  const Degrees degrees = containment(data);
  for (size_t t = 0; t < fixed.terms.size(); ++t) {
    const std::string name = name_of(fixed, fixed.terms[t]);
    const int first = model.first_of[t];
    result.terms.push_back({name, wald(best, degrees, first, model.first_of[t + 1] - first, name)});
  }
  return result;
}

}  // namespace nibble::stats
