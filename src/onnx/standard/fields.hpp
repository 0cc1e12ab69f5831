#pragma once
#include "graph/op.hpp"
#include "onnx/file/proto.hpp"
#include "onnx/standard/node_reader.hpp"

namespace nibble::onnx {

/// Domain `nibble`: every op of ours under its own name, its fields as attributes. Integers and flags are INT, lists of
/// them INTS, reals one-element or one-axis DOUBLE tensors (an attribute of ONNX holds only floats), enumerations
/// strings; a grid is its five parts.
void write_fields(const graph::Op& op, pb::NodeProto& node);

/// The op of a node of that domain. Throws UserError on an op that is not ours, or a field missing, of another kind or
/// too many.
graph::Op op_of_fields(const NodeReader& node);

}  // namespace nibble::onnx
