#include "stats/designs/model_matrix.hpp"

namespace nibble::stats {
namespace {

Eigen::RowVectorXd coding(const Factor& factor, int level) {
  const auto last = static_cast<int>(factor.levels.size()) - 1;
  if (level == last) return Eigen::RowVectorXd::Constant(last, -1);
  return Eigen::RowVectorXd::Unit(last, level);
}

/// All products of an entry of each.
Eigen::RowVectorXd products(const Eigen::RowVectorXd& a, const Eigen::RowVectorXd& b) {
  Eigen::RowVectorXd result(a.size() * b.size());
  for (Eigen::Index i = 0; i < a.size(); ++i) result.segment(i * b.size(), b.size()) = a[i] * b;
  return result;
}

template <class Coding>
Eigen::RowVectorXd row_of(const Design& design, Coding coding_of) {
  std::vector<double> row = {1};
  for (const Term& term : design.terms) {
    Eigen::RowVectorXd part = Eigen::RowVectorXd::Ones(1);
    for (size_t place : term) part = products(part, coding_of(place));
    row.insert(row.end(), part.begin(), part.end());
  }
  return Eigen::Map<Eigen::RowVectorXd>(row.data(), static_cast<Eigen::Index>(row.size()));
}

}  // namespace

Eigen::RowVectorXd model_row(const Design& design, std::span<const int> levels) {
  return row_of(design, [&](size_t place) { return coding(design.factors[place], levels[place]); });
}

Eigen::RowVectorXd marginal_row(const Design& design, size_t factor, int level) {
  return row_of(design, [&](size_t place) -> Eigen::RowVectorXd {
    const Factor& other = design.factors[place];
    if (place == factor) return coding(other, level);
    // In sum-to-zero coding the average over all levels is nought.
    return Eigen::RowVectorXd::Zero(static_cast<Eigen::Index>(other.levels.size()) - 1);
  });
}

ModelMatrix model_matrix(const Design& design, size_t runs) {
  ModelMatrix model;
  model.first_of = {1};
  for (const Term& term : design.terms) {
    int width = 1;
    for (size_t place : term) width *= static_cast<int>(design.factors[place].levels.size()) - 1;
    model.first_of.push_back(model.first_of.back() + width);
  }
  model.columns.resize(static_cast<Eigen::Index>(runs), model.first_of.back());
  std::vector<int> levels(design.factors.size());
  for (size_t run = 0; run < runs; ++run) {
    for (size_t f = 0; f < levels.size(); ++f) levels[f] = design.factors[f].of_run[run];
    model.columns.row(static_cast<Eigen::Index>(run)) = model_row(design, levels);
  }
  return model;
}

}  // namespace nibble::stats
