#pragma once
#include <string>

/// nlohmann/json without the literal "..."_json. Its body names the parser, which every file that includes the header
/// would instantiate, half a second each; as a template that nobody names it costs nothing.
#define _json(...)    \
  _json(__VA_ARGS__); \
  template <class>    \
  nlohmann::json literal_left_out(__VA_ARGS__)
#include <nlohmann/json.hpp>
#undef _json

// What dump() is made of is compiled once, in base/json.cpp.
extern template class nlohmann::detail::serializer<nlohmann::ordered_json>;
