#pragma once
#include <string>
#include <vector>

#include "program/program.hpp"

/// C's spelling of names and numbers.
namespace nibble::codegen {

/// Letters, digits and underscores, a letter first; `otherwise` where nothing of the name is left.
std::string identifier(const std::string& name, const std::string& otherwise);
/// Whether C, C++, what generated files include, or their own parts have this name.
bool is_reserved(const std::string& id);
/// A literal of these bytes, quoted.
std::string c_string(const std::string& text);
/// Text that may stand in a comment.
std::string comment(const std::string& text);

std::string integer(int64_t value, bool wide);
/// The very number: hexadecimal digits where decimal ones would not give it back.
std::string real(double value, bool single = false);

int64_t elements_of(const program::Piece& piece);
/// The elements of a piece of those bytes, in lines.
std::string array_of(const program::Piece& piece, const std::vector<uint8_t>& bytes);

}  // namespace nibble::codegen
