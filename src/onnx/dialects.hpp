#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "graph/graph.hpp"
#include "onnx/onnx.hpp"

// protobuf's class, which only this room sees whole (onnx/file/proto.hpp).
namespace onnx {
class ModelProto;
}

namespace nibble::onnx {

/// A model as a dialect's reader gets it: parsed, nothing in it checked.
struct Source {
  const ::onnx::ModelProto& model;
  std::string place;             ///< the file's name in messages
  std::filesystem::path folder;  ///< what lies beside the file; empty: nothing may
  ReadOptions options;
};

/// One way of writing networks down.
struct Dialect {
  std::string_view name;
  std::string_view sentence;  ///< for help and the reference: who writes and reads it, and what it holds
  std::string_view stages;    ///< of the graphs that it can hold, with spaces between
  bool text_goldens;          ///< its tools keep goldens as text files, one integer a line; else as npz
  bool (*recognises)(const Source&);
  graph::Graph (*read)(const Source&);
  void (*write)(const graph::Graph&, const std::filesystem::path&);

  bool holds(graph::Stage stage) const;
};

/// Every dialect, in the order in which they are asked whether a file is theirs: the last takes whatever is ONNX.
std::span<const Dialect> dialects();

/// Throws UserError "onnx: <place>: no dialect '<name>'" with the nearest name.
const Dialect& dialect_named(std::string_view name, const std::string& place);

// Recognising and reading, one pair a dialect.
bool is_native_file(const Source& source);
graph::Graph read_standard(const Source& source);

}  // namespace nibble::onnx
