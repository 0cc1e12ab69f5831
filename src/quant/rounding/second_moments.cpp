#include "quant/rounding/second_moments.hpp"

#include <Eigen/Core>
#include <algorithm>

namespace nibble::quant {
namespace {
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Index = Eigen::Index;

constexpr size_t most_waiting = 128;
}  // namespace

SecondMoments::SecondMoments(size_t size)
    : size_(size), rows_(most_waiting * size), products_(size * size), sums_(size) {}

void SecondMoments::add(const float* row) {
  std::copy_n(row, size_, rows_.data() + waiting_ * size_);
  ++count_;
  if (++waiting_ == most_waiting) flush();
}

void SecondMoments::flush() {
  if (waiting_ == 0) return;
  const auto size = static_cast<Index>(size_);
  Eigen::Map<Rows> rows(rows_.data(), static_cast<Index>(waiting_), size);
  Eigen::Map<Eigen::MatrixXf> products(products_.data(), size, size);
  if (shift_.empty()) {
    shift_.resize(size_);
    Eigen::Map<Eigen::RowVectorXf>(shift_.data(), size) = rows.colwise().mean();
  }
  rows.rowwise() -= Eigen::Map<Eigen::RowVectorXf>(shift_.data(), size);
  Eigen::Map<Eigen::RowVectorXd>(sums_.data(), size) += rows.cast<double>().colwise().sum();
  products.selfadjointView<Eigen::Lower>().rankUpdate(rows.transpose());
  waiting_ = 0;
}

std::vector<double> SecondMoments::about_zero() {
  flush();
  std::vector<double> moments(size_ * size_);
  if (count_ == 0) return moments;
  const auto count = static_cast<double>(count_);
  for (size_t j = 0; j < size_; ++j)
    for (size_t i = j; i < size_; ++i) {
      const double a = shift_[i], b = shift_[j];
      moments[j * size_ + i] = moments[i * size_ + j] =
          static_cast<double>(products_[j * size_ + i]) / count + a * sums_[j] / count + b * sums_[i] / count + a * b;
    }
  return moments;
}

}  // namespace nibble::quant
