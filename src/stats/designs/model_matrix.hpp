#pragma once
#include <Eigen/Dense>
#include <span>
#include <vector>

#include "stats/designs/design.hpp"

namespace nibble::stats {

/// A design's columns: the mean's first, then each term's, in sum-to-zero coding (each level less the last), so that
/// terms of a complete design are orthogonal to the mean whatever the others are.
struct ModelMatrix {
  Eigen::MatrixXd columns;    ///< a row a run
  std::vector<int> first_of;  ///< of each term, and one past the last: [first_of[t], first_of[t + 1])
};
ModelMatrix model_matrix(const Design& design, size_t runs);

/// The row of a run with these levels, one a factor.
Eigen::RowVectorXd model_row(const Design& design, std::span<const int> levels);

/// The fixed-effects row of a level, the others' levels averaged with equal weight ("least-squares mean").
Eigen::RowVectorXd marginal_row(const Design& design, size_t factor, int level);

}  // namespace nibble::stats
