#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "train/forward.hpp"
#include "train/quantiser.hpp"

namespace nibble::train {

/// What training changes: a constant of the graph, or what a quantiser learns.
struct Learned {
  graph::ValueId id;  ///< absent: a quantiser's
  std::string name;   ///< the value's, or the quantity's: what checkpoints call it
  at::Tensor tensor;  ///< Float32
  bool gradient;      ///< false: a batch-norm's running mean or variance
  bool decays;        ///< weight decay applies: weights, neither biases nor normalisations
  std::string group;  ///< LearnedQuantity's; empty for constants
};

/// Given every value of a run in the graph's order: the input, a constant before the node that reads it, what a node
/// gives after it.
using Observer = std::function<void(graph::ValueId, const at::Tensor&)>;

/// A quantiser where it stands.
struct PlacedQuantiser {
  Quantiser* quantiser;
  graph::ValueId input, output;
  at::Tensor weights;  ///< what it quantises, where that is learned
  bool reads_input;    ///< of the network
};

/// A graph of one input and one output whose learned constants are libtorch's tensors. Learned are the Float32
/// constants that Conv, Gemm, MatMul, BatchNormalization and LayerNormalization read, straight or through a quantiser,
/// and those that are added to what a MatMul gives. Quantisers whose sums meet have one grid; that of an accumulator
/// (a bias's, an output's) follows the scales that it is made of. The graph must outlive it.
class Network {
 public:
  /// Throws UserError where the graph is not FP or FQ, has several inputs or outputs, or learns nothing; as Quantiser
  /// does; where quantisers that share a grid train by different algorithms, or a grid cannot follow learned scales.
  explicit Network(const graph::Graph& graph, const QuantiserRecipes& recipes = {}, uint64_t seed = 1);
  /// x [B, ...] to the output, with gradients in training mode only; with `logits`, what the last node reads where that
  /// is a Softmax.
  at::Tensor run(const at::Tensor& x, const Mode& mode, bool logits = false, const Observer& observe = {}) const;
  const graph::Graph& graph() const { return graph_; }
  std::vector<Learned>& learned() { return learned_; }
  const std::vector<Learned>& learned() const { return learned_; }
  /// In the graph's order, without those of accumulators.
  std::vector<Quantiser*> quantisers() const;
  std::vector<PlacedQuantiser> placed_quantisers() const;
  /// How many of them are on.
  int64_t quantisers_on() const;
  /// Before a step: every quantiser as the schedule has it at this time.
  void apply(const QuantiserSchedule& schedule, double epochs);
  /// After every optimiser's step: Quantiser::settle of each.
  void settle();
  /// The state of all quantisers, by name, for checkpoints.
  std::map<std::string, at::Tensor> state() const;
  /// The learned constants and the quantisers' grids back into the graph (the one that it was made from).
  void write_back(graph::Graph& graph) const;

 private:
  /// The grid of integer sums: the product of two quantisers' scales. Nodes of the graph; -1: it stays as it is.
  struct Accumulator {
    int weights = -1, x = -1;
  };

  void learn(const std::vector<int>& writer, const graph::Node& node, size_t input, bool gradient, bool decays);
  void find_learned();
  void make_quantisers(const QuantiserRecipes& recipes, uint64_t seed);
  void share_grids();
  void follow_scales();
  /// The node of the quantiser on whose grid a value lies, moved, chosen or pooled; -1 where there is none.
  int quantiser_of(graph::ValueId id) const;
  Accumulator accumulator_of(graph::ValueId id) const;
  Accumulator accumulator_read_by(size_t node) const;
  Grid grid_of(const Accumulator& accumulator, Grid grid) const;
  at::Tensor quantise(size_t node, const at::Tensor& x, const Mode& mode) const;
  at::Tensor& weights_of(size_t node);

  const graph::Graph& graph_;
  std::vector<int> writer_;  ///< by value
  std::vector<at::Tensor> constants_;
  std::vector<Learned> learned_;
  std::vector<std::unique_ptr<Quantiser>> quantisers_;  ///< by node; null where it is no Quantise, or an accumulator's
  std::map<size_t, Accumulator> accumulators_;          ///< by node: a Quantise of what is added to integer sums
};

}  // namespace nibble::train
