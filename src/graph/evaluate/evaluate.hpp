#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "graph/graph.hpp"

namespace nibble::graph {

/// Told of every non-constant value as it is computed (graph inputs included).
using Observer = std::function<void(ValueId, const Tensor&)>;

/// Runs a graph. Tensors in and out are of the values' stage: reals as Float32 or Float64, integers as any integer
/// type. Inputs are in the order of graph.inputs, the batch extent of any size; a shape that does not fit is a
/// UserError "graph: input '<name>': ...". Where a graph input has integers (QD, ID), reals given for it are quantised
/// by its grid.
class Engine {
 public:
  virtual ~Engine() = default;
  /// Outputs in the order of graph.outputs.
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs, const Observer& observer = {}) = 0;
};

/// Makes an engine for a graph; the graph must outlive it.
using EngineMaker = std::function<std::unique_ptr<Engine>(const Graph&)>;

/// The meaning of one node: outputs from inputs (nullptr: absent). Reals are Float64, integers Int64, whatever the
/// declared types; Rescale is exact on rationals; an int64 overflow is an InternalError. `integer_output` tells
/// Quantise to give integers.
std::vector<Tensor> evaluate(const Node& node, const std::vector<const Tensor*>& inputs, bool integer_output = false);

/// The naive evaluator: the meaning of a graph, slow and obvious. Values given to the observer and outputs are Float64
/// or Int64. A batch that the nodes' extents do not allow, and an int64 overflow, are UserErrors naming the node.
std::vector<Tensor> evaluate(const Graph& graph, const std::vector<Tensor>& inputs, const Observer& observer = {});

/// evaluate as an Engine.
std::unique_ptr<Engine> reference_engine(const Graph& graph);

/// Inputs as the graph wants them: shapes checked, reals quantised where the graph input has integers, then Float64 or
/// Int64. Engines share it.
std::vector<Tensor> prepare_inputs(const Graph& graph, const std::vector<Tensor>& inputs);

}  // namespace nibble::graph
