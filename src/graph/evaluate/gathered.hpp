#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "graph/evaluate/rules.hpp"

namespace nibble::graph {

/// y where element `at` (an index along each axis of y) is x's element at the index that `source` gives, or `outside`.
template <class T, class Source>
Tensor gathered(const Tensor& x, Shape shape, Source&& source, T outside = T{0}) {
  Tensor y = zeros<T>(std::move(shape));
  const auto from = x.as<T>();
  const auto to = y.template as<T>();
  const auto strides = strides_of(x.shape());
  std::vector<int64_t> at(y.rank(), 0), index(x.rank(), 0);
  for (T& value : to) {
    if (source(at, index)) {
      int64_t offset = 0;
      for (size_t i = 0; i < index.size(); ++i) offset += index[i] * strides[i];
      value = from[static_cast<size_t>(offset)];
    } else {
      value = outside;
    }
    for (size_t axis = y.rank(); axis-- > 0;) {
      if (++at[axis] < y.shape()[axis]) break;
      at[axis] = 0;
    }
  }
  return y;
}

/// As gathered, of a node's first input.
template <class Source>
Tensors moved(const Call& call, const Shape& shape, Source&& source) {
  return by_kind(call, [&](auto kind) { return gathered<decltype(kind)>(call[0], shape, source); });
}

}  // namespace nibble::graph
