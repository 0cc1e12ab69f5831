#pragma once
#include <filesystem>

#include "onnx/dialects.hpp"

/// nemo: integer networks as NEMO writes them. docs/design/dialects.md.
namespace nibble::onnx {

/// A Clip reads what a Div by a constant wrote, with Casts between.
bool is_nemo_file(const Source& source);

/// The integers of the file at stage ID: every quotient rounds down, whatever it is divided by; an average pool's scale
/// is part of the chain behind it. The input has 8 bits of either sign: the file does not say.
/// Throws UserError naming the node that is none of this.
graph::Graph read_nemo(const Source& source);

/// An ID graph in NEMO's form, its activations raised above zero (make_levels_unsigned.hpp). Throws UserError naming
/// every node that the dialect cannot say without changing an integer, with its reason.
void write_nemo(const graph::Graph& graph, const std::filesystem::path& file);

}  // namespace nibble::onnx
