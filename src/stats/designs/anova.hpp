#pragma once
#include <span>
#include <string>
#include <vector>

#include "stats/designs/design.hpp"

namespace nibble::stats {

/// What a term's sum of squares is reckoned beside. In a balanced design all three are one.
enum class SumsOfSquares {
  sequential,    ///< type I: the terms before it
  hierarchical,  ///< type II: all terms that do not contain it. The rule for main effects without interactions
  marginal       ///< type III: all other terms, in sum-to-zero coding; every cell must have been run
};

struct AnovaRow {
  std::string term;
  double sum_of_squares = 0;
  int df = 0;  ///< 0: the data cannot tell the term from those it is beside (confounded); no F then
  double mean_square = 0;
  double f = 0;
  double p = 1;
  double eta_squared = 0;            ///< share of the total sum of squares
  double partial_eta_squared = 0;    ///< of the term's and the residual one
  double omega_squared = 0;          ///< eta squared without its bias; may be below 0
  double partial_omega_squared = 0;  ///< the same of the partial one
};

struct Anova {
  std::vector<AnovaRow> rows;  ///< a row a term, in the design's order
  double residual_sum_of_squares = 0;
  int residual_df = 0;
  double residual_mean_square = 0;
  double total_sum_of_squares = 0;  ///< about the mean
};

/// Analysis of variance of a factorial design with fixed effects, unbalanced too. A finite outcome a run, which vary;
/// more runs than coefficients. Throws UserError for a design that check_design refuses, for one without residual
/// degrees of freedom, without residual variance, and for type III where terms are confounded.
/// Source: Yates 1934; effect sizes: Olejnik and Algina 2003.
Anova analyse_variance(const Design& design, std::span<const double> outcomes, SumsOfSquares type);

/// The difference of two levels of one factor, the other factors' levels averaged with equal weight.
struct LevelDifference {
  size_t first = 0;  ///< places of levels: first - second
  size_t second = 0;
  double estimate = 0;
  double standard_error = 0;
  double p = 1;    ///< adjusted for all pairs of levels: Tukey's studentised range
  double low = 0;  ///< simultaneous interval
  double high = 0;
};

/// All pairs of levels of factor `which` (a main effect of the design; no term confounded). Exact where balanced, a
/// little cautious where not. level in (0, 1). Source: Tukey 1953, Kramer 1956.
std::vector<LevelDifference> tukey_hsd(const Design& design, std::span<const double> outcomes, size_t which,
                                       double level = 0.95);

}  // namespace nibble::stats
