#pragma once
#include "codegen/generate.hpp"

/// Where generated code keeps what.
namespace nibble::codegen {

/// Offset of the scratch behind the activations.
int64_t scratch_at(const program::Program& program);

/// The elements lie side by side, in some order of the axes.
bool is_dense(const program::Value& value);

}  // namespace nibble::codegen
