#pragma once
#include "codegen/generate.hpp"

/// Where generated code keeps what.
namespace nibble::codegen {

/// Offset of the step's scratch: its own, or what stands behind the activations.
int64_t scratch_of(const program::Program& program, const program::Step& step);

/// The elements lie side by side, in some order of the axes.
bool is_dense(const program::Value& value);

}  // namespace nibble::codegen
