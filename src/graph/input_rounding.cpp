#include "graph/input_rounding.hpp"

#include "base/json.hpp"

namespace nibble::graph {
namespace {

/// {"<input>": "half_even", ...}
constexpr const char* key = "input_rounding";

Json roundings_of(const Graph& graph) {
  const auto found = graph.metadata.find(key);
  if (found == graph.metadata.end()) return Json::object();
  Json json = Json::parse(found->second, nullptr, false);
  return json.is_object() ? json : Json::object();
}

}  // namespace

Rounding input_rounding(const Graph& graph, const std::string& input) {
  const Json json = roundings_of(graph);
  const auto found = json.find(input);
  const bool even = found != json.end() && found->is_string() && found->get<std::string>() == "half_even";
  return even ? Rounding::HalfEven : Rounding::HalfUp;
}

void set_input_rounding(Graph& graph, const std::string& input, Rounding rounding) {
  Json json = roundings_of(graph);
  json.erase(input);
  if (rounding == Rounding::HalfEven) json[input] = to_string(rounding);
  if (json.empty())
    graph.metadata.erase(key);
  else
    graph.metadata[key] = json.dump();
}

}  // namespace nibble::graph
