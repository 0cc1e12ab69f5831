#pragma once
#include <memory>
#include <string>

#include "backends/onednn/border.hpp"
#include "runtime/nibble_backend.h"

namespace nibble::backends {

/// Thrown by the constructor: why oneDNN does not take a step.
struct Refusal {
  std::string why;
};

/// A convolution, or fully connected layer, whose sums oneDNN computes: u8 by s8 to s32, channels last.
///
/// Activations of s8 are read as u8 of a zero point larger by 128. What oneDNN's arithmetic would round or saturate is
/// avoided by weights in parts (weights.hpp).
class Convolution {
 public:
  explicit Convolution(const nibble_conv& conv);
  ~Convolution();

  const int32_t* addend() const { return addend_.data(); }
  size_t scratch() const;
  /// "jit:avx2", "jit:avx2, 2 parts".
  std::string kernel() const;
  /// All sums, without the addend, to v.
  void run(const void* x, void* scratch, int32_t* v) const;

  /// Why it cannot be one, from its description; empty where it may be.
  static std::string refusal(const nibble_conv& conv);

 private:
  struct Primitive;

  void find_extents();
  void gather(const void* x, uint8_t* to) const;
  size_t gathered_bytes() const;
  size_t sums_bytes() const;

  nibble_conv conv_;
  int64_t shift_ = 0;     ///< of s8 to u8
  int64_t extent_[3];     ///< of x, without what no window meets
  bool gathers_ = false;  ///< x does not lie as oneDNN reads it
  std::vector<int32_t> addend_;
  std::unique_ptr<Border> border_;
  std::unique_ptr<Primitive> primitive_;
};

}  // namespace nibble::backends
