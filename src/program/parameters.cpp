#include "program/parameters.hpp"

#include <algorithm>

#include "kernels/fields.h"
#include "kernels/packed/packed.h"

namespace nibble::program {
namespace {

/// A place among the constants as a field holds it.
const void* field_of(void*, int64_t number) {
  return reinterpret_cast<const void*>(static_cast<uintptr_t>(number + 1));  // NOLINT(performance-no-int-to-ptr)
}
int64_t number_of(void*, const void* field) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(field)) - 1;
}

template <class Parameters, class Part>
std::vector<std::vector<int64_t>> parted(int kind, const std::vector<int64_t>& numbers, int32_t rows, Part&& part_of) {
  const nibble_pointers places{number_of, field_of, nullptr};
  Parameters whole{}, part{};
  nibble_decode(kind, numbers.data(), &places, &whole);
  std::vector<std::vector<int64_t>> parts;
  for (int32_t first = 0; first < whole.out[1]; first += rows) {
    part_of(&whole, first, std::min(rows, whole.out[1] - first), &part);
    std::vector<int64_t> each(numbers.size());
    nibble_encode(kind, &part, &places, each.data());
    if (std::find(parts.begin(), parts.end(), each) == parts.end()) parts.push_back(std::move(each));
  }
  return parts;
}

}  // namespace

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

std::vector<std::vector<int64_t>> parts_of(int kind, const std::vector<int64_t>& numbers, int32_t rows) {
  if (rows == 0) return {numbers};
  return kind == NIBBLE_KIND_CONV ? parted<nibble_conv>(kind, numbers, rows, nibble_conv_part)
                                  : parted<nibble_pool>(kind, numbers, rows, nibble_pool_part);
}

}  // namespace nibble::program
