#pragma once
#include <string>

#include "base/random.hpp"
#include "graph/graph.hpp"

namespace nibble::lab {

/// Puts layers one after the other; weights are drawn by He's rule (He et al. 2015), biases are 0, batch-norms start as
/// the identity. Names are PyTorch's: "<layer>.weight", "<layer>.bias".
class NetworkBuilder {
 public:
  using ValueId = graph::ValueId;

  NetworkBuilder(graph::Graph& graph, uint64_t seed) : graph_(graph), random_(seed) {}

  ValueId input(Shape shape);

  /// Square kernel; padding on each side, kernel / 2 by default; no bias.
  struct Window {
    int64_t kernel = 3, stride = 1, padding = -1, group = 1;
    bool bias = false;
  };
  ValueId conv(const std::string& name, ValueId x, int64_t to, const Window& window);
  ValueId conv(const std::string& name, ValueId x, int64_t to) { return conv(name, x, to, Window{}); }
  /// Any kernel, strides and pads (top, left, bottom, right).
  ValueId conv(const std::string& name, ValueId x, int64_t to, graph::Conv op, Shape kernel, bool bias);
  ValueId batch_norm(const std::string& name, ValueId x);
  ValueId relu(const std::string& name, ValueId x) { return put(name, graph::Relu{}, {x}); }
  ValueId relu6(const std::string& name, ValueId x) { return put(name, graph::Clip{0, 6}, {x}); }
  ValueId add(const std::string& name, ValueId a, ValueId b) { return put(name, graph::Add{}, {a, b}); }
  ValueId multiply(const std::string& name, ValueId a, ValueId b) { return put(name, graph::Mul{}, {a, b}); }
  /// Any pointwise function.
  ValueId function(const std::string& name, graph::Op op, ValueId x) { return put(name, std::move(op), {x}); }
  ValueId concat(const std::string& name, std::vector<ValueId> parts, int64_t axis = 1) {
    return put(name, graph::Concat{axis}, std::move(parts));
  }
  /// Each pixel four times.
  ValueId twice_as_large(const std::string& name, ValueId x);
  /// [N, ...] to [N, extents].
  ValueId reshape(const std::string& name, ValueId x, Shape extents);
  /// The stride is the kernel's extent.
  ValueId max_pool(const std::string& name, ValueId x, int64_t kernel) {
    return max_pool(name, x, {.kernel = kernel, .stride = kernel, .padding = 0});
  }
  ValueId max_pool(const std::string& name, ValueId x, const Window& window);
  /// The mean over what is left of the image: [N, C, 1, 1].
  ValueId mean_of_image(const std::string& name, ValueId x) { return put(name, graph::GlobalAveragePool{}, {x}); }
  /// The same, flattened: [N, C].
  ValueId global_mean(const std::string& name, ValueId x);
  ValueId flatten(const std::string& name, ValueId x) { return put(name, graph::Flatten{}, {x}); }
  ValueId fully_connected(const std::string& name, ValueId x, int64_t to);

  /// "<name>", "<name>_bn", "<name>_relu".
  ValueId conv_bn_relu(const std::string& name, ValueId x, int64_t to, const Window& window);
  ValueId conv_bn_relu(const std::string& name, ValueId x, int64_t to) { return conv_bn_relu(name, x, to, Window{}); }
  /// The same with a Clip to 0..6.
  ValueId conv_bn_relu6(const std::string& name, ValueId x, int64_t to, const Window& window);

  int64_t channels(ValueId x) const { return graph_[x].shape.at(1); }

 private:
  /// A node whose output's shape is known at once.
  ValueId put(const std::string& name, graph::Op op, std::vector<ValueId> inputs);
  ValueId drawn(const std::string& name, Shape shape, int64_t fan_in);
  ValueId zeros(const std::string& name, int64_t count);

  graph::Graph& graph_;
  Random random_;
};

}  // namespace nibble::lab
