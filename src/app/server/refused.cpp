#include "app/server/refused.hpp"

#include <array>
#include <utility>

namespace nibble::app {

void refuse(int status, const std::string& found, const std::string& expected) {
  throw Refused(status, "app: request: " + found + (expected.empty() ? "" : " (expected " + expected + ")"));
}

std::string_view reason_of(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 15> reasons{{{200, "OK"},
                                                                             {400, "Bad Request"},
                                                                             {404, "Not Found"},
                                                                             {405, "Method Not Allowed"},
                                                                             {408, "Request Timeout"},
                                                                             {411, "Length Required"},
                                                                             {413, "Content Too Large"},
                                                                             {414, "URI Too Long"},
                                                                             {415, "Unsupported Media Type"},
                                                                             {417, "Expectation Failed"},
                                                                             {431, "Request Header Fields Too Large"},
                                                                             {500, "Internal Server Error"},
                                                                             {503, "Service Unavailable"},
                                                                             {505, "HTTP Version Not Supported"}}};
  for (const auto& [number, reason] : reasons)
    if (number == status) return reason;
  return {};
}

}  // namespace nibble::app
