#pragma once
#include "graph/graph.hpp"
#include "quant/staircase.hpp"

namespace nibble::onnx {

/// The standard's parameters for one channel of a linear op, and how many reachable sums they requantise otherwise.
struct Fit {
  double weight_scale = 1;  ///< float32
  int64_t offset = 0;       ///< whole bias beside the one that the sum holds
  bool flipped = false;     ///< the function falls: the channel's weights change sign
  bool constant = false;    ///< the function is one level: the channel's weights are zero
  int64_t differing = 0;
};

/// What a Requantise, Threshold, Rescale or Clip of a network does to the integers it reads.
class Requantised {
 public:
  Requantised(const graph::Graph& graph, const graph::Node& node);

  size_t channels() const { return channels_; }
  Interval levels() const { return levels_; }
  int64_t level(size_t channel, int64_t a) const;
  /// The staircase over `reachable`. Throws InternalError where the function falls.
  quant::Staircase staircase(size_t channel, Interval reachable) const;
  /// Scales and a bias under which QLinearConv steps as this does: the weights' own scale `given` (0: none) if it does,
  /// else float32 numbers near the function's slope.
  Fit fit(size_t channel, Interval reachable, double x_scale, double given, const Grid& y) const;

 private:
  const graph::Graph& graph_;
  const graph::Node& node_;
  size_t channels_ = 1;
  Interval levels_;
};

}  // namespace nibble::onnx
