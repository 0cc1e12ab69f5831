#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/grid.hpp"

/// The fake quantiser over float arrays, fused: one pass forward, one pass backward. Source: NUMERICS.md, sections 1
/// and 2; docs/design/qat.md.
namespace nibble::quant {

/// The staircase of one tensor, or of one channel:
///
///     y = scale * (k + origin)      k = clip(round(x / scale - origin), low, high)
///
/// Decided in double, as Grid::quantise does, so that a trained network and its graph fall on the same side of every
/// tie. `origin` is 0 on a grid that holds real zero; low + origin = -high - origin on one that does not (binary's +-e,
/// and any even number of levels without a zero).
struct Steps {
  float scale = 1;  ///< positive
  double origin = 0;
  int32_t low = 0, high = 255;  ///< within +-2047
  Rounding rounding = Rounding::HalfUp;
  /// In levels: gradients pass where low + origin <= x / scale < end. high + origin: where the clip is; one more: to
  /// the end of the highest cell.
  double end = 255;

  double least() const { return low + origin; }
  double most() const { return high + origin; }
  /// The levels up to the bound that a range is learned by: the highest, or the lowest where nothing is above zero.
  double reach() const { return most() > 0 ? most() : -least(); }
};

/// What an element was, in a byte kept for backward: 0 below, 255 above, 1 to 253 inside, with its residue
/// k + origin - x / scale to 1/252 of a level.
using Code = uint8_t;

/// What the learned quantities' gradients are made of, sums over elements with upstream gradient g: pairwise in blocks
/// of 256 elements, in double among blocks.
struct GradientSums {
  double below = 0;   ///< g where x is below the range
  double inside = 0;  ///< g * (k + origin - x / scale) inside
  double above = 0;   ///< g where x is at its end or above
  GradientSums& operator+=(const GradientSums& other);
};

/// y = the staircase at x; `codes` is filled where it is not empty. NaN stays NaN. All spans are of one length and
/// apart.
void fake_quantise(std::span<const float> x, const Steps& steps, std::span<float> y, std::span<Code> codes = {});
/// The codes alone.
void code(std::span<const float> x, const Steps& steps, std::span<Code> codes);

/// A value that is never written: gain * a + shift of an accumulator's integers a, below 2^24 in size.
struct Normed {
  float gain = 1, shift = 0;
  bool positive = false;  ///< a ReLU stands behind it: zero and what is below pass no gradient, and count as below
};
/// The codes of x.
void code(std::span<const float> a, const Normed& x, const Steps& steps, std::span<Code> codes);

/// Sums of a and of its squares.
struct Moments {
  double sum = 0, squares = 0;
};
Moments moments_of(std::span<const float> a);

/// What the gradients of a batch-norm before a quantiser are made of, beside the quantiser's own: sums of g, and of g
/// times the normalised value, over the elements inside.
struct NormedSums {
  GradientSums quantiser;
  double inside = 0, by_normed = 0;
};
NormedSums normed_sums(std::span<const float> g, std::span<const Code> codes, std::span<const float> a,
                       const Normed& normed, Rounding rounding);

/// dz = gain * (dy - mean - slope * normed), dy being g inside the range, else 0.
struct NormedGradient {
  float gain, mean, slope;
  Normed normed;
};
void normed_backward(std::span<const float> g, std::span<const Code> codes, std::span<const float> a,
                     const NormedGradient& how, std::span<float> dz);

/// dx = g inside the range, else 0, and the sums, from the codes or, exactly, from x. The result is the same on every
/// machine. The spans are apart.
GradientSums fake_quantise_backward(std::span<const float> g, std::span<const Code> codes, const Steps& steps,
                                    std::span<float> dx);
GradientSums fake_quantise_backward(std::span<const float> g, std::span<const float> x, const Steps& steps,
                                    std::span<float> dx);

/// The steps of channel `channel` of a quantiser in a graph, gradients passing up to the highest level.
Steps steps_of(const Grid& grid, Rounding rounding, size_t channel);

}  // namespace nibble::quant
