#include "onnx/file/metadata.hpp"

#include <unordered_map>
#include <utility>

#include "base/error.hpp"

namespace nibble::onnx {
namespace {

constexpr int metadata_version = 1;

/// Calls f; what is missing from the document or of the wrong kind is the file's fault.
template <class F>
decltype(auto) reading(const std::string& file, F&& f) {
  try {
    return f();
  } catch (const Json::exception& error) {
    fail("onnx", file + ": metadata 'nibble'", error.what(), "our own document");
  }
}

/// A whole number that T holds. Throws Json::exception.
template <class T = int64_t>
T integer(const Json& json) {
  const std::optional<int64_t> number = whole_number(json);
  if (!number || !std::in_range<T>(*number))
    throw Json::type_error::create(302, json.dump() + " is no integer of " + std::to_string(8 * sizeof(T)) + " bits",
                                   &json);
  return static_cast<T>(*number);
}

}  // namespace

Json parse_metadata(const std::string& text, const std::string& file) {
  return reading(file, [&] {
    Json document = parse_json(text, "onnx", file + ": metadata 'nibble'");
    if (integer(document.at("version")) != metadata_version)
      fail("onnx", file + ": metadata 'nibble'", "version " + document.at("version").dump(),
           "version " + std::to_string(metadata_version));
    return document;
  });
}

Json grid_json(const Grid& grid) {
  return {{"scale", grid.scale},
          {"axis", grid.axis},
          {"zero_point", grid.zero_point},
          {"low", grid.low},
          {"high", grid.high}};
}

Json metadata_for(const graph::Graph& graph, std::string_view dialect) {
  Json values = Json::object();
  for (const graph::Value& value : graph.values) {
    Json entry = {{"type", to_string(value.type)}};
    if (value.grid) entry["grid"] = grid_json(*value.grid);
    if (!value.bounds.empty()) {
      entry["bounds"] = Json::array();
      for (const Interval& bound : value.bounds) entry["bounds"].push_back(Json::array({bound.low, bound.high}));
    }
    values[value.name] = std::move(entry);
  }
  return {{"version", metadata_version},
          {"dialect", dialect},
          {"stage", graph::to_string(graph.stage)},
          {"values", values}};
}

bool is_native(const Json& metadata) {
  return metadata.is_object() && metadata.contains("dialect") && metadata["dialect"] == "native";
}

const Json* value_metadata(const Json& metadata, const std::string& value) {
  if (!metadata.is_object()) return nullptr;
  const auto values = metadata.find("values");
  if (values == metadata.end() || !values->is_object()) return nullptr;
  const auto found = values->find(value);
  return found == values->end() ? nullptr : &*found;
}

ElementType declared_type(const Json* value, ElementType otherwise, const std::string& file) {
  if (!value) return otherwise;
  return reading(
      file, [&] { return value->contains("type") ? element_type(value->at("type").get<std::string>()) : otherwise; });
}

std::optional<Grid> declared_grid(const Json* value, const std::string& file) {
  if (!value) return std::nullopt;
  return reading(file, [&]() -> std::optional<Grid> {
    if (!value->contains("grid")) return std::nullopt;
    const Json& json = value->at("grid");
    Grid grid;
    grid.scale = json.at("scale").get<std::vector<double>>();
    grid.axis = integer<int>(json.at("axis"));
    grid.zero_point = integer(json.at("zero_point"));
    grid.low = integer(json.at("low"));
    grid.high = integer(json.at("high"));
    check_grid(grid, "onnx", file + ": metadata 'nibble'");
    return grid;
  });
}

namespace {

/// The values in the document's order, where it names them all.
void reorder_values(const Json& metadata, graph::Graph& graph) {
  std::unordered_map<std::string_view, graph::ValueId> place;
  const Json& named = metadata.at("values");
  graph::ValueId next = 0;
  for (const auto& [name, entry] : named.items()) place.emplace(name, next++);
  if (place.size() != graph.values.size()) return;
  std::vector<graph::ValueId> moved;
  for (const graph::Value& value : graph.values) {
    const auto found = place.find(value.name);
    if (found == place.end()) return;
    moved.push_back(found->second);
  }
  std::vector<graph::Value> values(graph.values.size());
  for (size_t i = 0; i < moved.size(); ++i) values[static_cast<size_t>(moved[i])] = std::move(graph.values[i]);
  graph.values = std::move(values);
  const auto renumber = [&](std::vector<graph::ValueId>& ids) {
    for (graph::ValueId& id : ids)
      if (id != graph::absent) id = moved[static_cast<size_t>(id)];
  };
  renumber(graph.inputs);
  renumber(graph.outputs);
  for (graph::Node& node : graph.nodes) renumber(node.inputs), renumber(node.outputs);
}

}  // namespace

void apply_metadata(const Json& metadata, graph::Graph& graph, const std::string& file) {
  reading(file, [&] {
    graph.stage = graph::stage_named(metadata.at("stage").get<std::string>());
    for (graph::Value& value : graph.values) {
      const Json* entry = value_metadata(metadata, value.name);
      value.grid = declared_grid(entry, file);
      if (entry && entry->contains("bounds"))
        for (const Json& bound : entry->at("bounds"))
          value.bounds.push_back({integer(bound.at(0)), integer(bound.at(1))});
    }
    reorder_values(metadata, graph);
  });
}

}  // namespace nibble::onnx
