#pragma once
#include <string_view>

namespace nibble {

/// A keyword of C or of C++: no name that generated code may have.
bool is_c_word(std::string_view name);

}  // namespace nibble
