#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "onnx/standard/graph_reader.hpp"

namespace nibble::onnx {

/// Quantisers that a file of reals spells in ops of the standard, told by what they compute:
///
///     levels   q = clip(round(x / s + z), low, high)     Div by s or Mul by 1/s; Add, Sub; Clip, Min, Max before or
///                                                        behind the Round; a Floor behind an addend of z + 1/2 too
///     reals    x~ = (q - z) s                            Sub, Add; Mul by s, Div by 1/s
///
/// s one number or one for each index of an axis, z one number. x~ is the Quantise of x. Levels that other ops read are
/// x~ / s + z, whose division moves behind linear ops, sums and movement until a product undoes it. Everything else is
/// the standard's. Ties go to the even level, counted without z: with an odd z inside the Round they go to the odd one
/// in other tools.
class SpelledQuantisers : public Importer {
 public:
  void begin(GraphReader&) override {}
  void read(NodeReader& node) override;
  void end(GraphReader& reader) override;

 private:
  /// How far a name is on its way from x to x~.
  struct Chain {
    std::string source;         ///< x
    std::vector<double> scale;  ///< s; 1 until it is known
    int axis = -1;
    double addend = 0;  ///< z, plus 1/2 before a Floor
    std::optional<int64_t> low, high;
    std::optional<Rounding> rounded;
    graph::ValueId fake = graph::absent;  ///< x~, once the levels are there
    bool centred = false;                 ///< z is taken off again
  };

  Chain* chain_of(const NodeReader& node, size_t slot);
  bool begin_chain(NodeReader& node);
  bool shift(NodeReader& node);
  bool round(NodeReader& node);
  bool cut(NodeReader& node);
  bool scale_back(NodeReader& node);
  bool pass(NodeReader& node);
  bool follow(NodeReader& node);
  bool give_levels(NodeReader& node, Chain chain);
  static graph::ValueId divisor_of(NodeReader& node, const Chain& chain);

  std::map<std::string, Chain> chains_;
  std::set<graph::ValueId> named_;      ///< x~ that have the name of the file's last op of them
  std::vector<graph::ValueId> levels_;  ///< what an op that reads levels reads, each written by its Div
};

/// A Round of the file, or a Floor, stands where a quantiser may be spelled.
bool may_spell_quantisers(const pb::ModelProto& model);

/// Moves divisions of the given values by constants behind the linear ops, sums, movements and products with constants
/// that read them; a division by 1 goes.
///
///     before   matmul(a / s, b / t) * (s t)
///     after    matmul(a, b)
void move_divisions(graph::Graph& graph, const std::vector<graph::ValueId>& quotients);

}  // namespace nibble::onnx
