#pragma once
#include "base/channels.hpp"
#include "graph/graph.hpp"

namespace nibble::lab {

/// What a value's tensor says, piece by piece and without memory of its own. Both must outlive it.
class Reading {
 public:
  Reading(const graph::Value& value, const Tensor& tensor);
  /// The integers of elements begin to end: themselves, or their reals through the value's grid.
  void integers(size_t begin, size_t end, int64_t* to) const;
  /// The elements in real units: themselves, or their integers through the value's grid.
  void reals(size_t begin, size_t end, double* to) const;

 private:
  const Tensor& tensor_;
  const Grid* grid_;
  ChannelOf channels_;
};

}  // namespace nibble::lab
