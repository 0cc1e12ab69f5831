#pragma once
#include <cstdint>
#include <string_view>

#include "quant/learning/fake.hpp"
#include "quant/learning/noise.hpp"
#include "quant/learning/partition.hpp"

/// How a quantiser trains: what it learns, and what its gradient is. Source: NUMERICS.md, section 2;
/// docs/design/qat.md.
namespace nibble::quant {

enum class Algorithm : uint8_t {
  Ste,   ///< the scale is fixed; gradients go straight through
  Pact,  ///< the clip bound is learned: Choi et al. 2018
  Tqt,   ///< log2 of the threshold is learned: Jain et al. 2020
  Lsq,   ///< the scale is learned: Esser et al. 2020
  Ana,   ///< noise on the staircase is annealed away: Spallanzani et al. 2019
  Inq,   ///< weights are set to the grid part by part: Zhou et al. 2017
};
std::string_view to_string(Algorithm algorithm);
/// "ste", "pact", "tqt", "lsq", "ana" or "inq"; throws UserError otherwise.
Algorithm algorithm_named(std::string_view name);

/// An algorithm and its options; those of other algorithms are ignored.
struct Learning {
  Algorithm algorithm = Algorithm::Ste;
  bool power_of_two = false;     ///< TQT: scales are powers of two; INQ: levels are
  bool normalised = false;       ///< TQT: the gradient over its moving deviation ...
  bool saturated = false;        ///< ... and through tanh
  double momentum = 0.9;         ///< TQT: of that moving variance
  Noise noise = Noise::Uniform;  ///< ANA
  Draw draw = Draw::Expectation;
  double mean = 0, deviation = 0.5;            ///< ANA: of the noise, in levels, before annealing
  Partition partition = Partition::Magnitude;  ///< INQ

  friend bool operator==(const Learning&, const Learning&) = default;
};

/// The learned number of a quantiser (Ste, Ana, Inq: its scale, which stays): PACT the bound, scale * reach; TQT log2
/// of the threshold, scale * reach, or with powers of two scale times the power of two above reach; LSQ the scale.
/// `reach` is that of its steps; rounds to float32.
float learned_from_scale(const Learning& learning, double scale, double reach);

/// The scale that a learned number stands for, a positive float32 number: PACT's is the largest whose bound does not
/// exceed the learned one, so that the bound itself falls on the highest level.
float scale_of_learned(const Learning& learning, double learned, double reach);

/// dL/d(learned) from the sums over all `count` elements that share the scale:
///
///     PACT   (least * below + most * above) / reach
///     TQT    ln 2 * scale * (least * below + inside + most * above)
///     LSQ    (least * below + inside + most * above) / sqrt(count * reach)
double gradient_of_learned(const Learning& learning, const GradientSums& sums, const Steps& steps, double count);

/// PACT with both bounds learned: the grid of `levels` levels between low <= 0 <= high whose zero is a level, and the
/// steps from it. The bounds that hold are those of the steps.
Steps steps_between(double low, double high, int64_t levels, Rounding rounding);

/// The gradient of log2 of a threshold over its moving deviation. Source: Jain et al. 2020, appendix.
struct GradientVariance {
  double variance = 0, weight = 1;  ///< weight: what of the start is still in the variance
  /// The normalised gradient; moves the variance first.
  double normalise(double gradient, double momentum, bool saturated);
};

}  // namespace nibble::quant
