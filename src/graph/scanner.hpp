#pragma once
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"

namespace nibble::graph {

/// Reads one line of the text form, token after token. Every complaint is a UserError that names the line.
class Scanner {
 public:
  Scanner(std::string_view line, int number) : rest_(line), number_(number) { skip(); }

  [[noreturn]] void complain(const std::string& found, const std::string& expected) const {
    fail("graph", "line " + std::to_string(number_), found, expected);
  }
  bool at_end() const { return rest_.empty(); }
  bool peek(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool take(char c) {
    if (!peek(c)) return false;
    rest_.remove_prefix(1);
    skip();
    return true;
  }
  void expect(char c) {
    if (!take(c))
      complain(at_end() ? "the end" : "'" + std::string(1, rest_.front()) + "'", "'" + std::string(1, c) + "'");
  }
  /// A plain word or a JSON string.
  std::string word() {
    if (peek('"')) return quoted();
    return std::string(cut(rest_.find_first_of(" ()=[]{}<>")));
  }
  /// The word before a '='.
  std::string key() {
    std::string name = word();
    expect('=');
    return name;
  }
  int64_t integer() { return number<int64_t>("a whole number"); }
  int64_t integer(int64_t low, int64_t high) {
    const int64_t found = integer();
    if (found < low || found > high)
      complain(std::to_string(found), std::to_string(low) + " to " + std::to_string(high));
    return found;
  }
  /// A word that `find` understands; its UserError, with the line's number in front.
  template <class Find>
  auto named(Find find) {
    const std::string found = word();
    try {
      return find(found);
    } catch (const UserError& error) {
      const std::string_view message = error.what();
      throw UserError("graph: line " + std::to_string(number_) + ": " +
                      std::string(message.substr(message.find(": ") + 2)));
    }
  }
  /// Characters not read yet.
  size_t left() const { return rest_.size(); }
  double real() { return number<double>("a number"); }
  float single() { return number<float>("a number"); }

 private:
  void skip() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\r')) rest_.remove_prefix(1);
  }
  std::string_view cut(size_t length) {
    const std::string_view token = rest_.substr(0, length);
    if (token.empty()) complain(at_end() ? "the end" : "'" + std::string(1, rest_.front()) + "'", "a word");
    rest_.remove_prefix(token.size());
    skip();
    return token;
  }
  std::string quoted() {
    size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) complain("a string without an end", "'\"'");
    const std::optional<std::string> text = text_of_json_string(cut(end + 1));
    if (!text) complain("a malformed string", "a JSON string");
    return *text;
  }
  template <class T>
  T number(const char* what) {
    T result{};
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), result);
    if (error != std::errc()) complain("'" + std::string(rest_.substr(0, 12)) + "'", what);
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    skip();
    return result;
  }

  std::string_view rest_;
  int number_;
};

}  // namespace nibble::graph
