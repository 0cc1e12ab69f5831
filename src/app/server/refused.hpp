#pragma once
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace nibble::app {

/// A request that is not answered: what the client is told, and HTTP's number for it (RFC 9110).
struct Refused : UserError {
  Refused(int number, const std::string& message, std::string methods = {})
      : UserError(message), status(number), allowed(std::move(methods)) {}
  int status;
  std::string allowed;  ///< with 405: the methods that there are
};

/// Throws Refused "app: request: <found> (expected <expected>)".
[[noreturn]] void refuse(int status, const std::string& found, const std::string& expected = {});

/// "Bad Request" of 400; "" of a status that the server does not give.
std::string_view reason_of(int status);

}  // namespace nibble::app
