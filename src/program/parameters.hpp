#pragma once
#include <cstdint>
#include <vector>

#include "kernels/fields.h"

namespace nibble::program {

/// A place among the constants as the field of a kernel's struct holds it while a program is made: no address, and null
/// where there is no constant (-1).
const void* field_at(int64_t place);
int64_t place_of(const void* field);
/// A struct to and from its numbers with such fields (nibble_encode, nibble_decode).
const nibble_pointers& places();

/// The struct of a step's parameters (kernels/kernels.h) of that kind, from its fields' numbers, for questions about them
/// alone: what a pointer points to is not there, and it is null where the field has no constant.
std::vector<int64_t> parameters_of(int kind, const std::vector<int64_t>& numbers);

/// The steps that kernels see of a step that is computed `rows` rows of its result at a time (kernels/packed/packed.h), by
/// their numbers, each that differs once. Rows of 0: the step itself.
std::vector<std::vector<int64_t>> parts_of(int kind, const std::vector<int64_t>& numbers, int32_t rows);

}  // namespace nibble::program
