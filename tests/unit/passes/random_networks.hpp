#pragma once
#include "unit/passes/networks.hpp"

namespace nibble::passes::testing {

/// A random CNN with every shape that fake-to-true claims: residual adds, concats, depthwise convolutions, pools,
/// batch-norms of any gain, dead channels, pointwise functions, shared branches.
inline Network random_network(uint64_t seed) {
  Network n(seed);
  Random& random = n.random;
  int count = 0;
  const auto name = [&](const char* what) { return std::string(what) + std::to_string(count++); };
  const auto activation = [&](ValueId x) {
    switch (random.below(6)) {
      case 0: return x;
      case 1: return n.node(name("clip"), graph::Clip{0, 6}, {x});
      case 2: return n.node(name("hardswish"), graph::HardSwish{}, {x});
      case 3: return n.node(name("leaky"), graph::LeakyRelu{0.1}, {x});
      default: return n.relu(name("relu"), x);
    }
  };
  const auto layer = [&](ValueId x, int64_t outputs, int64_t kernel, int64_t group) {
    ValueId y = n.conv(name("conv"), x, outputs, kernel, 1, kernel / 2, group, random.below(2) == 0);
    if (random.below(4) == 0) {  // a channel of zeros
      auto weights = n.graph[n.graph.nodes.back().inputs[1]].constant->as<float>();
      std::fill(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(weights.size()) / outputs, 0.0F);
    }
    if (random.below(2) == 0) y = n.batch_norm(name("bn"), y);
    return activation(y);
  };
  ValueId x = n.input({any, static_cast<int64_t>(1 + random.below(3)), 8, 8});
  x = layer(x, 4, 3, 1);
  const auto blocks = 2 + random.below(3);
  for (uint64_t block = 0; block < blocks; ++block) {
    const int64_t c = n.channels(x);
    switch (random.below(7)) {
      case 0: x = layer(layer(x, c, 3, c), c + 1, 1, 1); break;
      case 1: x = activation(n.add(name("add"), x, layer(x, c, 3, 1))); break;
      case 2: x = n.node(name("concat"), graph::Concat{1}, {x, layer(x, 2, 1, 1), layer(x, 3, 3, 1)}); break;
      case 3: x = activation(n.batch_norm(name("bn"), x)); break;
      case 4: x = n.node(name("sub"), graph::Sub{}, {layer(x, c, 1, 1), x}); break;
      case 5:
        x = n.node(name("gate"), graph::Mul{}, {x, n.node(name("sigmoid"), graph::Sigmoid{}, {layer(x, c, 1, 1)})});
        break;
      default: x = layer(x, 5, 3, 1); break;
    }
    if (random.below(5) == 0)
      x = n.node(name("border"), graph::AveragePool{{3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, false, random.below(2) == 0},
                 {x});
    else if (n.graph[x].shape[2] >= 4 && random.below(2) == 0)
      x = random.below(2) ? n.max_pool(name("maxpool"), x) : n.average_pool(name("avgpool"), x);
  }
  if (random.below(2) == 0) x = n.node(name("gap"), graph::GlobalAveragePool{}, {x});
  x = n.flatten(name("flatten"), x);
  if (random.below(2) == 0) x = n.relu(name("relu"), n.gemm(name("gemm"), x, 6));
  x = n.gemm("logits", x, 4);
  n.finish({x});
  return n;
}

}  // namespace nibble::passes::testing
