#pragma once
#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace nibble::backends {

/// oneDNN is kept to the caller's thread as long as it lives.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;

 private:
  int before_ = 1;
};

/// oneDNN's convolution of u8, dense and channels last, by s8 to s32. Throws dnnl::error where it has none.
class Primitive {
 public:
  /// `extents` of x, in the place of the convolution's own; zeros stand outside.
  Primitive(const nibble_conv& conv, const int64_t* extents);

  /// Numbers [out channel][tap][channel of the group] in its own order.
  dnnl::memory weights(const nibble_conv& conv, std::vector<int8_t>& numbers) const;
  dnnl::memory::desc weights_description() const { return description_.weights_desc(); }
  std::string implementation() const { return description_.impl_info_str(); }
  size_t scratch() const { return description_.scratchpad_desc().get_size(); }
  void run(const dnnl::memory& weights, const uint8_t* x, void* scratch, int32_t* v) const;

 private:
  dnnl::convolution_forward::primitive_desc description_;
  dnnl::convolution_forward primitive_;
};

/// Whether there is a depth: two or three axes of space.
bool has_depth(const nibble_conv& conv);

}  // namespace nibble::backends
