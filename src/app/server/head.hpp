#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace nibble::app {

/// Bounds of the part of a request before its body.
inline constexpr size_t most_head_bytes = size_t{16} << 10;
inline constexpr size_t most_target_bytes = size_t{4} << 10;
inline constexpr size_t most_head_lines = 100;

/// What a request says before its body, of HTTP/1.0 and 1.1 (RFC 9112).
struct Head {
  std::string method;
  std::string target;  ///< "/path?query", as it came
  std::string path;    ///< the target before its query
  size_t body = 0;     ///< bytes that follow
  std::string type{};  ///< the body's, in small letters, without parameters
  std::string boundary{};
  bool last = false;     ///< no request follows on this connection
  bool expects = false;  ///< waits for "100 Continue" before it sends the body
};

/// Where the head ends in what has come so far, its blank line included; 0: it goes on. Throws Refused as soon as it
/// can be none: a byte that no head has, a line that ends without CR, too long.
size_t head_end(std::string_view bytes);

/// Reads a whole head. Throws Refused (400, 411, 415, 417, 505).
Head parse_head(std::string_view head);

/// A place that answers, and by which methods.
struct Route {
  std::string_view path;
  std::string_view methods;  ///< "GET, HEAD"
};
/// Throws Refused 404 or 405.
void check_route(const Head& head, const std::vector<Route>& routes);

}  // namespace nibble::app
