#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "kernels/element.h"

namespace nibble::tests {

inline int64_t between(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low) + 1));
}

/// An integer of any magnitude, extremes among them.
inline int64_t any_integer(Random& random) {
  constexpr int64_t corners[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX, INT32_MIN, INT32_MAX};
  if (random.below(8) == 0) return corners[random.below(std::size(corners))];
  return static_cast<int64_t>(random.bits()) >> random.below(64);
}

/// Axes as they stand, or channels last (of [N, C, spatial..]), or in any order.
inline std::vector<size_t> axes_in_order(size_t rank) {
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}
inline std::vector<size_t> channels_last(size_t rank) {
  std::vector<size_t> order{0};
  for (size_t i = 2; i < rank; ++i) order.push_back(i);
  order.push_back(1);
  return order;
}
inline std::vector<size_t> axes_in_any_order(Random& random, size_t rank) {
  const auto drawn = random.permutation(static_cast<int64_t>(rank));
  return {drawn.begin(), drawn.end()};
}

/// A tensor with strides of its own, among bytes that no kernel may write.
struct Laid {
  int32_t type = NIBBLE_I64;
  Shape shape;
  std::vector<int64_t> strides;  ///< of the shape's axes, in elements
  std::vector<std::byte> bytes;

  static constexpr size_t margin = NIBBLE_SLACK;
  void* data() { return bytes.data() + margin; }
  const void* data() const { return bytes.data() + margin; }

  template <class F>
  void each(F&& f) const {  // f(index in row-major order, offset)
    const auto steps = strides_of(shape);
    for (int64_t i = 0; i < element_count(shape); ++i) {
      int64_t offset = 0;
      for (size_t axis = 0; axis < shape.size(); ++axis) offset += i / steps[axis] % shape[axis] * strides[axis];
      f(static_cast<size_t>(i), offset);
    }
  }

  void store(const Tensor& values) {
    each([&](size_t i, int64_t offset) {
      if (type == NIBBLE_F64)
        static_cast<double*>(data())[offset] = values.as<double>()[i];
      else
        nibble_store(data(), type, offset, values.as<int64_t>()[i]);
    });
  }

  /// NaN is NaN, whatever its bits.
  void unite_nans() {
    if (type != NIBBLE_F64) return;
    each([&](size_t, int64_t offset) {
      double& value = static_cast<double*>(data())[offset];
      if (std::isnan(value)) value = std::nan("");
    });
  }
};

/// Room for a tensor: the axes in `order`, the last innermost (dense: its elements side by side), gaps between rows.
inline Laid room_for(Random& random, const Shape& shape, int32_t type, const std::vector<size_t>& order,
                     bool dense = false) {
  Laid laid{type, shape, std::vector<int64_t>(shape.size()), {}};
  int64_t stride = dense ? 1 : between(random, 1, 2);
  for (size_t i = order.size(); i-- > 0;) {
    laid.strides[order[i]] = stride;
    stride = stride * shape[order[i]] + (random.below(2) == 0 ? 0 : between(random, 0, 3));
  }
  const auto size = static_cast<size_t>(std::max<int64_t>(stride, 1) * nibble_size_of(type));
  laid.bytes.assign(size + 2 * Laid::margin, std::byte{0xA5});
  return laid;
}

inline Laid laid_out(Random& random, const Tensor& values, int32_t type, const std::vector<size_t>& order,
                     bool dense = false) {
  Laid laid = room_for(random, values.shape(), type, order, dense);
  laid.store(values);
  return laid;
}

/// The inclusive range of a type; of I64 and F64 a part that sums and products stay inside.
inline Interval range_of(int32_t type) {
  switch (type) {
    case NIBBLE_I8: return {-128, 127};
    case NIBBLE_U8: return {0, 255};
    case NIBBLE_I16: return {-32768, 32767};
    case NIBBLE_U16: return {0, 65535};
    case NIBBLE_I32: return {INT32_MIN, INT32_MAX};
    default: return {-(int64_t{1} << 40), int64_t{1} << 40};
  }
}

inline int32_t any_type(Random& random) {
  return static_cast<int32_t>(between(random, NIBBLE_I8, NIBBLE_I64));
}

inline Tensor any_integers(Random& random, const Shape& shape, Interval range) {
  Tensor values(ElementType::Int64, shape);
  for (int64_t& value : values.as<int64_t>())
    value = random.below(12) == 0 ? (random.below(2) == 0 ? range.low : range.high)
                                  : between(random, range.low, range.high);
  return values;
}

/// A type that holds every value.
inline int32_t any_type_for(Random& random, const Tensor& values) {
  std::vector<int32_t> fitting{NIBBLE_I64};
  for (int32_t type = NIBBLE_I8; type < NIBBLE_I64; ++type) {
    bool fits = true;
    for (int64_t value : values.as<int64_t>()) fits = fits && range_of(type).contains(value);
    if (fits) fitting.push_back(type);
  }
  return fitting[random.below(fitting.size())];
}

/// What the evaluator says of a node: a tensor, or that it refuses the data; neither where 64 bits do not hold it.
struct Meaning {
  std::optional<Tensor> y;
  bool refused = false;
};
inline Meaning meaning_of(graph::Op op, const std::vector<const Tensor*>& inputs) {
  try {
    return {graph::evaluate(graph::Node{"n", std::move(op), {}, {}}, inputs).front(), false};
  } catch (const UserError&) {
    return {{}, true};
  } catch (const InternalError&) {
    return {};
  }
}
inline Tensor value_of(graph::Op op, const std::vector<const Tensor*>& inputs) {
  return graph::evaluate(graph::Node{"n", std::move(op), {}, {}}, inputs).front();
}

/// Runs a kernel over all its items, cut anywhere.
inline int run_in_pieces(Random& random, nibble_kernel kernel, int kind, const void* parameters, nibble_call call) {
  const int64_t items = nibble_items(kind, parameters);
  std::vector<std::byte> scratch(static_cast<size_t>(nibble_scratch(kind, parameters)) + 128);
  void* aligned = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64);
  call.scratch = aligned;
  int fault = NIBBLE_FINE;
  for (int64_t begin = 0; begin < items;) {
    call.begin = begin;
    call.end = begin = random.below(2) == 0 ? items : between(random, begin + 1, items);
    if (const int found = kernel(parameters, &call)) fault = found;
  }
  return fault;
}

/// In the place of a fault: what 64 bits do not hold, of which a kernel gives any integers, or a fault.
inline constexpr int any_result = -1;

/// Every kernel set that runs here gives `expected`, or the fault, and touches nothing else.
inline void expect_of_kernels(Random& random, int kind, const void* parameters, const std::vector<const void*>& in,
                              const Laid& room, const Tensor& expected, int fault = NIBBLE_FINE) {
  Laid want = room;
  want.store(expected), want.unite_nans();
  for (const nibble_kernel_set* const* set = nibble_kernel_sets; *set != nullptr; ++set) {
    const char* name = "";
    const nibble_kernel kernel = (*set)->runs_here() ? (*set)->find(kind, parameters, &name) : nullptr;
    if (kernel == nullptr) continue;
    Laid got = room;
    nibble_call call{};
    for (size_t i = 0; i < in.size(); ++i) call.in[i] = in[i];
    call.out = got.data();
    const int found = run_in_pieces(random, kernel, kind, parameters, call);
    EXPECT_TRUE(fault == any_result || found == fault) << (*set)->name << " " << name << " gives fault " << found;
    if (fault != NIBBLE_FINE) got.store(expected);
    got.unite_nans();
    EXPECT_TRUE(got.bytes == want.bytes) << (*set)->name << " " << name << " differs";
  }
}

/// A stage with what it points to. `channels` numbers each.
struct OwnedStage {
  nibble_stage stage{};
  std::vector<int64_t> a, b, d;
  std::vector<int32_t> a32;
  std::vector<uint8_t> d8;
  std::vector<float> fa, fb;

  /// Applied to a tensor whose channels lie along `axis` (-1: one channel).
  Tensor of(Tensor values, int axis) const {
    const auto steps = strides_of(values.shape());
    auto all = values.as<int64_t>();
    int fault = NIBBLE_FINE;
    for (size_t i = 0; i < all.size(); ++i) {
      const auto at = static_cast<size_t>(axis < 0 ? 0 : axis);
      const int64_t channel = axis < 0 ? 0 : static_cast<int64_t>(i) / steps[at] % values.shape()[at];
      all[i] = nibble_staged(&stage, all[i], channel, &fault);
    }
    EXPECT_EQ(fault, NIBBLE_FINE);
    return values;
  }
};

/// A stage of any form but tables, to the levels, of accumulators up to `magnitude`.
inline std::unique_ptr<OwnedStage> any_stage(Random& random, int32_t channels, Interval levels, int64_t magnitude) {
  auto owned = std::make_unique<OwnedStage>();
  OwnedStage& o = *owned;
  const auto padded = static_cast<size_t>((channels + 15) / 16 * 16);
  const int32_t forms[] = {NIBBLE_STAGE_NONE,      NIBBLE_STAGE_PRODUCT,    NIBBLE_STAGE_PRODUCT, NIBBLE_STAGE_DIVIDE,
                           NIBBLE_STAGE_PRODUCT32, NIBBLE_STAGE_THRESHOLDS, NIBBLE_STAGE_FLOAT};
  o.stage.form = forms[random.below(magnitude < (1 << 24) ? 7 : 4)];
  o.stage.channels = channels;
  o.stage.low = levels.low, o.stage.high = levels.high;
  o.stage.wide = magnitude >= (1 << 30) || random.below(3) == 0;
  o.stage.steps = static_cast<int32_t>(std::min<int64_t>(levels.high - levels.low, between(random, 1, 20)));
  o.a.resize(padded), o.b.resize(padded), o.d.resize(padded, 1);
  o.a32.resize(padded), o.d8.resize(padded), o.fa.resize(padded), o.fb.resize(padded);
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const int64_t shift = between(random, 0, 40), multiplier = between(random, -(1 << 20), 1 << 20);
    o.a[c] = o.a32[c] = static_cast<int32_t>(multiplier);
    // What is proven of PRODUCT32: shifted, the sum has 32 bits.
    const int64_t most = std::min<int64_t>(
        1 << 20, (int64_t{1} << (30 + std::min<int64_t>(shift, 30))) / std::max<int64_t>(magnitude, 1));
    if (o.stage.form == NIBBLE_STAGE_PRODUCT32)
      o.a32[c] = static_cast<int32_t>(std::clamp<int64_t>(multiplier, -most, most));
    o.b[c] = between(random, -1000, 1000) * (int64_t{1} << shift) / 8;
    // Proven of such a stage: results of 32 bits. Sums are below 2^62 here.
    while (o.stage.form == NIBBLE_STAGE_PRODUCT32 &&
           (std::abs(int64_t{o.a32[c]}) * magnitude + std::abs(o.b[c])) >> shift >= INT32_MAX)
      o.a32[c] /= 2, o.b[c] /= 2;
    o.d[c] = between(random, 1, 100000);
    o.d8[c] = static_cast<uint8_t>(shift);
    o.fa[c] = static_cast<float>(random.normal() * std::ldexp(1.0, -static_cast<int>(random.below(12))));
    o.fb[c] = static_cast<float>(random.normal() * 100);
  }
  o.stage.a = o.a.data(), o.stage.b = o.b.data(), o.stage.d = o.d8.data();
  if (o.stage.form == NIBBLE_STAGE_PRODUCT32) o.stage.a = o.a32.data();
  if (o.stage.form == NIBBLE_STAGE_DIVIDE) o.stage.d = o.d.data();
  if (o.stage.form == NIBBLE_STAGE_FLOAT) o.stage.a = o.fa.data(), o.stage.b = o.fb.data();
  if (o.stage.form == NIBBLE_STAGE_THRESHOLDS) {
    o.a.assign(padded * static_cast<size_t>(o.stage.steps), 0);
    for (int64_t& threshold : o.a) threshold = between(random, -magnitude, magnitude);
    for (uint8_t& falling : o.d8) falling &= 1;
    o.stage.a = o.a.data();
  }
  return owned;
}

}  // namespace nibble::tests
