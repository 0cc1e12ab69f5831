#pragma once
#include "quant/learning/algorithm.hpp"
#include "quant/learning/noise.hpp"

namespace nibble::quant {

/// ANA: noise on the staircase is annealed away. Source: Spallanzani et al. 2019.
struct Ana : StraightThrough {
  static constexpr std::string_view name = "ana";
  static constexpr bool own_tensors = true;

  Noise noise = Noise::Uniform;
  Draw draw = Draw::Expectation;
  double mean = 0, deviation = 0.5;  ///< of the noise, in levels, before annealing

  template <class Self, class Visit>
  static void options(Self& self, Visit&& visit) {
    visit("noise", self.noise, noise_named);
    visit("forward", self.draw, draw_named);
    visit("mean", self.mean, Limits{-16, 16});
    visit("deviation", self.deviation, Limits{0, 16});
  }

  friend bool operator==(const Ana&, const Ana&) = default;
};

}  // namespace nibble::quant
