#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "onnx/file/proto.hpp"

/// What the writers of quantlab and nemo have in common: an ID graph as the layers that DORY knows, in tensors of reals
/// that hold integers. docs/design/dialects.md.
namespace nibble::onnx {

/// y = clip(floor((x * multiplier + addend) / divisor), levels); one of each, or one a channel, the divisor one for
/// all.
struct ChainOfLayer {
  graph::Ints multiplier, addend;
  int64_t divisor = 1;
  Interval levels;
  std::vector<ChainOfLayer> behind;  ///< chains of one channel that cut its output to fewer levels
  bool scalar() const { return multiplier.size() == 1; }
};

/// Walks a graph at stage ID. What the dialect cannot say without changing an integer is collected, node by node with
/// its reason, and refused in one error.
class LayerWriter {
 public:
  LayerWriter(const graph::Graph& graph, std::string_view dialect, int64_t opset);
  virtual ~LayerWriter() = default;
  /// The file's bytes. Throws UserError naming the nodes that the dialect cannot say.
  std::string bytes();

 protected:
  enum class Kind : uint8_t { Linear, Pool };

  // What differs from dialect to dialect. An objection is a reason, "" where there is none.
  virtual std::string objection_to_levels(Interval levels) const = 0;
  /// A branch of a residual add may be cut to them.
  virtual bool takes_levels(Interval levels) const = 0;
  virtual std::string objection_to_input(Interval levels) const = 0;
  virtual std::string objection_to_weights(const Tensor& weights) const = 0;
  virtual std::string objection_to_divisor(int64_t divisor) const = 0;
  /// The levels that a file tells of an activation of `levels`, or of the network's input.
  virtual Interval levels_in_file(Interval levels, bool /*input*/) const { return levels; }
  /// Brings a chain to levels that the dialect's chains can have, with others behind it.
  virtual void settle_levels(ChainOfLayer&) const {}
  /// Attributes of a linear op.
  virtual void annotate_linear(pb::NodeProto&, const Tensor& /*weights*/) const {}
  /// The chain behind `x`, whose sums lie within +-`largest`; returns the name of its output.
  virtual std::string write_chain(const std::string& node, const std::string& x, const ChainOfLayer& chain,
                                  const Shape& shape, double largest) = 0;
  /// Two activations, each behind a chain of its own where it has one, added and requantised.
  virtual std::string write_residual(const graph::Node& add, const std::vector<graph::ValueId>& branches,
                                     const std::vector<const graph::Node*>& requantised, const graph::Node& out) = 0;

  const graph::Graph& graph() const { return graph_; }
  const std::string& name_of(graph::ValueId id) const { return names_.at(static_cast<size_t>(id)); }
  /// The next number, in the order of the file.
  std::string next_name() { return std::to_string(next_++); }
  pb::NodeProto& add_node(const std::string& name, std::string_view op, const std::vector<std::string>& inputs,
                          const std::string& output);
  std::string add_initializer(const std::string& name, const Tensor& tensor);
  void describe(const std::string& name, const Shape& shape);
  void refuse(const graph::Node& node, const std::string& reason);
  Interval levels_in(graph::ValueId id) const;
  /// The largest magnitude that an integer of `id` has for all that the file tells.
  double reach_of(graph::ValueId id) const;
  /// The chain of a Requantise or FloorDivide, one divisor for all channels. Refuses where there is none.
  ChainOfLayer chain_of(const graph::Node& node);
  /// write_chain, and what cuts its output behind it.
  std::string write_chains(const std::string& node, const std::string& x, const ChainOfLayer& chain, const Shape& shape,
                           double largest);
  /// Nothing but a residual add reads it: its requantisation belongs to the add.
  bool belongs_to_add(const graph::Node& node) const;
  const graph::Node* writer_of(graph::ValueId id) const;

  pb::ModelProto model_;

 private:
  /// A linear op as integers: what it sums, and how it stands in the file.
  struct Linear {
    Tensor weights;    ///< [O, C/group, kernel] or [K, O]
    graph::Ints bias;  ///< a channel; with the zero point's part
    graph::Ints strides, pads, dilations;
    int64_t group = 1;
    bool convolution = true;
  };

  void write_inputs();
  void write_node(const graph::Node& node);
  void write_linear(const graph::Node& node);
  void write_sum(const graph::Node& node);
  void write_layer(const graph::Node& node, const Linear& linear);
  bool write_mean(const graph::Node& sum, const Linear& ones);
  void write_max_pool(const graph::Node& node, const graph::MaxPool& op);
  void write_add(const graph::Node& node);
  void write_bare(const graph::Node& node);
  void write_flat(const graph::Node& node);
  void write_outputs();
  std::string metadata() const;
  const graph::Node* only_reader(graph::ValueId id) const;
  const graph::Node* requantisation_behind(graph::ValueId id) const;
  void finish(graph::ValueId id, const std::string& name);

  const graph::Graph& graph_;
  graph::Uses uses_;
  std::string_view dialect_;
  std::vector<std::string> names_;
  std::set<const graph::Node*> written_;
  std::set<std::string> initializers_;
  std::vector<std::string> refusals_;
  int64_t next_ = 0;
};

/// A number that float32 holds exactly.
bool exact_in_float(int64_t number);

/// Gives a chain of one channel an addend that float32 holds and under which every integer of `reachable`, 2^20 at
/// most, keeps its level. False, and nothing changed, where there is none next to the one it has.
bool settle_addend(ChainOfLayer& chain, Interval reachable);

}  // namespace nibble::onnx
