#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "graph/graph.hpp"

/// What a quantised network keeps in memory, layer by layer. Source: docs/design/memory.md.
namespace nibble::passes {

/// A tensor that stands in memory between two layers, packed at its own bits, for one example.
struct StoredTensor {
  graph::ValueId value;
  std::string name;
  int64_t elements = 0;
  int bits = 0;
  bool returned = false;  ///< a graph output

  int64_t bytes() const { return bytes_at(bits); }
  int64_t bytes_at(int other) const { return (elements * other + 7) / 8; }
};

/// What computes stored tensors from stored tensors: a linear op, pool, mean, Add, Concat or movement with the affine
/// functions, clips, tables and requantisations that follow it, whose values are never stored.
struct MemoryLayer {
  std::string name;  ///< of its first node
  std::string op;
  std::vector<size_t> inputs, outputs;     ///< into MemoryTable::tensors, each tensor once
  graph::ValueId weights = graph::absent;  ///< of a linear op
  int64_t weight_elements = 0;
  int weight_bits = 0;  ///< 0: no weights
  int64_t live = 0;  ///< bytes of every tensor that is still to be read (or returned) while it runs, its own included

  int64_t weight_bytes() const { return (weight_elements * weight_bits + 7) / 8; }
};

struct MemoryTable {
  std::vector<StoredTensor> tensors;
  std::vector<MemoryLayer> layers;  ///< in the graph's order

  int64_t input_bytes(const MemoryLayer& layer) const;
  int64_t output_bytes(const MemoryLayer& layer) const;
  /// The largest input + output of a layer; 0 without layers.
  int64_t largest_layer() const;
  /// The largest `live`: what the layers need in the graph's order, tensors kept for a later reader included.
  int64_t peak() const;
  /// Of all layers, weights that several layers read counted once.
  int64_t weight_bytes() const;
  /// Counts `live` anew, after bits have changed.
  void update_live();
};

/// Reshapes and the quantiser on the very grid of its input share their input's tensor; a graph input is stored as the
/// integers of the quantiser that reads it. Sums that are graph outputs have 32 bits.
/// Throws UserError unless the graph is FQ, QD or ID.
MemoryTable memory_of(const graph::Graph& graph);

/// {"layers": [{"name", "op", "inputs": [{"name", "bits", "bytes"}], "outputs": [...], "bytes", "live",
/// "weight_bits", "weight_bytes"}], "largest_layer", "peak", "weight_bytes"}
Json to_json(const MemoryTable& table);

}  // namespace nibble::passes
