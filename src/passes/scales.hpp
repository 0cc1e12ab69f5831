#pragma once
#include <cstdint>
#include <optional>

/// Scales whose products and multiples are exact.
namespace nibble::passes {

/// The product as the nearest float32, which is what a grid may hold.
double float_product(double a, double b);

/// `ratio` rounded so that `zero * ratio` is a double exactly: then ratio * a - zero * ratio is 0 at a = zero, and real
/// zero stays zero under every rounding. A change below 2^-(52 - bits of zero) of the ratio; a power of two stays.
double exact_at(double ratio, int64_t zero);

struct Quotient {
  int64_t whole = 0, divisor = 1;
};
/// The quotient of whole numbers that `ratio` stands for but no double holds (1/6: a mean over six on the grid of its
/// input), so that sums on a step of the real numbers are on it: divisor at most 2^16, whole at most 2^20, and nothing
/// where the nearest such quotient is further from `ratio` than the roundings that made it.
std::optional<Quotient> quotient_of(double ratio);

}  // namespace nibble::passes
