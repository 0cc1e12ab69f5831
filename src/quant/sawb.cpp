#include "quant/sawb.hpp"

#include <cmath>
#include <string>

#include "base/error.hpp"

namespace nibble::quant {
namespace {

struct Row {
  int64_t levels;
  double square, size;                ///< both ends at the clip
  double almost_square, almost_size;  ///< the highest level one step short
};
constexpr Row rows[] = {{3, 2.58072, 1.68371, 2.58072, 1.68371},       {4, 3.22824, 2.19780, 4.74932, 3.32860},
                        {7, 6.99146, 6.34798, 6.99146, 6.34798},       {8, 7.57111, 6.96333, 8.26900, 7.36509},
                        {15, 12.04287, 12.07040, 12.04287, 12.07040},  {16, 12.16637, 12.19222, 12.06485, 11.86833},
                        {31, 14.71474, 15.13775, 14.71474, 15.13775},  {32, 15.18684, 15.72128, 15.47646, 15.98616},
                        {63, 20.78714, 22.60234, 20.78714, 22.60234},  {64, 20.54678, 22.29264, 21.96366, 24.03408},
                        {127, 27.15792, 30.50641, 27.15792, 30.50641}, {128, 27.75226, 31.25157, 28.26410, 31.87972},
                        {255, 35.48044, 40.89530, 35.48044, 40.89530}, {256, 34.97231, 40.26019, 36.15292, 41.73554}};

}  // namespace

double sawb_clip(double mean_square, double mean_size, int64_t levels, bool almost, std::string_view place) {
  if (levels == 2) return mean_size;
  for (const Row& row : rows)
    if (row.levels == levels)
      return (almost ? row.almost_square : row.square) * std::sqrt(mean_square) -
             (almost ? row.almost_size : row.size) * mean_size;
  fail("quant", place, "sawb for " + std::to_string(levels) + " levels",
       "2, or 2^B or 2^B - 1 levels with B from 2 to 8; or the range rule mse, for any number");
}

RealRange almost_symmetric(double largest, int64_t levels) {
  const bool even = levels % 2 == 0 && levels > 2;
  return {-largest, even ? largest - 2 * largest / static_cast<double>(levels) : largest};
}

}  // namespace nibble::quant
