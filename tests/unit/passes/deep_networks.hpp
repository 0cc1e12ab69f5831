#pragma once
#include <algorithm>

#include "unit/passes/networks.hpp"

namespace nibble::passes::testing {

/// 30 to 100 layers of the kinds that people stack: residual and dense blocks, gates (x sigmoid(x), squeeze and
/// excitation), attention over positions, pools, depthwise convolutions, batch-norms; small, so that the evaluator runs
/// it.
class DeepNetwork {
 public:
  explicit DeepNetwork(uint64_t seed) : n_(seed) {
    const uint64_t layers = 30 + n_.random.below(71);
    ValueId x = silu(norm(n_.conv(name("stem"), n_.input({any, 2, 6, 6}), 4, 3, 1, 1)));
    while (layers_ < layers) x = block(x);
    n_.finish({n_.gemm("logits", n_.flatten("flatten", n_.node("gap", graph::GlobalAveragePool{}, {x})), 3)});
  }
  Network& network() { return n_; }

 private:
  std::string name(const char* what) { return what + std::to_string(layers_++); }
  ValueId norm(ValueId x) { return n_.random.below(2) == 0 ? x : n_.batch_norm(name("bn"), x); }
  ValueId gated(ValueId x, graph::Op gate, ValueId by) {
    return n_.node(name("gated"), graph::Mul{}, {x, n_.node(name("gate"), std::move(gate), {by})});
  }
  ValueId silu(ValueId x) { return gated(x, graph::Sigmoid{}, x); }
  ValueId activation(ValueId x) {
    switch (n_.random.below(5)) {
      case 0: return silu(x);
      case 1: return n_.node(name("hardswish"), graph::HardSwish{}, {x});
      case 2: return n_.node(name("clip"), graph::Clip{0, 6}, {x});
      default: return n_.relu(name("relu"), x);
    }
  }
  ValueId layer(ValueId x, int64_t outputs, int64_t kernel, int64_t group = 1) {
    return activation(norm(n_.conv(name("conv"), x, outputs, kernel, 1, kernel / 2, group)));
  }
  ValueId squeezed(ValueId x) {
    const int64_t c = n_.channels(x);
    ValueId s = n_.node(name("squeeze"), graph::GlobalAveragePool{}, {x});
    s = n_.conv(name("excite"), n_.relu(name("relu"), n_.conv(name("reduce"), s, 2, 1)), c, 1);
    return gated(x, n_.random.below(2) == 0 ? graph::Op(graph::Sigmoid{}) : graph::Op(graph::HardSigmoid{1.0 / 6, 0.5}),
                 s);
  }
  ValueId attended(ValueId x) {
    const Shape shape = n_.graph[x].shape;
    const int64_t c = shape[1], tokens = shape[2] * shape[3];
    ValueId rows = n_.transpose(name("rows"), n_.reshape(name("flat"), x, {0, c, tokens}), {0, 2, 1});
    rows = n_.add(name("attended"), rows, n_.attention(name("attention"), rows, c % 2 == 0 ? 2 : 1));
    rows = n_.layer_norm(name("ln"), rows);
    return n_.reshape(name("image"), n_.transpose(name("columns"), rows, {0, 2, 1}), {0, c, shape[2], shape[3]});
  }
  ValueId block(ValueId x) {
    const int64_t c = n_.channels(x), extent = n_.graph[x].shape[2];
    switch (n_.random.below(9)) {
      case 0: return activation(n_.add(name("add"), x, layer(layer(x, c, 3), c, 1)));
      case 1: return n_.add(name("add"), x, n_.conv(name("conv"), squeezed(layer(x, c, 3, c)), c, 1));
      case 2: return layer(n_.node(name("concat"), graph::Concat{1}, {x, layer(x, 2, 3), layer(x, 2, 1)}), 4, 1);
      case 3: return squeezed(x);
      case 4: return attended(x);
      case 5: return layer(n_.node(name("concat"), graph::Concat{1}, {x, n_.max_pool(name("pool"), x, 1, 1)}), c, 1);
      case 6:
        if (extent > 2)
          return n_.random.below(2) == 0 ? n_.max_pool(name("pool"), x) : n_.average_pool(name("pool"), x);
        [[fallthrough]];
      default: return layer(x, 3 + static_cast<int64_t>(n_.random.below(3)), 3);
    }
  }

  Network n_;
  uint64_t layers_ = 0;
};

}  // namespace nibble::passes::testing
