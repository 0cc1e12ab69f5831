#pragma once
#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/grid.hpp"
#include "quant/learning/learning.hpp"
#include "train/network/quantise_gradient.hpp"
#include "train/quantiser_recipe.hpp"

namespace nibble::train {

/// Where an algorithm's own form starts.
struct FormStart {
  const Grid& grid;
  const at::Tensor& weights;  ///< what it quantises, where that is learned
  uint64_t seed;              ///< a stream of the quantiser's own
};

/// What an algorithm does with tensors where the staircase with a learned number (Quantiser's own) is not all of it.
/// What each is for: see Quantiser.
class TensorForm {
 public:
  virtual ~TensorForm() = default;
  /// In training, with gradients to x, whose first element is the `before`-th of the batch's.
  virtual at::Tensor forward(const at::Tensor& x, const StepsAlong& along, int64_t step, int64_t before) const = 0;
  /// As the network is deployed.
  virtual at::Tensor evaluate(const at::Tensor& x, const StepsAlong& along) const { return fake_quantise(x, along); }
  /// Quantiser::is_exact of one that is on.
  virtual bool is_exact(bool training) const = 0;
  /// Weights as the graph's quantiser must find them to give the same; undefined: as they are.
  virtual at::Tensor hardened(const at::Tensor& /*weights*/) const { return {}; }
  /// The grid that `start` has become, where that is not said by steps.
  virtual std::optional<Grid> grid(const Grid& /*start*/) const { return {}; }
  virtual void set_annealing(double /*factor*/) {}
  virtual void set_fraction(double /*fraction*/, at::Tensor& /*weights*/, const std::vector<quant::Steps>& /*now*/) {}
  /// After an optimiser's step.
  virtual void settle(at::Tensor& /*weights*/) const {}
  /// Quantiser::unfinished.
  virtual std::string unfinished(const QuantiserSettings& last) const = 0;
  /// What a checkpoint must hold, by name.
  virtual std::map<std::string, at::Tensor> state() const { return {}; }
};

/// One for each algorithm; defined, in the algorithm's file, of those that have `own_tensors`.
#define NIBBLE_FORM(Algorithm) \
  std::unique_ptr<TensorForm> tensor_form(const quant::Algorithm& how, const FormStart& start);
NIBBLE_ALGORITHMS(NIBBLE_FORM)
#undef NIBBLE_FORM

}  // namespace nibble::train
