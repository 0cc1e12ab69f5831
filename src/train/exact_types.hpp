#pragma once
#include <cstdint>
#include <memory>

#include "graph/graph.hpp"

/// Which integers can be floats (docs/design/train.md): torch-free, decided once a graph.
namespace nibble::train {

/// What holds a value's elements while an engine runs.
enum class Carrier : uint8_t {
  Float32,  ///< reals; integers within +-2^24
  Float64,  ///< reals of QD and ID; integers within +-2^53
  Int64,    ///< integers beyond, and indices: only the naive evaluator reads and writes them
};

/// Range of the stored integers of a value: ends are whole doubles, exact within +-2^53 and rounded beyond.
struct Reach {
  double low = 0, high = 0;
  double magnitude() const { return high > -low ? high : -low; }
};

/// The stored integers that an element type holds.
Reach reach_of(ElementType type);

/// The carriers of a graph's values and nodes. Reals are Float32 at FP and FQ, Float64 at QD and ID. An integer's range
/// follows from the graph's inputs (their grid, else their element type) and the constants, op by op: what bounds a
/// linear op's sums, with zeros for what is padded, bounds every partial sum, whatever its order.
class ExactTypes {
 public:
  /// Of the graph's inputs. The graph, which may grow, must outlive it; `add` its nodes in their order.
  explicit ExactTypes(const graph::Graph& graph);
  ~ExactTypes();
  void add_input(graph::ValueId id);
  /// What the node's inputs are cast to and its sums are exact in. Int64: by the naive evaluator.
  Carrier add(const graph::Node& node);
  Carrier of(graph::ValueId id) const;
  /// Of the stored integers of a value.
  const Reach& reach(graph::ValueId id) const;

 private:
  class Planner;
  std::unique_ptr<Planner> planner_;
};

}  // namespace nibble::train
