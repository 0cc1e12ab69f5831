#pragma once
#include "onnx/standard/node_reader.hpp"

namespace nibble::onnx {

/// A window as attributes say it, explicit: auto_pad resolved to pads from the extents of x.
struct Window {
  graph::Ints kernel, strides, pads, dilations;
};

/// Reads kernel_shape (or takes `kernel`), strides, pads, dilations and auto_pad of a node that looks at x [N, C,
/// spatial]. Throws UserError on counts that do not match, on numbers below their least or beyond 2^31, and where
/// auto_pad SAME needs an extent that is not known.
Window read_window(const NodeReader& node, graph::ValueId x, const graph::Ints& kernel = {});

}  // namespace nibble::onnx
