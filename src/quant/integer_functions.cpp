#include "quant/integer_functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace nibble::quant {
namespace {

/// floor(log2(x)) of a positive x.
int exponent_of(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  return exponent - 1;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (double value : values) most = std::max(most, std::abs(value));
  return most;
}

void check_finite(const std::vector<double>& values, std::string_view what, std::string_view place) {
  for (double value : values)
    if (!std::isfinite(value)) fail("quant", place, fmt::format("{} {}", what, value), "finite numbers");
}

}  // namespace

SoftmaxPlan plan_softmax(double scale, int64_t elements, int64_t distance, const Grid& output, std::string_view place) {
  constexpr double wanted = 0.01;  // levels
  constexpr int64_t most_entries = 1 << 16;
  SoftmaxPlan plan;
  const double one = 1 / output.scale[0];  // the level of 1, less the zero point
  const auto count = static_cast<double>(elements);
  const int fraction = std::clamp(exponent_of(one * count / wanted), 16, 30);
  plan.shift = std::abs(one - std::nearbyint(one)) < 1e-4 ? 0 : std::max(0, 15 - exponent_of(one));
  plan.multiplier = std::llround(std::ldexp(one, static_cast<int>(plan.shift)));
  const double reach = std::log(std::ldexp(1.0, fraction + 1)) / scale;
  if (!(std::min(reach, static_cast<double>(distance)) < static_cast<double>(most_entries)))
    fail("quant", place, fmt::format("a table of exponentials at scale {} needs more than 65536 entries", scale),
         "a coarser quantiser before it");
  const int64_t entries = std::min(distance, static_cast<int64_t>(reach)) + 1;
  for (int64_t d = 0; d < entries; ++d)
    plan.table.push_back(std::llround(std::ldexp(std::exp(-scale * static_cast<double>(d)), fraction)));
  // Each entry is 1/2 off at most, the sum is 2^fraction at least, and no quotient above 1.
  plan.error = one * count / std::ldexp(1.0, fraction + 1) +
               std::abs(std::ldexp(static_cast<double>(plan.multiplier), -static_cast<int>(plan.shift)) - one);
  return plan;
}

NormalizationPlan plan_normalization(const Normalization& function, const Grid& input, const Grid& output,
                                     Rounding rounding, std::string_view place) {
  check_finite(function.gain, "gain", place), check_finite(function.bias, "bias", place);
  const auto n = static_cast<double>(function.elements);
  const double eps = input.scale[0], out = output.scale[0];
  const double far = static_cast<double>(std::max(input.high - input.zero_point, input.zero_point - input.low));
  const double wide = function.centred ? static_cast<double>(input.high - input.low) / 2 : far;
  const double variance = n * n * wide * wide, epsilon = n * n * function.epsilon / (eps * eps);
  const int bits = exponent_of(std::max(variance, 1.0) + epsilon) + 1;
  if (bits > 60)
    fail("quant", place, fmt::format("sums of squares need {} bits", bits),
         "at most 60: fewer elements in a row, fewer levels, or a coarser quantiser before it");
  NormalizationPlan plan;
  plan.root_shift = std::min((61 - bits) / 2, 30);
  plan.epsilon = std::llround(std::ldexp(epsilon, 2 * static_cast<int>(plan.root_shift)));

  // |u| r <= 2^(inverse_shift - root_shift) sqrt(n), for |u| <= sqrt(n v): what is left of 63 bits is r's and the
  // gain's.
  const double gain = largest(function.gain) / out, bias = largest(function.bias) / out;
  const double levels = static_cast<double>(std::max(std::abs(output.low), std::abs(output.high))) + bias + 1;
  const int gain_bits = 16, root_n = exponent_of(std::sqrt(n)) + 1;
  const int f = std::clamp(gain_bits - 1 - (gain > 0 ? exponent_of(gain) + 1 : 0), 0, 30);
  const int wide_gain = (gain > 0 ? std::max(exponent_of(gain) + 1 + f, 0) : 0) + 1;
  const int inverse = std::min({61 - wide_gain - root_n, 60 - exponent_of(levels) - f, 62 - (int)plan.root_shift});
  if (inverse < 8)
    fail("quant", place, fmt::format("gains up to {} levels leave {} bits for its reciprocals", gain, inverse),
         "a coarser quantiser after it");
  plan.inverse_shift = inverse + plan.root_shift;
  plan.shift = inverse + f;
  const double half = rounding == Rounding::Floor ? 0 : 0.5;
  for (double each : function.gain) plan.multiplier.push_back(std::llround(std::ldexp(each / out, f)));
  for (double each : function.bias)
    plan.addend.push_back(std::llround(
        std::ldexp(each / out + static_cast<double>(output.zero_point) + half, static_cast<int>(plan.shift))));

  const double least_root = std::ldexp(std::sqrt(std::max(n - 1, 1.0)), static_cast<int>(plan.root_shift));
  const double least_inverse = std::ldexp(1 / std::sqrt(variance + epsilon), inverse);
  const double reached = std::min(gain * std::sqrt(n), static_cast<double>(output.levels()) + bias);
  plan.error = reached * (1 / least_root + 0.5 / std::max(least_inverse, 1.0)) + std::sqrt(n) * std::ldexp(0.5, -f) +
               std::ldexp(0.5, -static_cast<int>(plan.shift));
  return plan;
}

DivisionPlan plan_division(double scale_a, double scale_b, const Grid& output, std::string_view place) {
  const double ratio = scale_a / (scale_b * output.scale[0]);
  if (!(ratio > 0x1p-40 && ratio < 0x1p40))
    fail("quant", place, fmt::format("the ratio of its scales is {}", ratio), "2^-40 to 2^40");
  DivisionPlan plan;
  const int shift = std::max(0, 20 - exponent_of(ratio));
  plan.shift = shift;
  plan.multiplier = std::llround(std::ldexp(ratio, shift));
  const double reached = static_cast<double>(output.levels());
  plan.error = reached * std::abs(std::ldexp(static_cast<double>(plan.multiplier), -shift) / ratio - 1);
  return plan;
}

}  // namespace nibble::quant
