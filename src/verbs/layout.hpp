#pragma once
#include <cstdint>
#include <vector>

#include "base/json.hpp"
#include "base/tensor.hpp"
#include "program/program.hpp"

/// Tensors as generated code holds them in memory.
namespace nibble::verbs {

/// The value as a user's struct holds it: the order of the axes is memory's, without gaps.
program::Value dense(program::Value value);

/// The tensor's elements in the value's type where its strides put them; gaps are 0.
std::vector<uint8_t> bytes_of(const Tensor& tensor, const program::Value& value);

/// The elements that stand there, as the evaluator holds them: Int64 or Float64. Throws UserError at `place` where there
/// are too few bytes.
/// `first`: elements before the value's first one, where strides are negative.
Tensor tensor_of(const std::vector<uint8_t>& bytes, const program::Value& value, const std::string& place,
                 int64_t first = 0);

/// A value of test/layers.json. Throws UserError at `place`.
program::Value value_from_json(const Json& json, const std::string& place);

}  // namespace nibble::verbs
