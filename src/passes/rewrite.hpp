#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.hpp"

/// What several passes do to a graph.
namespace nibble::passes {

/// "node 'conv1' (Conv)": where an error is.
std::string place_of(const graph::Node& node);

/// The node that writes a value, or nullptr. Linear in the number of nodes.
graph::Node* writer_of(graph::Graph& graph, graph::ValueId id);

/// How many node inputs and graph outputs read the value.
int count_readers(const graph::Graph& graph, graph::ValueId id);

/// The number that a file can hold, next to a parameter that was computed of others.
double attribute_of(double number);

/// The values as a Float32 tensor, each rounded once.
Tensor float_tensor(Shape shape, const std::vector<double>& values);

/// `tensor` in the place of constant `old`: the same value where only one node reads it, else a new one of a like name.
graph::ValueId rewrite_constant(graph::Graph& graph, graph::ValueId old, Tensor tensor);

/// The constant as one number, or one for each index of axis 1 of a value of the given rank, if that is how it
/// broadcasts.
std::optional<std::vector<double>> per_channel(const Tensor& constant, size_t rank);

/// As the op Transpose does: axis i of the result is axis perm[i]. Elements of any type.
Tensor permuted(const Tensor& tensor, const graph::Ints& perm);

/// Multiplies the slice of weights that makes output channel o (axis 0) by gain[o] (or gain[0]) and its bias likewise,
/// then adds shift[o]. `linear` is a Conv or a normalised Gemm with constant weights and bias.
void scale_linear(graph::Graph& graph, size_t linear, const std::vector<double>& gain,
                  const std::vector<double>& shift);

/// The index of the Conv or normalised Gemm with constant weights and bias that writes `id`, whose only reader is
/// `reader`; -1 otherwise.
int foldable_linear(const graph::Graph& graph, const graph::Uses& uses, graph::ValueId id, size_t reader);

/// gain and shift of y = x * gain + shift, one for each channel, from a BatchNormalization's constants.
struct Affine {
  std::vector<double> gain, shift;
};
/// Nothing where a parameter is not constant.
std::optional<Affine> affine_of_batch_norm(const graph::Graph& graph, const graph::Node& node);

/// Mul, Div, Add, Sub of one activation with a constant (scalar or per channel; x - c and c - x; x / c), and Neg.
struct AffineNode {
  graph::ValueId x;
  Affine affine;
};
std::optional<AffineNode> affine_of_arithmetic(const graph::Graph& graph, const graph::Node& node);

}  // namespace nibble::passes
