#include "program/parameters.hpp"

#include "kernels/fields.h"

namespace nibble::program {

std::vector<int64_t> parameters_of(int kind, const std::vector<int64_t>& numbers) {
  std::vector<int64_t> block((nibble_fields_of(kind)->size + 7) / 8);
  const nibble_pointers places{nullptr,
                               [](void*, int64_t number) -> const void* {
                                 static constexpr int64_t somewhere = 0;
                                 return number < 0 ? nullptr : &somewhere;
                               },
                               nullptr};
  nibble_decode(kind, numbers.data(), &places, block.data());
  return block;
}

}  // namespace nibble::program
