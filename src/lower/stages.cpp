#include "lower/stages.hpp"

#include <algorithm>
#include <cmath>

#include "base/division.hpp"
#include "base/int128.hpp"
#include "graph/intervals.hpp"

namespace nibble::lower {
namespace {

using graph::Ranges;

constexpr Interval everything{INT64_MIN, INT64_MAX};
constexpr double largest_float_result = 0x1p30;

template <class T, class List>
std::vector<T> padded(const List& values) {
  std::vector<T> result(values.begin(), values.end());
  result.resize((result.size() + 15) / 16 * 16);
  return result;
}

const Interval& range_at(const Ranges& ranges, size_t channel) {
  return ranges[ranges.size() == 1 ? 0 : channel];
}

/// ceil(a / b), b > 0
int128 ceiling(int128 a, int128 b) {
  const int128 quotient = a / b;
  return quotient * b < a ? quotient + 1 : quotient;
}

/// One channel's integers, as Requantise has them.
struct Product {
  int64_t multiplier, addend, shift;
  Interval levels, arguments;

  int128 wide(int64_t a) const { return static_cast<int128>(a) * multiplier + addend; }
  int64_t at(int64_t a) const {
    return static_cast<int64_t>(std::clamp<int128>(wide(a) >> shift, levels.low, levels.high));
  }
  /// The smallest argument that reaches level i; the multiplier is positive.
  int128 reaches(int64_t i) const { return ceiling((static_cast<int128>(i) << shift) - addend, multiplier); }
};

struct Line {
  float slope, offset;
  double at(int64_t a) const { return std::fmaf(static_cast<float>(a), slope, offset); }
};

/// rint(line) clipped is the product, at every argument: both are non-decreasing, so their steps decide.
bool steps_alike(const Product& product, const Line& line) {
  const auto [low, high] = product.arguments;
  for (int64_t end : {low, high}) {
    const double y = std::rint(line.at(end));
    if (!(std::abs(y) < largest_float_result)) return false;
    if (std::clamp(y, static_cast<double>(product.levels.low), static_cast<double>(product.levels.high)) !=
        static_cast<double>(product.at(end)))
      return false;
  }
  for (int64_t i = product.at(low) + 1; i <= product.at(high); ++i) {
    const auto step = static_cast<int64_t>(product.reaches(i));
    if (std::rint(line.at(step)) < static_cast<double>(i) || std::rint(line.at(step - 1)) >= static_cast<double>(i))
      return false;
  }
  return true;
}

/// The line in the middle of those whose rounding steps where the product does.
std::optional<Line> certified_line(const Product& product) {
  const auto [low, high] = product.arguments;
  if (product.multiplier < 0 || product.levels.high - product.levels.low > 65535 || low > high) return std::nullopt;
  if (std::max(std::abs(static_cast<double>(low)), std::abs(static_cast<double>(high))) > 0x1p31) return std::nullopt;
  if (product.multiplier == 0 || product.at(low) == product.at(high)) {
    const Line flat{0, static_cast<float>(product.at(low))};
    return steps_alike(product, flat) ? std::optional(flat) : std::nullopt;
  }
  const double unit = std::ldexp(1, static_cast<int>(product.shift));
  const double exact = static_cast<double>(product.multiplier) / unit;
  for (const float slope : {static_cast<float>(exact), std::nextafter(static_cast<float>(exact), 0.0F),
                            std::nextafter(static_cast<float>(exact), INFINITY)}) {
    double least = -INFINITY, most = INFINITY;
    for (int64_t i = product.at(low) + 1; i <= product.at(high); ++i) {
      const auto step = static_cast<double>(product.reaches(i));
      const double edge = static_cast<double>(i) - 0.5;
      least = std::max(least, edge - static_cast<double>(slope) * step);
      most = std::min(most, edge - static_cast<double>(slope) * (step - 1));
    }
    const Line line{slope, static_cast<float>((least + most) / 2)};
    if (least < most && steps_alike(product, line)) return line;
  }
  return std::nullopt;
}

bool fits(int128 x, int bits) {
  const int128 limit = static_cast<int128>(1) << (bits - 1);
  return x >= -limit && x < limit;
}

Stage clip_stage(Interval levels) {
  Stage stage = no_stage();
  stage.fields.low = levels.low;
  stage.fields.high = levels.high;
  return stage;
}

/// The same integers with every shift 32 at least, where that keeps a product of 32 bits and sums below 2^62: the upper
/// word of the sum is then all that a shift begins with.
graph::Requantise in_upper_words(const graph::Requantise& op, const std::vector<Product>& products) {
  graph::Requantise result = op;
  for (size_t c = 0; c < op.shift.size(); ++c) {
    const int64_t up = std::max<int64_t>(32 - op.shift[c], 0);
    const auto holds = [&](const Product& p) {
      return fits(static_cast<int128>(p.wide(p.arguments.low)) << up, 63) &&
             fits(static_cast<int128>(p.wide(p.arguments.high)) << up, 63);
    };
    const bool all = op.shift.size() == 1 ? std::all_of(products.begin(), products.end(), holds) : holds(products[c]);
    if (!all || !fits(static_cast<int128>(op.multiplier[c]) << up, 32) ||
        !fits(static_cast<int128>(op.addend[c]) << up, 63))
      return op;
    result.multiplier[c] = op.multiplier[c] * (int64_t{1} << up);
    result.addend[c] = op.addend[c] * (int64_t{1} << up);
    result.shift[c] = op.shift[c] + up;
  }
  return result;
}

Stage requantised(const graph::Requantise& given, const Ranges& range, bool floats, Constants& constants) {
  graph::Requantise op = given;
  const size_t channels = op.multiplier.size();
  // Of no channel, nothing is computed.
  if (channels == 0) return clip_stage({op.low, op.high});
  std::vector<Product> products;
  for (size_t c = 0; c < std::max(channels, range.size()); ++c) {
    const size_t own = channels == 1 ? 0 : c;
    products.push_back({op.multiplier[own], op.addend[own], op.shift[own], {op.low, op.high}, range_at(range, c)});
  }
  Stage stage = clip_stage({op.low, op.high});
  stage.fields.channels = static_cast<int32_t>(channels);
  if (floats) {
    // One line for all channels must hold on each one's arguments: their hull.
    std::vector<Product> each = products;
    if (channels == 1) {
      for (const Product& product : products) {
        each[0].arguments.low = std::min(each[0].arguments.low, product.arguments.low);
        each[0].arguments.high = std::max(each[0].arguments.high, product.arguments.high);
      }
      each.resize(1);
    }
    std::vector<float> slopes, offsets;
    for (const Product& product : each) {
      const auto line = certified_line(product);
      if (!line) break;
      slopes.push_back(line->slope);
      offsets.push_back(line->offset);
    }
    if (slopes.size() == each.size()) {
      stage.fields.form = NIBBLE_STAGE_FLOAT;
      stage.fields.a = constants.field(padded<float>(slopes));
      stage.fields.b = constants.field(padded<float>(offsets));
      stage.form = "float";
      return stage;
    }
  }
  const bool narrow = std::all_of(products.begin(), products.end(), [](const Product& p) {
    const auto result_fits = [&](int64_t a) { return fits(p.wide(a), 63) && fits(p.wide(a) >> p.shift, 32); };
    return fits(p.multiplier, 32) && fits(p.arguments.low, 32) && fits(p.arguments.high, 32) &&
           result_fits(p.arguments.low) && result_fits(p.arguments.high);
  });
  const bool wide = std::any_of(products.begin(), products.end(), [](const Product& p) {
    return !fits(p.wide(p.arguments.low), 64) || !fits(p.wide(p.arguments.high), 64) ||
           !fits(static_cast<int128>(p.arguments.low) * p.multiplier, 64) ||
           !fits(static_cast<int128>(p.arguments.high) * p.multiplier, 64);
  });
  stage.fields.form = narrow && !wide ? NIBBLE_STAGE_PRODUCT32 : NIBBLE_STAGE_PRODUCT;
  if (narrow && !wide) op = in_upper_words(given, products);
  stage.fields.wide = wide;
  stage.fields.a = narrow && !wide ? constants.field(padded<int32_t>(op.multiplier))
                                   : constants.field(padded<int64_t>(op.multiplier));
  stage.fields.b = constants.field(padded<int64_t>(op.addend));
  stage.fields.d = constants.field(padded<uint8_t>(op.shift));
  stage.form = narrow && !wide ? "32-bit product" : wide ? "128-bit product" : "64-bit product";
  return stage;
}

Stage divided(const graph::FloorDivide& op, Constants& constants) {
  Stage stage = clip_stage({op.low, op.high});
  stage.fields.form = NIBBLE_STAGE_DIVIDE;
  stage.fields.channels = static_cast<int32_t>(op.multiplier.size());
  stage.fields.a = constants.field(padded<int64_t>(op.multiplier));
  stage.fields.b = constants.field(padded<int64_t>(op.addend));
  std::vector<int64_t> divisors = padded<int64_t>(op.divisor);
  std::replace(divisors.begin(), divisors.end(), int64_t{0}, int64_t{1});
  stage.fields.d = constants.field(divisors);
  stage.form = "division";
  return stage;
}

Stage thresholded(const graph::Threshold& op, const Tensor& thresholds, Constants& constants) {
  const auto rows = static_cast<size_t>(thresholds.shape()[0]);
  Stage stage = clip_stage(everything);
  stage.fields.form = NIBBLE_STAGE_THRESHOLDS;
  stage.fields.channels = static_cast<int32_t>(rows);
  stage.fields.steps = static_cast<int32_t>(thresholds.shape()[1]);
  stage.fields.low = op.low;
  std::vector<int64_t> values = thresholds.to_integers();
  values.resize((rows + 15) / 16 * 16 * static_cast<size_t>(stage.fields.steps));
  stage.fields.a = constants.field(values);
  std::vector<uint8_t> falling(rows, 0);
  for (size_t i = 0; i < op.falling.size(); ++i) falling[i] = op.falling[i] != 0;
  stage.fields.d = constants.field(padded<uint8_t>(falling));
  stage.form = "thresholds";
  return stage;
}

Stage tabled(int form, int64_t first, const Tensor& table, Constants& constants) {
  Stage stage = clip_stage(everything);
  stage.fields.form = form;
  stage.fields.first = first;
  stage.fields.steps = static_cast<int32_t>(table.size());
  stage.fields.a = constants.field(table.to_integers());
  stage.form = "table";
  return stage;
}

Interval bounds_of(const graph::Op& op) {
  if (graph::holds_alternative<graph::Relu>(op)) return {0, INT64_MAX};
  const auto& clip = graph::get<graph::Clip>(op);
  return graph::integers_within(clip.low, clip.high);
}

bool clips(const graph::Op& op) {
  return graph::holds_alternative<graph::Relu>(op) || graph::holds_alternative<graph::Clip>(op);
}

}  // namespace

Stage no_stage() {
  Stage stage;
  stage.fields.channels = 1;
  stage.fields.low = everything.low;
  stage.fields.high = everything.high;
  return stage;
}

std::optional<Stage> stage_of(const graph::Graph& graph, const graph::Node& node, const Ranges& range, bool floats,
                              Constants& constants) {
  const auto second = [&] { return node.inputs.size() > 1 ? graph.constant(node.inputs[1]) : nullptr; };
  if (const auto* op = graph::get_if<graph::Requantise>(&node.op)) return requantised(*op, range, floats, constants);
  if (const auto* op = graph::get_if<graph::FloorDivide>(&node.op)) return divided(*op, constants);
  if (clips(node.op)) return clip_stage(bounds_of(node.op));
  const Tensor* table = second();
  if (table == nullptr) return std::nullopt;
  if (const auto* op = graph::get_if<graph::Threshold>(&node.op)) return thresholded(*op, *table, constants);
  if (const auto* op = graph::get_if<graph::Table>(&node.op))
    return tabled(NIBBLE_STAGE_TABLE, op->first, *table, constants);
  if (const auto* op = graph::get_if<graph::InterpolatedTable>(&node.op)) {
    Stage stage = tabled(NIBBLE_STAGE_INTERPOLATED, op->first, *table, constants);
    stage.fields.shift = static_cast<int32_t>(op->shift);
    stage.fields.fraction = static_cast<int32_t>(op->fraction);
    stage.fields.low = op->low;
    stage.fields.high = op->high;
    return stage;
  }
  return std::nullopt;
}

bool clip_further(Stage& stage, const graph::Op& op) {
  const int form = stage.fields.form;
  if (!clips(op) || form == NIBBLE_STAGE_THRESHOLDS || form == NIBBLE_STAGE_TABLE) return false;
  const Interval bounds = bounds_of(op);
  // min(max(x, low), high), after the stage's own: where the two do not meet, the later one decides.
  const auto clipped = [&](int64_t x) { return std::min(std::max(x, bounds.low), bounds.high); };
  stage.fields.low = clipped(stage.fields.low);
  stage.fields.high = clipped(stage.fields.high);
  return true;
}

std::optional<std::array<float, 3>> certified_sum(const IntegerSum& sum, Interval q, Interval r) {
  const int128 pairs = (static_cast<int128>(q.high) - q.low + 1) * (static_cast<int128>(r.high) - r.low + 1);
  if (pairs <= 0 || pairs > (1 << 17)) return std::nullopt;
  const double unit = std::ldexp(1, static_cast<int>(sum.shift));
  const auto fa = static_cast<float>(static_cast<double>(sum.a) / unit);
  const auto fb = static_cast<float>(static_cast<double>(sum.b) / unit);
  const auto level = [&](int64_t x, int64_t y) {
    const int128 wide = static_cast<int128>(x) * sum.a + static_cast<int128>(y) * sum.b + sum.c;
    return static_cast<int64_t>(std::clamp<int128>(wide >> sum.shift, sum.levels.low, sum.levels.high));
  };
  double least = -INFINITY, most = INFINITY;
  for (int64_t x = q.low; x <= q.high; ++x)
    for (int64_t y = r.low; y <= r.high; ++y) {
      const int64_t wanted = level(x, y);
      const double terms =
          static_cast<double>(fa) * static_cast<double>(x) + static_cast<double>(fb) * static_cast<double>(y);
      if (wanted > sum.levels.low) least = std::max(least, static_cast<double>(wanted) - 0.5 - terms);
      if (wanted < sum.levels.high) most = std::min(most, static_cast<double>(wanted) + 0.5 - terms);
    }
  if (!(least < most)) return std::nullopt;
  const double middle = std::isinf(least) ? most - 1 : std::isinf(most) ? least + 1 : (least + most) / 2;
  const std::array<float, 3> f{fa, fb, static_cast<float>(middle)};
  for (int64_t x = q.low; x <= q.high; ++x)
    for (int64_t y = r.low; y <= r.high; ++y) {
      const double value =
          std::rint(std::fmaf(static_cast<float>(x), f[0], std::fmaf(static_cast<float>(y), f[1], f[2])));
      if (!(std::abs(value) < largest_float_result)) return std::nullopt;
      if (std::clamp(value, static_cast<double>(sum.levels.low), static_cast<double>(sum.levels.high)) !=
          static_cast<double>(level(x, y)))
        return std::nullopt;
    }
  return f;
}

}  // namespace nibble::lower
