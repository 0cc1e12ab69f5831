#pragma once
#include <string>
#include <string_view>

/// What names and texts are in the languages that are written.
namespace nibble {

/// A keyword of C or of C++: no name that generated code may have.
bool is_c_word(std::string_view name);

/// Text as it may stand in an element or a quoted attribute of HTML and SVG; control characters, which XML lacks, are
/// spaces.
std::string xml_escaped(std::string_view text);

}  // namespace nibble
