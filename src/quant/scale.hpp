#pragma once

namespace nibble::quant {

/// A positive scale rounded up to 12 significant bits: the product of two such is a float32 number, so that the grid of
/// a graph output can be written down exactly. Up, so that the range is never narrower than the one that was found or
/// learned. A float32 number's is one.
double shortened(double scale);

}  // namespace nibble::quant
