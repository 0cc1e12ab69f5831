#pragma once
#include <string>

#include "base/json.hpp"
#include "graph/graph.hpp"

namespace nibble::onnx {

/// The key of metadata_props under which our one JSON document lies:
///
///     {"version": 1, "dialect": "native", "stage": "ID",
///      "values": {"conv1": {"type": "int8", "grid": {"scale": [0.5], "axis": -1, "zero_point": 0, "low": -128,
///                           "high": 127}, "bounds": [[-9, 9]]}}}
///
/// `values` names every value in the graph's order; "grid" and "bounds" stand where the value has them.
inline constexpr std::string_view metadata_key = "nibble";

/// Throws UserError "onnx: <file>: metadata 'nibble': ..." where it is not such a document.
Json parse_metadata(const std::string& text, const std::string& file);
Json metadata_for(const graph::Graph& graph, std::string_view dialect);
Json grid_json(const Grid& grid);

bool is_native(const Json& metadata);
/// What the document says of a value, or nullptr.
const Json* value_metadata(const Json& metadata, const std::string& value);
ElementType declared_type(const Json* value, ElementType otherwise, const std::string& file);
std::optional<Grid> declared_grid(const Json* value, const std::string& file);
/// Stage, grids, bounds and the order of values.
void apply_metadata(const Json& metadata, graph::Graph& graph, const std::string& file);

}  // namespace nibble::onnx
