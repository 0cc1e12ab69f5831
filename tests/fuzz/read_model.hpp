#pragma once
#include <string>
#include <string_view>

namespace nibble::fuzz {

/// Reads a model as the dialect (empty: recognised) and verifies it. A network small enough is evaluated on zeros: what
/// was accepted must have a meaning. Throws UserError.
void read_model(std::string_view bytes, const std::string& dialect);

}  // namespace nibble::fuzz
