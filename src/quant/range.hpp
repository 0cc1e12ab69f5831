#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/grid.hpp"

/// From data to a quantiser. Source: NUMERICS.md, sections 1 and 2.
namespace nibble::quant {

enum class Symmetry : uint8_t {
  Symmetric,   ///< low = -n/2, zero point 0 (odd n: +-(n-1)/2)
  Narrow,      ///< low = -(n/2 - 1): -127..127
  Unsigned,    ///< low = 0, zero point 0
  Asymmetric,  ///< low = 0, zero point inside, chosen so that real zero is exact
};

/// What a quantiser shall look like, before its scale is known.
struct GridSpec {
  int64_t levels = 256;  ///< 2 to 65536
  Symmetry symmetry = Symmetry::Symmetric;
  Rounding rounding = Rounding::HalfUp;
};

enum class RangeMethod : uint8_t {
  MinMax,
  MovingAverage,
  Percentile,
  Sigma,
  MeanSquareError,
  KullbackLeibler,
  Sawb,
  Measured,  ///< whichever of the others passes::choose_ranges finds best; by itself: MinMax
};

/// How a range is found; `parameter` is the percentile (99.9), k (3) or the moving average's momentum (0.9).
struct RangeRule {
  RangeMethod method = RangeMethod::MinMax;
  double parameter = 0;

  bool operator==(const RangeRule&) const = default;
};
/// "min_max", "moving_average[=m]", "percentile=P", "sigma=K", "mse", "kl", "sawb" or "measured"; throws UserError
/// otherwise.
RangeRule range_rule_named(std::string_view text);
std::string to_string(RangeRule rule);

struct RealRange {
  double low = 0;
  double high = 0;
};

/// Values with their weights: a tensor's own (weight 1) or a histogram's bins.
struct Weighted {
  double value;
  double weight;
};

/// The grid of `spec` that covers the range (extended to hold zero). Scales are float32, rounded up so that the range's
/// ends stay inside. An empty range (all zero) gives scale 1. Throws UserError on NaN or infinity ("quant: <place>:
/// ...").
Grid grid_over(RealRange range, const GridSpec& spec, std::string_view place);

/// Gathers a stream of real values in bounded memory (minimum, maximum, sums, a histogram whose range doubles when a
/// value falls outside it) and gives the range that a rule asks for.
class RangeObserver {
 public:
  explicit RangeObserver(RangeRule rule);
  ~RangeObserver();
  RangeObserver(RangeObserver&&) noexcept;
  RangeObserver& operator=(RangeObserver&&) noexcept;
  /// One batch. Throws UserError naming `place` on NaN or infinity.
  void observe(std::span<const float> values, std::string_view place);
  void observe(std::span<const double> values, std::string_view place);
  /// The quantiser for what was seen. Throws UserError when nothing was.
  Grid grid(const GridSpec& spec, std::string_view place) const;
  RealRange range(const GridSpec& spec, std::string_view place = "range") const;
  /// As another rule would have it, where this one gathers what that needs: Measured gathers all but batches and sums.
  RealRange range_by(RangeRule rule, const GridSpec& spec, std::string_view place = "range") const;
  /// The values seen with their counts, ascending: a histogram's. Nothing where the rule gathers none.
  std::vector<Weighted> values() const;
  double least() const;
  double greatest() const;
  int64_t count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The quantiser of a constant tensor: exact (no histogram). axis -1: one scale; else one for each index along axis; an
/// all-zero channel gets scale 1. Throws UserError naming `place` on NaN or infinity.
Grid grid_of_weights(const Tensor& weights, int axis, const GridSpec& spec, RangeRule rule, std::string_view place);

/// The integers of a tensor on a grid, in the grid's container.
Tensor quantise(const Tensor& reals, const Grid& grid, Rounding rounding);
/// scale * (q - zero_point), Float32.
Tensor dequantise(const Tensor& integers, const Grid& grid);

}  // namespace nibble::quant
