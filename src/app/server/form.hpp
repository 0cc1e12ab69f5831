#pragma once
#include <string_view>

namespace nibble::app {

/// The bytes of the one file in a body of multipart/form-data (RFC 7578); fields without a file's name are passed over.
/// Throws Refused 400: damaged, no file, several.
std::string_view file_of_form(std::string_view body, std::string_view boundary);

}  // namespace nibble::app
