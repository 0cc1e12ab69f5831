#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "train/forward.hpp"

namespace nibble::train {

/// A constant of the graph that training changes.
struct Learned {
  graph::ValueId id;
  std::string name;   ///< the value's: what checkpoints call it
  at::Tensor tensor;  ///< Float32
  bool gradient;      ///< false: a batch-norm's running mean or variance
  bool decays;        ///< weight decay applies: weights, neither biases nor normalisations
};

/// A graph of one input and one output whose learned constants are libtorch's tensors. Learned are the Float32
/// constants that Conv, Gemm, MatMul, BatchNormalization and LayerNormalization read, straight or through a quantiser,
/// and those that are added to what a MatMul gives. The graph must outlive it.
class Network {
 public:
  /// Throws UserError where the graph is not FP or FQ, has several inputs or outputs, or learns nothing.
  explicit Network(const graph::Graph& graph);
  /// x [B, ...] to the output, with gradients in training mode only; with `logits`, what the last node reads where that
  /// is a Softmax.
  at::Tensor run(const at::Tensor& x, const Mode& mode, bool logits = false) const;
  std::vector<Learned>& learned() { return learned_; }
  const std::vector<Learned>& learned() const { return learned_; }
  /// The learned constants back into the graph (the one that it was made from).
  void write_back(graph::Graph& graph) const;

 private:
  void learn(const std::vector<int>& writer, const graph::Node& node, size_t input, bool gradient, bool decays);
  void find_learned();

  const graph::Graph& graph_;
  std::vector<at::Tensor> constants_;
  std::vector<Learned> learned_;
};

}  // namespace nibble::train
