#pragma once
#include <string_view>
#include <vector>

namespace nibble {

/// A file of the sources that travels in the binary (cmake/embedded.cmake).
struct Embedded {
  std::string_view name;  ///< its path
  std::string_view text;
};

}  // namespace nibble
