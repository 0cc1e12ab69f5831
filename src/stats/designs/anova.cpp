#include "stats/designs/anova.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "stats/check.hpp"
#include "stats/designs/model_matrix.hpp"
#include "stats/distributions.hpp"
#include "stats/moments.hpp"
#include "stats/studentised_range.hpp"

namespace nibble::stats {
namespace {

constexpr std::string_view what = "analysis of variance";

struct Fit {
  double residual = 0;  ///< sum of squares
  int rank = 0;
};

/// Data and columns of an analysis.
struct Analysis {
  const Design& design;
  ModelMatrix model;
  Eigen::VectorXd outcomes;
  Fit full;

  /// Of the mean and the terms that `kept` says.
  template <class Kept>
  Fit fit(Kept kept) const {
    std::vector<int> columns = {0};
    for (size_t t = 0; t < design.terms.size(); ++t)
      if (kept(t))
        for (int c = model.first_of[t]; c < model.first_of[t + 1]; ++c) columns.push_back(c);
    const Eigen::MatrixXd used = model.columns(Eigen::all, columns);
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> decomposed(used);
    const auto rank = decomposed.rank();
    const Eigen::VectorXd turned = decomposed.householderQ().transpose() * outcomes;
    return {turned.tail(turned.size() - rank).squaredNorm(), static_cast<int>(rank)};
  }
};

Analysis prepare(const Design& design, std::span<const double> outcomes) {
  check_values(what, outcomes, 2);
  check_design(what, design, outcomes.size());
  if (design.terms.empty()) fail("stats", what, "no terms", "at least one");
  Analysis analysis{design, model_matrix(design, outcomes.size()), {}, {}};
  // The mean explains nothing: without it fewer digits are lost.
  const double centre = mean(outcomes);
  analysis.outcomes = Eigen::Map<const Eigen::VectorXd>(outcomes.data(), static_cast<Eigen::Index>(outcomes.size()));
  analysis.outcomes.array() -= centre;
  analysis.full = analysis.fit([](size_t) { return true; });
  if (static_cast<size_t>(analysis.full.rank) >= outcomes.size())
    fail("stats", what, fmt::format("{} runs for {} coefficients", outcomes.size(), analysis.full.rank),
         "more runs, or fewer terms");
  const double rounding = 16 * std::numeric_limits<double>::epsilon() * largest(outcomes);
  if (analysis.full.residual <= rounding * rounding * static_cast<double>(outcomes.size()))
    fail("stats", what, "no variance besides the terms'", "replicates that differ");
  return analysis;
}

void refuse_confounded(const Analysis& analysis) {
  if (analysis.full.rank == analysis.model.columns.cols()) return;
  for (size_t t = 0; t < analysis.design.terms.size(); ++t) {
    const int without = analysis.fit([t](size_t other) { return other != t; }).rank;
    if (analysis.full.rank - without < analysis.model.first_of[t + 1] - analysis.model.first_of[t])
      fail("stats", what, "term '" + name_of(analysis.design, analysis.design.terms[t]) + "' confounded with others",
           "a run of each combination, fewer terms, or type II");
  }
}

/// What term t adds.
Fit added(const Analysis& analysis, size_t t, SumsOfSquares type) {
  const std::vector<Term>& terms = analysis.design.terms;
  const auto beside = [&](size_t other) {
    switch (type) {
      case SumsOfSquares::sequential: return other < t;
      case SumsOfSquares::hierarchical: return !contains(terms[other], terms[t]);
      case SumsOfSquares::marginal: break;
    }
    return other != t;
  };
  const Fit without = analysis.fit(beside);
  const Fit with = analysis.fit([&](size_t other) { return other == t || beside(other); });
  return {std::max(0.0, without.residual - with.residual), with.rank - without.rank};
}

AnovaRow row_of(const Anova& anova, std::string term, const Fit& added, double runs) {
  AnovaRow row{.term = std::move(term), .sum_of_squares = added.residual, .df = added.rank};
  if (row.df == 0) {
    row.sum_of_squares = 0;
    return row;
  }
  const double error = anova.residual_mean_square;
  const double df = row.df;
  row.mean_square = row.sum_of_squares / df;
  row.f = row.mean_square / error;
  row.p = f_upper(row.f, df, anova.residual_df);
  row.eta_squared = row.sum_of_squares / anova.total_sum_of_squares;
  row.partial_eta_squared = row.sum_of_squares / (row.sum_of_squares + anova.residual_sum_of_squares);
  row.omega_squared = (row.sum_of_squares - df * error) / (anova.total_sum_of_squares + error);
  row.partial_omega_squared = df * (row.mean_square - error) / (df * row.mean_square + (runs - df) * error);
  return row;
}

}  // namespace

Anova analyse_variance(const Design& design, std::span<const double> outcomes, SumsOfSquares type) {
  const Analysis analysis = prepare(design, outcomes);
  if (type == SumsOfSquares::marginal) refuse_confounded(analysis);
  Anova anova;
  anova.residual_sum_of_squares = analysis.full.residual;
  anova.residual_df = static_cast<int>(outcomes.size()) - analysis.full.rank;
  anova.residual_mean_square = anova.residual_sum_of_squares / anova.residual_df;
  anova.total_sum_of_squares = analysis.outcomes.squaredNorm();
  const auto runs = static_cast<double>(outcomes.size());
  for (size_t t = 0; t < design.terms.size(); ++t)
    anova.rows.push_back(row_of(anova, name_of(design, design.terms[t]), added(analysis, t, type), runs));
  return anova;
}

std::vector<LevelDifference> tukey_hsd(const Design& design, std::span<const double> outcomes, size_t which,
                                       double level) {
  check_between("Tukey's comparison", "the level", level, 0, 1);
  const Analysis analysis = prepare(design, outcomes);
  refuse_confounded(analysis);
  if (std::find(design.terms.begin(), design.terms.end(), Term{which}) == design.terms.end())
    fail("stats", "Tukey's comparison", "a factor without a main effect", "a term of the design");
  const Eigen::MatrixXd& x = analysis.model.columns;
  const Eigen::LLT<Eigen::MatrixXd> normal(x.transpose() * x);
  const Eigen::VectorXd coefficients = x.colPivHouseholderQr().solve(analysis.outcomes);
  const int df = static_cast<int>(outcomes.size()) - analysis.full.rank;
  const double variance = analysis.full.residual / df;
  const auto levels = static_cast<int>(design.factors[which].levels.size());
  const double reach = studentised_range_quantile(1 - level, levels, df) / std::sqrt(2.0);
  std::vector<LevelDifference> result;
  for (int a = 0; a < levels; ++a)
    for (int b = 0; b < a; ++b) {
      const Eigen::VectorXd row = (marginal_row(design, which, a) - marginal_row(design, which, b)).transpose();
      LevelDifference d{static_cast<size_t>(a), static_cast<size_t>(b), row.dot(coefficients)};
      d.standard_error = std::sqrt(variance * row.dot(normal.solve(row)));
      d.p = studentised_range_upper(std::sqrt(2.0) * std::abs(d.estimate) / d.standard_error, levels, df);
      d.low = d.estimate - reach * d.standard_error;
      d.high = d.estimate + reach * d.standard_error;
      result.push_back(d);
    }
  return result;
}

}  // namespace nibble::stats
