#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "onnx/onnx.hpp"

/// A model of any bytes, read as the dialect in NIBBLE_DIALECT: a UserError or a verified graph, nothing else.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const char* const dialect = std::getenv("NIBBLE_DIALECT");
  nibble::onnx::ReadOptions options;
  if (dialect != nullptr) options.dialect = dialect;
  try {
    nibble::onnx::read_bytes(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz", options);
  } catch (const nibble::UserError&) {
  }
  return 0;
}
