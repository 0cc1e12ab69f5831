#pragma once
#include <ATen/ATen.h>

#include <algorithm>
#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/foldable_norms.hpp"
#include "graph/graph.hpp"
#include "train/network/forward.hpp"
#include "train/network/images.hpp"
#include "train/network/normed_quantiser.hpp"
#include "train/network/quantiser.hpp"

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

/// Sees values of a run in the graph's order: the input, a constant before the node that reads it, what a node gives
/// after it. The reals of what nobody wants and nothing reads are not computed.
struct Observer {
  using Wants = std::function<bool(graph::ValueId)>;
  std::function<void(graph::ValueId, const at::Tensor&)> see = {};
  Wants wants = {};  ///< none: all

  Observer() = default;
  template <std::invocable<graph::ValueId, const at::Tensor&> See>
  Observer(See sees, Wants wanted = {}) : see(std::move(sees)), wants(std::move(wanted)) {}
  bool watches(graph::ValueId id) const { return see && (!wants || wants(id)); }
};

/// A quantiser where it stands.
struct PlacedQuantiser {
  Quantiser* quantiser;
  graph::ValueId input, output;
  at::Tensor weights;  ///< what it quantises (folded: before its gain), where that is learned
  bool reads_input;    ///< of the network
};

/// What a run over one batch leaves for the next one over it: the values that nodes from `next` on read, so far the
/// input. Of no use once a constant that they depend on changes.
struct Begun {
  size_t next = 0;
  std::map<graph::ValueId, at::Tensor> values;
};

/// A graph of one input and one output whose learned constants are libtorch's tensors. An FQ graph runs on the integers
/// that it means, in training too, where gradients are those of the reals. Learned are the Float32
/// constants that Conv, Gemm, MatMul, BatchNormalization and LayerNormalization read, straight or through a quantiser,
/// and those that are added to what a MatMul gives. Quantisers whose sums meet have one grid; that of an accumulator
/// (a bias's, an output's) follows the scales that it is made of. The graph must outlive it.
class Network {
 public:
  /// With `fold` batch-norms train folded into the quantised weights before them (docs/design/qat.md). Throws UserError
  /// where the graph is not FP or FQ, has several inputs or outputs, or learns nothing; as Quantiser does; where
  /// quantisers that share a grid train by different algorithms or options, or a grid cannot follow learned scales;
  /// where no batch-norm can be folded, or one before which weights are set on levels.
  explicit Network(const graph::Graph& graph, const QuantiserRecipes& recipes = {}, uint64_t seed = 1,
                   bool fold = false);
  /// x [B, ...] to the output, with gradients in training mode only; with `logits`, what the last node reads where that
  /// is a Softmax, or a Softmax's quantiser.
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
  /// Learned weights as their quantiser reads them: folded, times their batch-norm's gain.
  at::Tensor weights_read(graph::ValueId weights) const;
  /// Nodes that are a batch-norm with statistics of its own, in the graph's order.
  std::vector<size_t> batch_norms() const;
  bool is_folded(size_t batch_norm) const { return folded_at_[batch_norm] >= 0; }
  /// x [B, ...]
  Begun begin(const at::Tensor& x) const { return {0, {{graph_.inputs[0], x}}}; }
  /// What a batch-norm normalises in a test batch: its statistics are of that. Folded: what the linear op gives over
  /// the gain, with the op's own bias. `begun` goes on as far as the statistics of this batch-norm and those behind it
  /// change nothing.
  at::Tensor normalised_by(size_t batch_norm, Begun& begun) const;
  /// A batch-norm's running statistics, Float32 [C]: the tensors themselves.
  at::Tensor mean_of(size_t batch_norm) const { return parameter(batch_norm, 3); }
  at::Tensor variance_of(size_t batch_norm) const { return parameter(batch_norm, 4); }
  /// The state of all quantisers, by name, for checkpoints.
  std::map<std::string, at::Tensor> state() const;
  /// The learned constants and the quantisers' grids back into the graph (the one that it was made from, or a copy).
  /// A folded batch-norm is gone afterwards: its gain is in the weights, the rest is the linear op's bias. Where any
  /// is, nothing but this may be called on the network that was made from that very graph.
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
  at::Tensor quantise(size_t node, const at::Tensor& x, const Mode& mode, Values values = Values::Here) const;
  /// What lies before every node: constants; in inference without gradients.
  std::vector<at::Tensor> start(const Mode& mode) const;
  /// The nodes before `end` that lead from what was begun to the `wanted` values, which come as reals.
  struct Part {
    const Begun& begun;
    size_t end;
    std::vector<graph::ValueId> wanted;

    bool wants(graph::ValueId id) const { return std::find(wanted.begin(), wanted.end(), id) != wanted.end(); }
  };
  /// By node.
  std::vector<bool> nodes_of(const Part& part) const;
  /// Every value that was computed.
  std::vector<at::Tensor> compute(const Part& part, const Mode& mode, const Observer& observe) const;
  /// The nodes of an FQ graph, with images where there are any.
  void compute_on_levels(std::vector<at::Tensor>& values, const Part& part, const Mode& mode,
                         const Observer& observe) const;
  /// The last node before which a run may stop and begin again once batch-norms from this one on have new statistics,
  /// and the values to keep there.
  std::pair<size_t, std::vector<graph::ValueId>> pause_before(size_t batch_norm, size_t begun) const;
  /// Images begin again at the input and at a quantiser's levels, which its reals tell; what has none may be kept too.
  bool may_be_kept(graph::ValueId id) const;
  /// The node whose inputs tell what a batch-norm normalises.
  size_t end_before(size_t batch_norm) const;
  /// One of them: what it gives, and its image; test batches get the image alone where there is one.
  std::vector<at::Tensor> on_levels(size_t node, std::vector<at::Tensor>& values, Images& images,
                                    const Mode& mode) const;
  std::vector<at::Tensor> quantised_on_levels(size_t node, const at::Tensor& x, Images& images, const Mode& mode) const;
  /// With `unwritten`, a convolution's reals may be left unset: then that has what they are of.
  std::vector<at::Tensor> linear_on_levels(size_t node, std::vector<at::Tensor>& values, Images& images,
                                           const Mode& mode, Accumulated* unwritten = nullptr) const;
  /// A batch-norm that alone reads a convolution, and the quantiser that alone reads it, straight or through a clip.
  /// Nodes of the graph.
  struct NormedQuantiser {
    size_t norm, quantiser;
    std::optional<size_t> clip;
  };
  void find_normed();
  /// The nodes behind a convolution that run with it, in this mode: none of the values between is asked for.
  const NormedQuantiser* normed_behind(size_t node, const Part& part, const std::vector<bool>& nodes, const Mode& mode,
                                       const Observer& observe) const;
  /// The convolution and those nodes; false: the convolution alone.
  bool normed_on_levels(size_t node, const NormedQuantiser& behind, std::vector<at::Tensor>& values, Images& images,
                        const Mode& mode) const;
  std::vector<at::Tensor> normalised_on_levels(size_t node, const std::vector<at::Tensor>& inputs, Images& images,
                                               const Mode& mode) const;
  /// A quantiser computes what its op() does, in this mode.
  bool is_exact(size_t node, const Mode& mode) const;
  std::vector<at::Tensor> on_reals(size_t node, const std::vector<at::Tensor>& inputs, const Mode& mode) const;
  /// Learned constants and grids as of now, batch-norms where they are.
  void write_learned(graph::Graph& graph) const;
  std::vector<at::Tensor> inputs_of(size_t node, const std::vector<at::Tensor>& values) const;
  void find_folded();
  at::Tensor parameter(size_t batch_norm, size_t slot) const;
  /// Of a folded batch-norm [C], with gradients: its gamma, kept from 0, and its gain.
  at::Tensor gamma_of(const graph::FoldableNorm& pair) const;
  at::Tensor gain_of(const graph::FoldableNorm& pair) const;
  at::Tensor folded_weights(const graph::FoldableNorm& pair, const at::Tensor& gain) const;
  /// What the linear op adds as it is deployed, [C].
  at::Tensor bias_of(const graph::FoldableNorm& pair, const at::Tensor& gain) const;
  at::Tensor without_gain(const graph::FoldableNorm& pair, const at::Tensor& z, const at::Tensor& gain) const;
  /// A linear op that a batch-norm is folded into, or that batch-norm.
  std::vector<at::Tensor> folded(size_t node, std::vector<at::Tensor> inputs, const Mode& mode) const;
  void write_folded(graph::Graph& graph) const;
  /// What a folded batch-norm adds to its linear op in this mode, [C]; undefined: nothing.
  at::Tensor folded_bias(size_t node, const Mode& mode) const;
  /// What a folded batch-norm computes by a batch's statistics, of z: the inputs of the norm as it stands.
  std::vector<at::Tensor> normalised_inputs(size_t node, std::vector<at::Tensor> inputs) const;
  std::vector<double> folded_gain(size_t node) const;
  /// The function of z that `affine` is of what a folded batch-norm normalises.
  passes::Affine behind_gain(passes::Affine affine, size_t node, const std::vector<double>& gain) const;
  at::Tensor& weights_of(size_t node);

  const graph::Graph& graph_;
  std::vector<int> writer_;  ///< by value
  std::vector<at::Tensor> constants_;
  std::vector<Learned> learned_;
  std::vector<std::unique_ptr<Quantiser>> quantisers_;  ///< by node; null where it is no Quantise, or an accumulator's
  std::map<size_t, Accumulator> accumulators_;          ///< by node: a Quantise of what is added to integer sums
  std::unique_ptr<graph::Graph> now_;                   ///< FQ: the graph with constants and grids as of the last run
  std::vector<std::vector<graph::ValueId>> released_;   ///< by node: values that none after it reads
  std::map<size_t, NormedQuantiser> normed_;            ///< by the convolution's node
  std::vector<graph::FoldableNorm> folded_;
  std::vector<int> folded_at_;  ///< by node, the linear op and the batch-norm: index in folded_; -1: neither
};

}  // namespace nibble::train
