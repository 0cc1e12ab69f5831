#pragma once
#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <vector>

#include "passes/integerise/propagation.hpp"
#include "quant/level_reals.hpp"
#include "train/exact_types.hpp"

/// The integers that the values of a fake-quantised network stand for, node by node as it runs: those of QD, since the
/// walk is the one that makes QD. Source: NUMERICS.md, section 4; docs/design/qat.md.
namespace nibble::train {

class Images {
 public:
  /// A linear op of integers: the node, its inputs (undefined: absent) and the type it is exact in, to its accumulator.
  using Linear = std::function<at::Tensor(const graph::Node&, const std::vector<at::Tensor>&, Carrier)>;

  /// `now`: an FQ network with its constants and grids as of this run. It must outlive this.
  explicit Images(const graph::Graph& now);

  /// The network's input, reals.
  void start(const at::Tensor& x);
  /// What the node gives, where all that it reads has images and integers can say it; `linear` (where it is given)
  /// computes a linear op. Returns whether it has images.
  bool carry(const graph::Node& node, const Linear& linear = {});
  /// The same of a node that is y = gain[c] x + shift[c] of its first input.
  bool carry_affine(const graph::Node& node, const passes::Affine& affine);
  /// The levels of a quantiser that read reals without an image, from the reals that it gave.
  void place(const graph::Node& quantiser, const at::Tensor& y);

  const graph::Graph& integers() const { return walk_.to; }
  bool has(graph::ValueId id) const;
  const passes::Carried* find(graph::ValueId id) const { return walk_.find(id); }
  /// What the image stands for, Float32.
  at::Tensor real(graph::ValueId id);
  /// `y`, of the same shape, gets what the image stands for when `write` first asks for it, or never: its values, not
  /// its history.
  void write_later(const at::Tensor& y, graph::ValueId id);
  void write(graph::ValueId id);
  /// Nothing reads these any more.
  void release(const std::vector<graph::ValueId>& values);

 private:
  /// Integers and what they stand for.
  struct Image {
    std::vector<quant::LevelReals> how;
    std::vector<at::Tensor> integers;
    int64_t axis;
  };

  bool follow(const graph::Node& followed, const std::function<void()>& carry, const Linear& linear);
  void compute(size_t node, const Linear& linear);
  at::Tensor& image(graph::ValueId id);
  Image image_of(graph::ValueId id);
  std::vector<graph::ValueId> terms_of(graph::ValueId id) const;

  passes::Propagation walk_;
  ExactTypes types_;
  std::vector<at::Tensor> images_;                  ///< by value of walk_.to
  std::map<graph::ValueId, int> users_;             ///< by value of walk_.to: live values that it is the image of
  std::map<graph::ValueId, at::Tensor> unwritten_;  ///< by value of walk_.from
};

}  // namespace nibble::train
