#include "backends/acl/view.hpp"

#include <arm_compute/runtime/Scheduler.h>

namespace nibble::backends {

View::View(const arm_compute::TensorShape& shape, arm_compute::DataType type, arm_compute::DataLayout layout)
    : info_(shape, 1, type) {
  // Integers stand for themselves: scale 1, no offset.
  if (type == arm_compute::DataType::QASYMM8_SIGNED || type == arm_compute::DataType::QASYMM8)
    info_.set_quantization_info(arm_compute::QuantizationInfo(1.0F, 0));
  info_.set_data_layout(layout);
  info_.set_is_resizable(true);
}

void use_one_thread() {
  static const bool done = [] {
    arm_compute::Scheduler::set(arm_compute::Scheduler::Type::ST);
    return true;
  }();
  static_cast<void>(done);
}

void require(const arm_compute::Status& status, const char* otherwise) {
  if (!static_cast<bool>(status)) throw Refusal{otherwise};
}

}  // namespace nibble::backends
