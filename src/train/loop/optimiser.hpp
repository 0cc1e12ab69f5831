#pragma once
#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "train/api.hpp"
#include "train/network/network.hpp"

namespace nibble::train {

/// SGD with momentum (v = momentum v + g, w -= rate v) or Adam (Kingma and Ba 2015: betas 0.9 and 0.999, epsilon 1e-8);
/// weight decay adds decay * w to the gradient of the weights that decay. A scale moves at most a hundredth of itself a
/// step: its gradient does not shrink with it, and a step that is wider than the scale leaves no levels.
class Optimiser {
 public:
  Optimiser(const Recipe& recipe, std::vector<Learned>& learned, const GroupRules& rules = {});
  void clear_gradients();
  /// One update with the gradients that backward left; what has none stays. Adam corrects its moments' bias by how many
  /// updates a tensor has had itself: a quantiser that starts late starts as one of the first step.
  void step(double rate);
  /// Its tensors by name, for checkpoints: the tensors themselves, to be read or written in place.
  std::map<std::string, at::Tensor> state() const;

 private:
  struct Slot {
    Learned* learned;
    at::Tensor first, second;  ///< momentum; or Adam's two moments
    at::Tensor updates;        ///< Adam: Int64 scalar
    double rate, decay;
  };
  bool adam_;
  double momentum_;
  std::vector<Slot> slots_;
};

}  // namespace nibble::train
