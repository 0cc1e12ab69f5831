#include "base/transposed.hpp"

#include <cstring>

#include "base/error.hpp"

namespace nibble {

Tensor transposed(const Tensor& matrix) {
  ensure(matrix.rank() == 2, "a matrix has rank 2");
  const auto rows = static_cast<size_t>(matrix.shape()[0]), columns = static_cast<size_t>(matrix.shape()[1]);
  Tensor result(matrix.type(), {matrix.shape()[1], matrix.shape()[0]});
  const size_t width = size_of(matrix.type());
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c)
      std::memcpy(result.bytes().data() + (c * rows + r) * width, matrix.bytes().data() + (r * columns + c) * width,
                  width);
  return result;
}

}  // namespace nibble
