#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/learning/fake.hpp"

/// What every algorithm says of itself. An algorithm is a struct of its options with a `name`, in a file of its own,
/// that derives from StraightThrough and says what differs; learning.hpp lists them.
namespace nibble::quant {

/// The numbers that an option takes; `expected`: in a message's words, where "from least to most" does not say it.
struct Limits {
  double least, most;
  std::string_view expected = {};
};
/// An option that has a meaning only where the flag `option` is set.
struct Beside {
  std::string_view option = {};
  bool set = true;
};
/// On what an algorithm cannot train: what a message says was found and is expected.
struct Refusal {
  std::string found, expected;
};

/// What learned numbers are, each a group with a learning rate and decay of its own.
inline constexpr std::array<std::string_view, 3> learned_groups{"scale", "threshold", "bound"};

/// Positive, and so far from the ends of float32's range that products with levels and inverses stay inside.
inline double within_float(double scale) {
  return std::fmin(std::fmax(scale, 0x1p-96), 0x1p96);
}

/// The scale stays, and gradients go straight through.
struct StraightThrough {
  static constexpr std::string_view learns = {};  ///< of learned_groups; empty: nothing
  static constexpr bool stays_positive = true;    ///< what is learned is held above zero (no logarithm)
  static constexpr bool both_bounds = false;      ///< on a grid with a zero point the lower bound is learned, too
  static constexpr bool on_activations = true;
  static constexpr bool sets_weights = false;  ///< weights move onto levels and stay there while others train
  static constexpr bool own_tensors = false;   ///< train has a form of it beside the staircase: train::tensor_form

  /// The learned number of a scale, `reach` being that of its steps; rounds to float32.
  float learned_from_scale(double scale, double /*reach*/) const { return static_cast<float>(scale); }
  /// The scale that a learned number stands for, a positive float32 number.
  float scale_of_learned(double learned, double /*reach*/) const { return static_cast<float>(within_float(learned)); }
  /// dL/d(learned) from the sums over all `count` elements that share the scale. `state`: as state_at_start has it,
  /// moved by this; or empty, for the gradient as it is.
  double gradient(const GradientSums&, const Steps&, double /*count*/, std::span<double> /*state*/) const { return 0; }
  /// What a learned number's gradient keeps from step to step.
  std::vector<double> state_at_start() const { return {}; }
  /// Steps::end.
  static double end(const Steps& steps) { return steps.most(); }
  /// With the scale as it is, the grid at the end is the one at the start.
  bool keeps_grid() const { return true; }
  std::optional<Refusal> refusal(int64_t /*levels*/) const { return {}; }

  /// Calls visit(name, field, ...) of every option in order: a flag with Beside or nothing, a number with Limits and
  /// then the same, a choice with what it is named by.
  template <class Self, class Visit>
  static void options(Self&, Visit&&) {}

  friend bool operator==(const StraightThrough&, const StraightThrough&) = default;
};

/// The sums as the derivative by the scale.
inline double gradient_by_scale(const GradientSums& sums, const Steps& steps) {
  return steps.least() * sums.below + sums.inside + steps.most() * sums.above;
}

}  // namespace nibble::quant
