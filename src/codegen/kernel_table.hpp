#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"

namespace nibble::codegen {

/// One kernel as generated code calls it.
struct Kernel {
  std::string_view set, function;
  std::vector<std::string_view> files;                            ///< that it needs, below src/
  std::function<nibble_order(int, const void*)> order = nullptr;  ///< where it says how it goes through memory
};

/// The first kernel, in the order of the sets, that takes the step. nullptr where none does.
const Kernel* kernel_for(const std::vector<std::string>& sets, int kind, const void* parameters);
/// That takes each part of a step (program::parts_of).
const Kernel* kernel_for(const std::vector<std::string>& sets, int kind,
                         const std::vector<std::vector<int64_t>>& parts);

}  // namespace nibble::codegen
