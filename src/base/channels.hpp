#pragma once
#include <algorithm>

#include "base/shape.hpp"

namespace nibble {

/// Which channel, an index along `axis`, an element of a dense tensor belongs to, by its place in memory.
class ChannelOf {
 public:
  /// The shape is static. Without an axis (-1) all is one channel.
  ChannelOf(const Shape& shape, int64_t axis) {
    if (axis < 0) return;
    channels_ = static_cast<size_t>(shape.at(static_cast<size_t>(axis)));
    for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i) inner_ *= static_cast<size_t>(shape[i]);
  }
  size_t count() const { return channels_; }
  size_t operator()(size_t element) const { return element / inner_ % channels_; }

  /// Calls use(begin, end, channel) for the runs of one channel that elements begin to end consist of, in order.
  template <class Use>
  void each_run(size_t begin, size_t end, Use&& use) const {
    if (channels_ == 1) return use(begin, end, size_t{0});
    for (size_t next; begin < end; begin = next) {
      next = std::min(end, (begin / inner_ + 1) * inner_);
      use(begin, next, (*this)(begin));
    }
  }

 private:
  size_t inner_ = 1, channels_ = 1;
};

/// Whether a constant beside a value of that rank is one number, or one for each index of axis 1, as it broadcasts.
inline bool is_per_channel(const Shape& constant, size_t rank) {
  if (constant.size() > rank) return false;
  for (size_t i = 0; i < constant.size(); ++i)
    if (constant[i] != 1 && rank - constant.size() + i != 1) return false;
  return true;
}

}  // namespace nibble
