#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "backends/weights.hpp"

namespace nibble::backends {

/// oneDNN pads with 0, and stands there for a zero point: what is missing at positions whose window leaves x,
///
///     zero_point * sum of w[o, t, c] over taps t outside x.
class Border {
 public:
  /// `zero_point` is that of what oneDNN reads. Nothing is missing where it is 0, or no window leaves x.
  Border(const nibble_conv& conv, const Weights& weights, int64_t zero_point);

  /// Bytes that the table takes.
  static int64_t bytes(const nibble_conv& conv);
  /// v: the sums of output rows [first, last) of every plane, [position][out channel].
  void add_to(int32_t* v, int64_t first, int64_t last) const;

 private:
  /// Along one axis: which of `reaches` the window at each output index has; -1: it lies inside.
  struct Axis {
    std::vector<int32_t> reach_at;
    std::vector<std::array<int64_t, 2>> reaches;  ///< taps [first, last) inside
  };
  static Axis axis_of(const nibble_conv& conv, int axis);
  const int32_t* missing(const std::array<int32_t, 3>& reach) const;

  int64_t batch_ = 0, channels_ = 0;
  std::array<Axis, 3> axes_;
  std::vector<int32_t> missing_;  ///< [depth's reach or inside][height's][width's][channel]
};

}  // namespace nibble::backends
