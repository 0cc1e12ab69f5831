#pragma once
#include <cstdint>
#include <mutex>
#include <vector>

#include <arm_compute/runtime/NEON/functions/NEGEMMAssemblyDispatch.h>
#include <arm_compute/runtime/Tensor.h>
#include "backends/acl/view.hpp"
#include "backends/weights.hpp"

namespace nibble::backends {

/// A dense convolution, or fully connected layer, of bytes: windows in rows, and the library's product of matrices of
/// int8 to int32.
///
/// Activations of u8 are read as i8, less by 128. On CPUs without a dot product the library adds two products in 16 bits:
/// -128 * -128, twice, would leave them. So an output channel may have one weight of -128, whichever two are added.
class Gemm {
 public:
  /// Throws Refusal.
  explicit Gemm(const nibble_conv& conv);

  /// What the sums of all positions lack: bias, and what reading u8 as i8 changes.
  const int32_t* addend() const { return addend_.data(); }
  size_t scratch() const;
  /// The sums of all positions, [position][out channel]. One thread at a time.
  void run(const void* x, void* scratch, int32_t* v);
  const char* kernel() const { return gathers_ ? "windows, gemm" : "gemm"; }

  /// Why it cannot be one, from its description; empty where it may be.
  static const char* refusal(const nibble_conv& conv);

 private:
  void fill_addend(const Weights& weights);
  void gather(const void* x, int8_t* to) const;

  nibble_conv conv_;
  int64_t positions_, row_;  ///< bytes of a window
  uint8_t flip_;             ///< x ^ flip is signed
  bool gathers_;
  std::vector<int32_t> addend_;
  std::mutex running_;
  View a_, y_;
  arm_compute::Tensor b_;
  arm_compute::NEGEMMAssemblyDispatch product_;
};

}  // namespace nibble::backends
