#pragma once
#include <cstdint>
#include <vector>

#include "quant/requantisation.hpp"

/// A sum of integers on several grids, requantised once: the exact solver and its certificate.
/// Source: NUMERICS.md, sections 4 and 5; docs/design/requantisation.md.
namespace nibble::quant {

/// What one channel asks for: y(a) = clip(round(sum over i of kappa[i] * a[i] + lambda) + zero_point, levels).
struct SumStep {
  std::vector<double> kappa;  ///< output levels per unit of each operand, finite, of any sign
  double lambda = 0;
  Rounding rounding = Rounding::HalfUp;
  int64_t zero_point = 0;
  Interval levels;
};

/// What one channel computes: y'(a) = clip((sum over i of a[i] * multiplier[i] + addend) >> shift, levels).
struct SumRequantisation {
  std::vector<int64_t> multiplier;
  int64_t addend = 0;
  int shift = 0;
  int64_t differing = 0;  ///< number of combinations of operands on which y and y' differ: 0 is the certificate
  int64_t worst = 0;      ///< largest |y - y'| in levels
};

/// y(a), exactly.
int64_t apply(const SumStep& step, const std::vector<int64_t>& a);
/// y'(a); throws InternalError where a product or the sum leaves 64 bits.
int64_t apply(const SumRequantisation& requantisation, Interval levels, const std::vector<int64_t>& a);

/// Integer parameters that give y on every combination of operands, with the smallest shift at which the multipliers
/// nearest to kappa 2^shift do so within `widths`. Where none does: the best found, with `differing` and `worst`
/// counted over all combinations. Every combination is accounted for: those whose real sum lies further from a step
/// than the multipliers' error by that bound, the others one by one.
///
/// Throws UserError at `place` when kappa or lambda is not finite, and where the combinations near a step are too many
/// to go through (more operands, or wider ones, than two of 16 bits or four of 8).
SumRequantisation solve_sum(const SumStep& step, const std::vector<Interval>& operands, Widths widths,
                            std::string_view place);

}  // namespace nibble::quant
