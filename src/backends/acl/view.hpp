#pragma once
#include <cstdint>

#include <arm_compute/core/ITensor.h>
#include <arm_compute/core/TensorInfo.h>

namespace nibble::backends {

/// A tensor of Arm Compute Library over memory that another owns, set before each run: its own allocates. Shapes are in
/// the library's order, the axis that moves fastest first.
class View : public arm_compute::ITensor {
 public:
  View(const arm_compute::TensorShape& shape, arm_compute::DataType type, arm_compute::DataLayout layout);

  arm_compute::ITensorInfo* info() const override { return &info_; }
  arm_compute::ITensorInfo* info() override { return &info_; }
  uint8_t* buffer() const override { return memory_; }

  /// Memory as large as the shape, aligned to 64.
  void look_at(const void* memory) { memory_ = static_cast<uint8_t*>(const_cast<void*>(memory)); }
  /// Whether elements lie side by side: no kernel asked for room between rows.
  bool is_dense() const { return info_.padding().empty(); }

 private:
  mutable arm_compute::TensorInfo info_;
  uint8_t* memory_ = nullptr;
};

/// Thrown where the library does not take a step: why.
struct Refusal {
  const char* why;
};

/// Keeps the library to the caller's thread, from the first call on.
void use_one_thread();
/// Throws Refusal{otherwise} unless the library says that it can.
void require(const arm_compute::Status& status, const char* otherwise);

}  // namespace nibble::backends
