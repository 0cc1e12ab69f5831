#pragma once
#include <filesystem>

#include "onnx/dialects.hpp"

/// quantlab: integer networks as QuantLab writes and DORY reads them. docs/design/dialects.md.
namespace nibble::onnx {

/// A node has the dialect's bit widths or its residual Add's attributes.
bool is_quantlab_file(const Source& source);

/// The integers of the file at stage ID: requantisations round down, a residual Add requantises its branches, an
/// average pool rounds its sum over K down. Levels of the input come from `config_<name>.json` beside the file; without
/// one they are those of 8 bits of either sign. Throws UserError naming the node that is none of this.
graph::Graph read_quantlab(const Source& source);

/// An ID graph as DORY's reader wants it, and `config_<name>.json` beside it. BNRelu_bits is 32 where every product and
/// sum of a requantisation provably has at most so many, else 64. Throws UserError naming every node that the dialect
/// cannot say without changing an integer, with its reason.
void write_quantlab(const graph::Graph& graph, const std::filesystem::path& file);

}  // namespace nibble::onnx
