#pragma once
#include "graph/evaluate/gathered.hpp"

namespace nibble::graph {

/// x repeated so that it has the shape, to which its own must broadcast.
template <class T>
Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  const size_t ahead = shape.size() - x.rank();
  return gathered<T>(x, shape, [&](const auto& at, auto& index) {
    for (size_t i = 0; i < index.size(); ++i) index[i] = x.shape()[i] == 1 ? 0 : at[i + ahead];
    return true;
  });
}

}  // namespace nibble::graph
