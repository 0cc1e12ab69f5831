#pragma once
#include <cstdint>
#include <vector>

namespace nibble::program {

/// The struct of a step's parameters (kernels/kernels.h) of that kind, from its fields' numbers, for questions about them
/// alone: what a pointer points to is not there, and it is null where the field has no constant.
std::vector<int64_t> parameters_of(int kind, const std::vector<int64_t>& numbers);

/// The steps that kernels see of a step that is computed `rows` rows of its result at a time (kernels/packed/packed.h), by
/// their numbers, each that differs once. Rows of 0: the step itself.
std::vector<std::vector<int64_t>> parts_of(int kind, const std::vector<int64_t>& numbers, int32_t rows);

}  // namespace nibble::program
