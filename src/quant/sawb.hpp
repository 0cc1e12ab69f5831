#pragma once
#include <cstdint>

#include "quant/range.hpp"

/// Statistics-aware weight binning: the clip of weights with the least square error, from two moments. Source: Choi et
/// al. 2019; the coefficients are QuantLab's fits, for 2^B and 2^B - 1 levels.
namespace nibble::quant {

/// c1 * sqrt(mean_square) - c2 * mean_size, where mean_size is the mean of |w|. Two levels: mean_size, which is exact.
/// `almost`: of an even number of levels, the highest is one step short of the clip (low = -n/2), else both ends are
/// at it. Throws UserError naming `place` where n is neither 2 nor 2^B nor 2^B - 1 with B in 2 .. 8.
double sawb_clip(double mean_square, double mean_size, int64_t levels, bool almost, std::string_view place);

/// [-largest, largest] where n is odd or 2; for an even n one step of 2 largest / n short above.
RealRange almost_symmetric(double largest, int64_t levels);

}  // namespace nibble::quant
