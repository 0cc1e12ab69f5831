#pragma once
#include <cstdint>

/// Scales whose products and multiples are exact.
namespace nibble::passes {

/// `scale` rounded up to 12 significant bits: the product of two such is a float32 number, so that the grid of a graph
/// output can be written down exactly.
double shortened(double scale);

/// The product as the nearest float32, which is what a grid may hold.
double float_product(double a, double b);

/// `ratio` rounded so that `zero * ratio` is a double exactly: then ratio * a - zero * ratio is 0 at a = zero, and real
/// zero stays zero under every rounding. A change below 2^-(52 - bits of zero) of the ratio; a power of two stays.
double exact_at(double ratio, int64_t zero);

/// Whether `ratio` stands for a quotient of whole numbers that no double holds (1/6: a mean over six on the grid of its
/// input), up to the rounding of exact_at: sums then lie on a step in real numbers but beside it in doubles.
bool is_rounded_quotient(double ratio);

}  // namespace nibble::passes
