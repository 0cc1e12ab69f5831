#pragma once
#include <string_view>

namespace nibble::fuzz {

/// Opens a program; one that is granted, and whose arena is small, is run on zeros. What the bytes say must not matter to
/// any memory but its own.
void read_program(std::string_view bytes);

}  // namespace nibble::fuzz
