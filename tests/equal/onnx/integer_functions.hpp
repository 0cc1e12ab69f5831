#pragma once
#include "equal/onnx/integer_network.hpp"

namespace nibble::tests {

/// Integer functions with random constants, of values that are narrow (IntegerNetwork::narrow).
class FunctionNetwork : public IntegerNetwork {
 public:
  using IntegerNetwork::IntegerNetwork;

  // ---- Nibble's own

  Live softmax(const Live& x) {
    const int64_t entries = between(1, x.range.high - x.range.low + 1);
    Tensor table(ElementType::Int64, {entries});
    int64_t entry = between(1, 1 << 16);
    for (int64_t& value : table.as<int64_t>()) value = std::exchange(entry, entry - between(0, entry / 4));
    const Interval to = levels(between(1, 8));
    const auto rounding = one_of<Rounding>({Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven});
    const graph::TableSoftmax op{between(1, static_cast<int64_t>(shape(x).size()) - 1),
                                 between(1, 1000),
                                 between(0, 3),
                                 rounding,
                                 between(to.low, to.high),
                                 to.low,
                                 to.high};
    return node("softmax", op, {x.id, graph.add_constant("exponentials", table)}, to);
  }

  Live normalisation(const Live& x) {
    const Interval to = levels(between(1, 8));
    graph::IntegerNormalization op;
    op.axis = static_cast<int64_t>(shape(x).size()) - 1;
    op.centred = chance(2), op.zero_point = zero_point(x), op.epsilon = between(0, 9);
    op.root_shift = between(0, 6), op.inverse_shift = between(10, 24), op.shift = between(8, 28);
    op.low = to.low, op.high = to.high;
    const Shape row{shape(x).back()};
    return node("norm", op, {x.id, constant("multiplier", row, {-100, 100}), constant("addend", {1}, {-10000, 10000})},
                to);
  }

  Live quotient(const Live& x, const Live& y) {
    const Interval to = levels(between(1, 8));
    const auto rounding = one_of<Rounding>({Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven});
    const graph::RoundedDivision op{zero_point(x), zero_point(y), between(1, 5000),
                                    between(0, 8), rounding,      between(to.low, to.high),
                                    to.low,        to.high};
    return node("quotient", op, {x.id, y.id}, to);
  }

  Live interpolated(const Live& x) {
    const Interval to = levels(between(1, 8));
    graph::InterpolatedTable op{x.range.low, between(0, 4), between(0, 6), to.low, to.high};
    const int64_t most = (to.high + 1) << op.fraction;
    return node("interpolated", op,
                {x.id, constant("table", {((x.range.high - x.range.low) >> op.shift) + 2}, {-most, most})}, to);
  }

  // ---- the dialect deeploy's

  Live isoftmax(const Live& x) {
    const int64_t levels = int64_t{1} << between(1, 8);
    const graph::ISoftmax op{between(0, 100), between(-500, 500), between(1, 10000), between(1, 40), levels};
    return node("isoftmax", op, {x.id}, {0, levels - 1});
  }

  Live itamax(const Live& x) {
    const int64_t levels = int64_t{1} << between(2, 8);
    if (x.range.low < -128 || chance(2)) return node("itamax", graph::ItaMax{levels}, {x.id}, {0, levels - 1});
    const int64_t row = shape(x).back(), width = row % 2 == 0 ? row / 2 : row;
    return node("itapartialmax", graph::ItaPartialMax{levels, width}, {x.id}, {0, levels / 2 - 1});
  }

  Live igelu(const Live& x) {
    const graph::IGelu op{-between(0, 40), between(0, 2000)};
    const int64_t most = largest(x.range) * (2 * op.one + op.b * op.b);
    return node("igelu", op, {x.id}, {-most, most});
  }

  Live ilayernorm(const Live& x) {
    const int64_t levels = int64_t{1} << between(1, 8);
    const Shape row{chance(2) ? shape(x).back() : 1};
    const graph::ValueId w = constant("weight", row, {-100, 100});
    const Interval to{-levels / 2, levels / 2 - 1};
    if (chance(2)) return node("irmsnorm", graph::IRmsNorm{between(0, 6), levels}, {x.id, w}, to);
    return node("ilayernorm", graph::ILayerNorm{between(0, 6), levels}, {x.id, w, constant("bias", row, {-1000, 1000})},
                to);
  }

  Live ihardswish(const Live& x) {
    const graph::IHardSwish op{between(-99, 99), between(0, 200), between(0, 50)};
    const int64_t most = largest(x.range) * op.six * op.one_over_six;
    return node("ihardswish", op, {x.id}, {-most, most});
  }

  Live integer_div(const Live& x, const Live& y) {
    graph::IntegerDiv op{between(1, 50), 0, between(1, 50)};
    op.eps = op.eta * largest(y.range) + between(1, 9);
    const int64_t most = op.delta * op.eta * largest(x.range) + 1;
    return node("integerdiv", op, {x.id, y.id}, {-most, most});
  }

  Live true_integer_div(const Live& x, const Live& y) {
    graph::TrueIntegerDiv op{between(1, 50), 0, between(1, 50), between(1, 50)};
    op.eps = op.eta * largest(y.range) + between(1, 9);
    const int64_t most = op.delta * op.eta * largest(x.range);
    if (chance(2)) return node("trueintegerdiv", op, {x.id}, {-most, most});
    return node("trueintegerdiv", op, {x.id, y.id}, {-most, most});
  }

  Live inonorm(const Live& x) {
    const int64_t levels = int64_t{1} << between(1, 8);
    const Shape row{shape(x).back()};
    return node("inonorm", graph::INoNorm{between(1, 99), between(4, 16), levels},
                {x.id, constant("weight", row, {-100, 100}), constant("bias", row, {-1000, 1000})},
                {-levels / 2, levels / 2 - 1});
  }

  /// One of deeploy's on x, with y where it takes two.
  Live of_deeploy(const Live& x, const Live& y) {
    switch (random.below(8)) {
      case 0: return isoftmax(x);
      case 1: return itamax(x);
      case 2: return igelu(x);
      case 3: return ilayernorm(x);
      case 4: return ihardswish(x);
      case 5: return integer_div(x, y);
      case 6: return true_integer_div(x, y);
      default: return inonorm(x);
    }
  }
};

}  // namespace nibble::tests
