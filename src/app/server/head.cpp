#include "app/server/head.hpp"

#include <algorithm>
#include <charconv>

#include "app/server/refused.hpp"
#include "base/json.hpp"

namespace nibble::app {
namespace {

std::string small(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string shown(std::string_view text) {
  return json_string(text.substr(0, 60));
}

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

/// The text up to the separator; what is behind it stays.
std::string_view cut(std::string_view& rest, std::string_view separator) {
  const size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == rest.npos ? std::string_view() : rest.substr(end + separator.size());
  return part;
}

void read_first_line(std::string_view line, Head& head) {
  std::string_view rest = line;
  head.method = cut(rest, " ");
  head.target = cut(rest, " ");
  if (!is_token(head.method)) refuse(400, "first line " + shown(line), "a method, a path and HTTP/1.1");
  if (rest != "HTTP/1.1" && rest != "HTTP/1.0")
    refuse(rest.starts_with("HTTP/") && rest.size() < 10 ? 505 : 400, "version " + shown(rest), "HTTP/1.1 or HTTP/1.0");
  const bool plain = std::all_of(head.target.begin(), head.target.end(), [](char c) { return c > ' ' && c < 127; });
  if (!head.target.starts_with('/') || !plain || head.target.find('#') != std::string::npos)
    refuse(400, "target " + shown(head.target), "a path that begins with /");
  head.path = head.target.substr(0, head.target.find('?'));
  head.last = rest == "HTTP/1.0";
}

size_t length_of(std::string_view value) {
  size_t length = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (fault == std::errc::result_out_of_range) return SIZE_MAX;
  if (fault != std::errc() || end != value.data() + value.size())
    refuse(400, "Content-Length " + shown(value), "a number of bytes");
  return length;
}

/// The value of a parameter such as `boundary=...`, without its quotes.
std::string_view parameter(std::string_view rest, std::string_view name) {
  while (!rest.empty()) {
    std::string_view value = trimmed(cut(rest, ";"));
    if (small(trimmed(cut(value, "="))) != name) continue;
    value = trimmed(value);
    if (value.size() > 1 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

struct Counts {
  int lengths = 0, hosts = 0, types = 0;
};

void read_line(std::string_view name, std::string_view value, Head& head, Counts& counts) {
  const std::string key = small(name);
  if (key == "host") {
    ++counts.hosts;
  } else if (key == "content-length") {
    ++counts.lengths;
    head.body = length_of(value);
  } else if (key == "transfer-encoding") {
    refuse(411, "Transfer-Encoding " + shown(value), "a body whose Content-Length is said");
  } else if (key == "content-encoding") {
    if (small(value) != "identity") refuse(415, "Content-Encoding " + shown(value), "a body as it is");
  } else if (key == "content-type") {
    ++counts.types;
    head.type = small(trimmed(cut(value, ";")));
    head.boundary = parameter(value, "boundary");
  } else if (key == "connection") {
    head.last = head.last ? small(value) != "keep-alive" : small(value).find("close") != std::string::npos;
  } else if (key == "expect") {
    if (small(value) != "100-continue") refuse(417, "Expect " + shown(value), "100-continue");
    head.expects = true;
  }
}

}  // namespace

size_t head_end(std::string_view bytes) {
  char before = 0;
  for (size_t i = 0, line = 0; i < std::min(bytes.size(), most_head_bytes); ++i) {
    const char c = bytes[i];
    const auto code = static_cast<unsigned char>(c);
    if ((code < ' ' && c != '\t' && c != '\r' && c != '\n') || code == 127)
      refuse(400, "byte " + std::to_string(code) + " at place " + std::to_string(i), "a request of HTTP/1.1");
    if ((c == '\n') != (before == '\r')) refuse(400, "a line that does not end with CR LF", "a request of HTTP/1.1");
    if (line == 0 && i >= most_target_bytes)
      refuse(414, "a first line of more than " + std::to_string(most_target_bytes) + " bytes");
    if (c == '\n') {
      if (bytes.substr(0, i + 1).ends_with("\r\n\r\n") || i == 1) return i + 1;
      if (++line > most_head_lines) refuse(431, "more than " + std::to_string(most_head_lines) + " lines of header");
    }
    before = c;
  }
  if (bytes.size() >= most_head_bytes)
    refuse(431, "a header of more than " + std::to_string(most_head_bytes) + " bytes");
  return 0;
}

Head parse_head(std::string_view head) {
  Head result;
  Counts counts;
  std::string_view rest = head.substr(0, head.size() - 2);
  read_first_line(cut(rest, "\r\n"), result);
  const bool old = result.last;
  while (!rest.empty()) {
    const std::string_view line = cut(rest, "\r\n");
    const size_t colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon)))
      refuse(400, "header " + shown(line), "a name, a colon and a value");
    read_line(line.substr(0, colon), trimmed(line.substr(colon + 1)), result, counts);
  }
  if (counts.lengths > 1 || counts.hosts > 1 || counts.types > 1)
    refuse(400, "Host, Content-Length or Content-Type twice", "each once");
  if (counts.hosts == 0 && !old) refuse(400, "no Host", "HTTP/1.1's one");
  if (counts.lengths == 0 && result.method == "POST") refuse(411, "no Content-Length", "the body's length in bytes");
  if (result.body > 0 && (result.method == "GET" || result.method == "HEAD"))
    refuse(400, result.method + " with a body", "POST, or none");
  return result;
}

void check_route(const Head& head, const std::vector<Route>& routes) {
  std::string paths;
  for (const Route& route : routes) {
    paths += (paths.empty() ? "" : ", ") + std::string(route.path);
    if (route.path != head.path) continue;
    for (std::string_view rest = route.methods; !rest.empty();)
      if (cut(rest, ", ") == head.method) return;
    throw Refused(405,
                  "app: request: " + head.method + " " + head.path + " (expected " + std::string(route.methods) + ")",
                  std::string(route.methods));
  }
  refuse(404, "path " + shown(head.path), "one of " + paths);
}

}  // namespace nibble::app
