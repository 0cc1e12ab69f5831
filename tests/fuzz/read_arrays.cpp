#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "data/npy.hpp"
#include "data/npz.hpp"

/// Arrays of any bytes: a UserError or tensors, nothing else.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    nibble::data::parse_npz(bytes, "fuzz");
  } catch (const nibble::UserError&) {
  }
  try {
    nibble::data::parse_npy(bytes, "fuzz");
  } catch (const nibble::UserError&) {
  }
  return 0;
}
