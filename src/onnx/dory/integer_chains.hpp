#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/grid.hpp"
#include "onnx/dialects.hpp"
#include "onnx/standard/graph_reader.hpp"

/// What quantlab and nemo have in common: tensors of reals that hold integers, and requantisations written as chains of
/// Mul, Add, Div, rounding and Clip. docs/design/dialects.md.
namespace nibble::onnx {

/// Where the two dialects differ.
struct ChainRules {
  std::string_view attributes;   ///< names that stand on the standard's ops too, with spaces between
  bool pools_floor = false;      ///< an average pool rounds its quotient at once, whatever is behind it
  bool divisions_floor = false;  ///< so does a Div
};

/// Integers on their way through a chain, exactly: (x * multiplier + addend) / divisor, one of each or one a channel.
struct Quotient {
  graph::ValueId x = graph::absent;
  graph::Ints multiplier{1}, addend{0}, divisor{1};
  bool floored = false;
  bool mean = false;   ///< of an average pool: the dialect rounds it down even where no node says so
  Interval levels;     ///< of a mean: those of what was pooled
  std::string writer;  ///< the node that wrote it
};

/// Reads a file of integers in float tensors into a graph at stage ID. A chain becomes one Requantise where it divides
/// by a power of two, else one FloorDivide. Errors name the node: a constant that is no integer, a quotient that
/// nothing rounds, a pool that divides by another number at the border.
class ChainReader : public Importer {
 public:
  explicit ChainReader(ChainRules rules, Interval input_levels) : rules_(rules), input_levels_(input_levels) {}

  void begin(GraphReader& reader) override;
  void settle_inputs(NodeReader& node) override;
  void read(NodeReader& node) override;
  void end(GraphReader& reader) override;

 private:
  bool is_quotient(const NodeReader& node, size_t slot) const { return quotients_.count(node.input_name(slot)) > 0; }
  Quotient quotient_of(NodeReader& node, size_t slot);
  void settle(GraphReader& reader, const std::string& name);
  void give(NodeReader& node, Quotient quotient);
  bool read_arithmetic(NodeReader& node);
  void read_floor(NodeReader& node);
  void read_cast(NodeReader& node);
  void read_clip(NodeReader& node);
  void read_pool(NodeReader& node);
  void read_mean(NodeReader& node, graph::Ints axes, bool keep_dims);
  void read_concat(NodeReader& node);
  void read_other(NodeReader& node);
  void give_mean(NodeReader& node, graph::ValueId x, graph::ValueId sum, int64_t count, bool padded);

  ChainRules rules_;
  Interval input_levels_;
  std::map<std::string, Quotient> quotients_;
};

/// The requantisation that a quotient, rounded down and cut to the levels, is.
graph::Op requantisation_of(const Quotient& quotient, Interval levels);

/// The levels of a value's element type; of Int32 and Int64 what those hold.
Interval levels_of(ElementType type);

}  // namespace nibble::onnx
