#pragma once
#include <cstddef>
#include <vector>

namespace nibble::quant {

/// The second moments E[row row'] of a stream of rows, in float32 about the mean of the first of them: what varies
/// little beside a large mean keeps its digits.
class SecondMoments {
 public:
  explicit SecondMoments(size_t size);
  /// `row` has `size` numbers.
  void add(const float* row);
  /// size by size, symmetric; zeros where nothing was added.
  std::vector<double> about_zero();

 private:
  void flush();

  size_t size_, count_ = 0, waiting_ = 0;
  std::vector<float> rows_;      ///< that wait, a fixed number at most
  std::vector<float> shift_;     ///< mean of the first of them
  std::vector<float> products_;  ///< of rows without their shift, the lower half by columns
  std::vector<double> sums_;     ///< likewise
};

}  // namespace nibble::quant
