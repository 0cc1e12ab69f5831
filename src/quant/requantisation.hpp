#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "base/grid.hpp"

/// The exact requantisation solver and its certificate. Source: NUMERICS.md, section 5.
namespace nibble::quant {

/// What the target's arithmetic can hold: signed multiplier of `multiplier` bits (2 to 32), shift in [least_shift,
/// shift] (0 to 62), a*m, b and a*m + b in `product` signed bits (8 to 64) for every accumulator a of the interval.
struct Widths {
  int multiplier = 32;
  int shift = 62;
  int product = 64;
  int least_shift = 0;
};

/// What one channel of the fake network asks for: y(a) = clip(round((kappa * a + lambda)/divisor) + zero_point,
/// levels). kappa (output levels per accumulator unit) is finite, of any sign; lambda in output levels; divisor > 0.
struct RealStep {
  double kappa = 1;
  double lambda = 0;
  Rounding rounding = Rounding::HalfUp;
  int64_t zero_point = 0;
  Interval levels;
  int64_t divisor = 1;

  /// kappa / divisor and lambda / divisor to a double: where to look, not what is right.
  double slope() const { return kappa / static_cast<double>(divisor); }
  double offset() const { return lambda / static_cast<double>(divisor); }
};

/// What one channel of the integer network computes: y'(a) = clip((a * multiplier + addend) >> shift, levels), and how
/// it differs from the RealStep it was solved for, over every a of the accumulator interval.
struct Requantisation {
  int64_t multiplier = 1;
  int64_t addend = 0;
  int shift = 0;
  int64_t differing = 0;  ///< number of accumulator values on which y and y' differ: 0 is the certificate of exactness
  int64_t worst = 0;      ///< largest |y - y'| in levels
  bool fewest = true;     ///< proved: nothing within the widths differs on fewer
};

/// y(a), exactly: no float rounding decides a level.
int64_t apply(const RealStep& step, int64_t a);
/// y'(a); throws InternalError where the product or sum leaves 64 bits.
int64_t apply(const Requantisation& requantisation, Interval levels, int64_t a);

/// The smallest accumulator of (interval.low, interval.high] at which y reaches each level above y(interval.low), for
/// kappa > 0 (for kappa < 0: of the mirrored function a -> y(-a)). Exact rational arithmetic.
std::vector<int64_t> thresholds(const RealStep& step, Interval accumulator);

/// As solve_requantisation, or nothing where no exact parameters within the widths were found.
std::optional<Requantisation> solve_exactly(const RealStep& step, Interval accumulator, Widths widths = {});

/// Integer parameters whose staircase has the step's thresholds on the whole accumulator interval; the smallest shift
/// for which they exist within `widths`. Where none is exact: those that differ on the fewest accumulators
/// (nearest.hpp), with `differing` and `worst` counted over the whole interval; `fewest` says whether the search was
/// exhaustive. Throws UserError when kappa or lambda is not finite, or widths are not widths.
Requantisation solve_requantisation(const RealStep& step, Interval accumulator, Widths widths = {});

/// NEMO's own choice for comparison: d = ceil(log2(factor / kappa)), m = floor(kappa 2^d), b = floor(lambda 2^d); its
/// differences counted likewise. Source: NEMO report (14).
Requantisation nemo_requantisation(const RealStep& step, Interval accumulator, double factor = 32);

/// Fills in differing and worst of any given (multiplier, addend, shift), by comparing the two staircases' thresholds
/// (never by walking the interval).
void certify(Requantisation& requantisation, const RealStep& step, Interval accumulator);

}  // namespace nibble::quant
