#pragma once
#include <span>
#include <string>
#include <vector>

#include "stats/designs/design.hpp"
#include "stats/result.hpp"

namespace nibble::stats {

enum class Likelihood {
  reml,  ///< restricted: variances without the bias of the coefficients that were estimated
  ml     ///< to compare models of other fixed terms by `criterion`
};

struct FixedTerm {
  std::string term;
  FTest test;  ///< of the term beside all others (type III), df2 by containment: see below
};

/// outcome = mean + fixed terms + group's deviation + residual, both normal: seeds or folds as a sample of all that
/// could have been drawn.
struct MixedModel {
  double mean = 0;                ///< all levels and terms averaged with equal weight
  double standard_error = 0;      ///< of the mean
  double group_deviation = 0;     ///< standard deviation between groups; 0 where there is no more than by chance
  double residual_deviation = 0;  ///< within groups
  double criterion = 0;           ///< -2 log likelihood (of sum-to-zero coding, where restricted)
  double group_p = 1;             ///< of "no deviation between groups", chi squared halved for its bound at 0
  std::vector<FixedTerm> terms;   ///< in the design's order
};

/// Fits by the likelihood's score over the one ratio of variances, whose maximum is a root found to the last digits.
/// A design without terms is the mean alone. Unbalanced data is welcome. Containment: a term that changes within a group
/// is held against runs - groups - such columns, others against groups - theirs (Pinheiro and Bates 2000, 2.4.2).
///
/// Throws UserError for a design that check_design refuses, confounded terms, groups that the fixed terms tell apart or
/// that hold a run each, no variance within groups, and a term without degrees of freedom.
/// Source: Patterson and Thompson 1971; Self and Liang 1987 (group_p).
MixedModel fit_mixed_model(const Design& fixed, const Factor& group, std::span<const double> outcomes,
                           Likelihood likelihood = Likelihood::reml);

}  // namespace nibble::stats
