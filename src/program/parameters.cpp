#include "program/parameters.hpp"

#include <algorithm>

#include "kernels/packed/packed.h"

namespace nibble::program {
namespace {

template <class Parameters, class Part>
std::vector<std::vector<int64_t>> parted(int kind, const std::vector<int64_t>& numbers, int32_t rows, Part&& part_of) {
  Parameters whole{}, part{};
  nibble_decode(kind, numbers.data(), &places(), &whole);
  std::vector<std::vector<int64_t>> parts;
  for (int32_t first = 0; first < whole.out[1]; first += rows) {
    part_of(&whole, first, std::min(rows, whole.out[1] - first), &part);
    std::vector<int64_t> each(numbers.size());
    nibble_encode(kind, &part, &places(), each.data());
    if (std::find(parts.begin(), parts.end(), each) == parts.end()) parts.push_back(std::move(each));
  }
  return parts;
}

}  // namespace

const void* field_at(int64_t place) {
  return reinterpret_cast<const void*>(static_cast<uintptr_t>(place + 1));  // NOLINT(performance-no-int-to-ptr)
}

int64_t place_of(const void* field) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(field)) - 1;
}

const nibble_pointers& places() {
  static constexpr nibble_pointers as_places{[](void*, const void* field) { return place_of(field); },
                                             [](void*, int64_t place) { return field_at(place); }, nullptr};
  return as_places;
}

std::vector<int64_t> parameters_of(int kind, const std::vector<int64_t>& numbers) {
  std::vector<int64_t> block((nibble_fields_of(kind)->size + 7) / 8);
  const nibble_pointers somewhere{nullptr,
                                  [](void*, int64_t number) -> const void* {
                                    static constexpr int64_t constant = 0;
                                    return number < 0 ? nullptr : &constant;
                                  },
                                  nullptr};
  nibble_decode(kind, numbers.data(), &somewhere, block.data());
  return block;
}

std::vector<std::vector<int64_t>> parts_of(int kind, const std::vector<int64_t>& numbers, int32_t rows) {
  if (rows == 0) return {numbers};
  return kind == NIBBLE_KIND_CONV ? parted<nibble_conv>(kind, numbers, rows, nibble_conv_part)
                                  : parted<nibble_pool>(kind, numbers, rows, nibble_pool_part);
}

}  // namespace nibble::program
