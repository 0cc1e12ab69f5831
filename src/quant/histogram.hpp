#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace nibble::quant {

/// Counts of real values in equal bins, in bounded memory: the range [-width, width) doubles (neighbouring bins merge)
/// when a value falls outside it.
class Histogram {
 public:
  static constexpr int bins = 8192;

  void add(double value);
  bool empty() const { return counts_.empty(); }
  double bin_width() const { return 2 * width_ / bins; }
  /// Centre of bin i.
  double centre(size_t i) const { return -width_ + (static_cast<double>(i) + 0.5) * bin_width(); }
  const std::vector<int64_t>& counts() const { return counts_; }

 private:
  void widen();

  double width_ = 0;
  std::vector<int64_t> counts_;
};

}  // namespace nibble::quant
