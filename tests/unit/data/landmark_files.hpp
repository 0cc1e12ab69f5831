#pragma once
#include <vector>

#include "data/npz.hpp"
#include "unit/data/archives.hpp"
#include "unit/data/files.hpp"

namespace nibble::testing {

/// Points at (1, 2, 3) and (4, 5, 6); one shape that moves the first along x, one expression that moves the second
/// along y; outputs are parameters.
inline data::Arrays basis_of_two_points() {
  std::vector<double> zeros(14), ones(14, 1.0), shape(6), expression(6);
  shape[0] = 1, expression[4] = 1;
  return {{"mean", Tensor({14}, zeros)},
          {"std", Tensor({14}, ones)},
          {"u", Tensor({6}, std::vector<double>{1, 2, 3, 4, 5, 6})},
          {"w_shape", Tensor({6, 1}, shape)},
          {"w_expression", Tensor({6, 1}, expression)}};
}

/// `count` gray images of one pixel, and their landmarks [count, 2, 2], of which example i's box has sides i + 1 and 2.
inline void put_faces(const Folder& folder, int64_t count) {
  std::vector<float> points;
  for (int64_t i = 0; i < count; ++i) {
    folder.write(std::to_string(i) + ".png", png(1, 1, 0, std::string(1, static_cast<char>(i))));
    const auto side = static_cast<float>(i + 1);
    points.insert(points.end(), {10, 20, 10 + side, 22});
  }
  data::write_npy(folder.path / "landmarks.npy", Tensor({count, 2, 2}, points));
}

}  // namespace nibble::testing
