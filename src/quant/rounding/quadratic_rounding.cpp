#include "quant/rounding/quadratic_rounding.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace nibble::quant {
namespace {
using Matrix = Eigen::MatrixXd;
using Index = Eigen::Index;

struct Clipped {
  Interval levels;
  double operator()(double u) const {
    return std::clamp(std::floor(u + 0.5), static_cast<double>(levels.low), static_cast<double>(levels.high));
  }
};

/// L of M = L L'. What float sums took from the diagonal is given back to it.
Matrix cholesky(Matrix& form, double added) {
  for (;; added *= 10) {
    const Eigen::LLT<Matrix> split(form);
    if (split.info() == Eigen::Success) return split.matrixL();
    form.diagonal().array() += added;
  }
}

/// Each level of a column of `weights` (size by rows) takes back what those chosen before it did: the form is the sum
/// over i of (L(i, i) e(i) + sum over j > i of L(j, i) e(j))^2, and the last i is chosen first.
Matrix nearest_plane(const Matrix& lower, const Matrix& weights, Clipped nearest) {
  constexpr Index block = 64;
  const Index size = weights.rows();
  Matrix levels(size, weights.cols()), errors(size, weights.cols());
  for (Index end = size; end > 0; end = std::max<Index>(0, end - block)) {
    const Index first = std::max<Index>(0, end - block);
    Matrix owed = lower.block(end, first, size - end, end - first).transpose() * errors.bottomRows(size - end);
    for (Index i = end - 1; i >= first; --i)
      for (Index row = 0; row < weights.cols(); ++row) {
        double sum = owed(i - first, row);
        for (Index j = i + 1; j < end; ++j) sum += lower(j, i) * errors(j, row);
        levels(i, row) = nearest(weights(i, row) - sum / lower(i, i));
        errors(i, row) = levels(i, row) - weights(i, row);
      }
  }
  return levels;
}

/// One weight after the other to its best level while that helps.
void descend(const Matrix& form, const Matrix& weights, Matrix& levels, Clipped nearest) {
  constexpr int most_sweeps = 16;
  Matrix gradients = form * (levels - weights);
  for (Index row = 0; row < levels.cols(); ++row) {
    bool moved = true;
    for (int sweep = 0; moved && sweep < most_sweeps; ++sweep) {
      moved = false;
      for (Index i = 0; i < levels.rows(); ++i) {
        const double step = -gradients(i, row) / form(i, i);
        if (std::abs(step) <= 0.5) continue;
        const double to = nearest(levels(i, row) + step), by = to - levels(i, row);
        if (by == 0) continue;
        levels(i, row) = to;
        gradients.col(row) += by * form.col(i);
        moved = true;
      }
    }
  }
}

/// e M e' of each row.
Eigen::VectorXd forms_of(const Matrix& form, const Matrix& errors) {
  return (form * errors).cwiseProduct(errors).colwise().sum();
}

}  // namespace

std::vector<double> round_by_moments(const std::vector<double>& moments, const std::vector<double>& weights,
                                     size_t size, Interval levels, double damping) {
  const auto k = static_cast<Index>(size), rows = static_cast<Index>(weights.size() / size);
  const Clipped nearest{levels};
  const Eigen::Map<const Matrix> given(moments.data(), k, k);
  const Eigen::Map<const Matrix> columns(weights.data(), k, rows);
  const double mean = given.diagonal().mean(), added = mean > 0 ? damping * mean : 1;
  std::vector<Index> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return given(a, a) < given(b, b); });
  Matrix form = given(order, order);
  form.diagonal().array() += added;
  const Matrix lower = cholesky(form, added), reals = columns(order, Eigen::all);
  const Matrix plain = reals.unaryExpr(nearest);
  Matrix chosen = nearest_plane(lower, reals, nearest);
  const Eigen::VectorXd before = forms_of(form, plain - reals), after = forms_of(form, chosen - reals);
  for (Index row = 0; row < rows; ++row)
    if (!(after(row) < before(row))) chosen.col(row) = plain.col(row);
  descend(form, reals, chosen, nearest);
  std::vector<double> result(weights.size());
  Eigen::Map<Matrix>(result.data(), k, rows)(order, Eigen::all) = chosen;
  return result;
}

}  // namespace nibble::quant
