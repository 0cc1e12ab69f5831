#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/grid.hpp"

/// The integers of the functions that are computed by an algorithm, and how far from the real function they may lead.
/// Formulas of the algorithms: graph/ops.hpp. Why these: docs/design/integer_functions.md.
namespace nibble::quant {

/// Each plan's `error`, in output levels: the algorithm rounds a number that is at most this far from the real
/// function's, over every input that there is. So it gives the real function's level, or where that lies this close to
/// the middle of two levels, the one beside it.

/// TableSoftmax. exp(-scale * d) in `fraction` bits after the point, without the zeros at its end.
struct SoftmaxPlan {
  std::vector<int64_t> table;
  int64_t multiplier = 255, shift = 0;
  double error = 0;
};
/// A softmax of `elements` integers of one scale that lie at most `distance` apart, onto `output`. Throws UserError
/// where the scale is so small that the table would have more than 65536 entries.
SoftmaxPlan plan_softmax(double scale, int64_t elements, int64_t distance, const Grid& output, std::string_view place);

/// IntegerNormalization, of rows of `elements` integers.
struct NormalizationPlan {
  std::vector<int64_t> multiplier, addend;
  int64_t epsilon = 0, root_shift = 0, inverse_shift = 0, shift = 0;
  double error = 0;
};
struct Normalization {
  bool centred = true;
  double epsilon = 1e-5;
  int64_t elements = 1;
  std::vector<double> gain, bias;  ///< one, or one an element of the row
};
/// Throws UserError where 64 bits do not hold the sums of squares, or where gains or biases are not finite.
NormalizationPlan plan_normalization(const Normalization& function, const Grid& input, const Grid& output,
                                     Rounding rounding, std::string_view place);

/// RoundedDivision.
struct DivisionPlan {
  int64_t multiplier = 1, shift = 0;
  double error = 0;
};
/// Throws UserError where the ratio of the scales is beyond 2^40 or below 2^-40.
DivisionPlan plan_division(double scale_a, double scale_b, const Grid& output, std::string_view place);

}  // namespace nibble::quant
