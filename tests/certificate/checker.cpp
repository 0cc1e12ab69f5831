#include <algorithm>
#include <atomic>
#include <boost/multiprecision/cpp_int.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>

#include "onnx_file.hpp"

/// Checks an integer network against the fake-quantised one that it was made from, from their two files alone:
///
///     certificate_checker FQ.onnx ID.onnx
///
/// The weights' integers are computed again from the reals; for every channel of every requantisation the real function
/// clip(round(kappa a + lambda) + zero point) is derived in rational arithmetic from the fake network's scales, biases
/// and batch-norms, the accumulator's interval from the integer weights and the inputs' levels, and both functions are
/// evaluated on every integer of the interval. Exit code 0: no difference; 1: differences; 2: something it cannot
/// check. It includes nothing of Nibble.
namespace certificate {
namespace {

namespace mp = boost::multiprecision;
using Big = mp::cpp_int;
using Ratio = mp::cpp_rational;
__extension__ using int128 = __int128;

Ratio exact(double x) {
  int exponent = 0;
  const Big mantissa = static_cast<int64_t>(std::ldexp(std::frexp(x, &exponent), 53));
  const Big two = Big(1) << static_cast<unsigned>(std::abs(exponent - 53));
  return exponent >= 53 ? Ratio(mantissa * two) : Ratio(mantissa, two);
}

Big floor_of(const Ratio& x) {
  const Big n = mp::numerator(x), d = mp::denominator(x);
  Big q = n / d;
  if (n < 0 && q * d != n) --q;
  return q;
}

enum class Rounding { Floor, HalfUp, HalfEven };

Big rounded(const Ratio& x, Rounding rounding) {
  if (rounding == Rounding::Floor) return floor_of(x);
  const Ratio shifted = x + Ratio(1, 2);
  const Big up = floor_of(shifted);
  return rounding == Rounding::HalfEven && Ratio(up) == shifted && up % 2 != 0 ? Big(up - 1) : up;
}

struct Range {
  int64_t low = 0, high = 0;
};

struct Quantiser {
  std::string input, output, name;
  std::vector<double> scale;
  int64_t axis = -1, zero = 0;
  Range levels;
  Rounding rounding = Rounding::HalfUp;
};

Rounding rounding_of(const std::string& name) {
  if (name == "floor") return Rounding::Floor;
  if (name == "half_even") return Rounding::HalfEven;
  if (name == "half_up") return Rounding::HalfUp;
  throw std::runtime_error("rounding '" + name + "'");
}

template <class T>
const T& at(const std::vector<T>& values, size_t channel) {
  return values[values.size() == 1 ? 0 : channel];
}

[[noreturn]] void unknown(const Node& node, const std::string& why) {
  throw std::runtime_error("node '" + node.name + "' (" + node.op + ") " + why);
}

/// The quantiser that a node is: our own, or the standard's pair, named by its second half.
std::optional<Quantiser> quantiser_of(const Model& model, const Node* node) {
  if (!node) return std::nullopt;
  Quantiser result;
  result.name = node->name;
  result.output = node->outputs[0];
  if (node->op == "Quantise") {
    result.input = node->inputs[0];
    result.scale = node->attributes.at("scale").tensor.reals;
    result.axis = node->integer("axis", -1);
    result.zero = node->integer("zero_point", 0);
    result.levels = {node->integer("low", 0), node->integer("high", 0)};
    result.rounding = rounding_of(node->attributes.at("rounding").text);
    return result;
  }
  if (node->op != "DequantizeLinear") return std::nullopt;
  const Node* first = model.writer(node->inputs[0]);
  if (!first || first->op != "QuantizeLinear") unknown(*node, "without a QuantizeLinear before it");
  const Tensor* points = model.constant(first->inputs.at(2));
  result.name = first->name;
  result.input = first->inputs[0];
  result.scale = model.constant(first->inputs[1])->reals;
  result.axis = result.scale.size() == 1 ? -1 : first->integer("axis", 1);
  result.zero = points->integers.at(0);
  result.levels = points->type == 3 ? Range{-128, 127} : Range{0, 255};
  result.rounding = Rounding::HalfEven;
  return result;
}

int64_t level(const Quantiser& q, const Ratio& real, size_t channel = 0) {
  const Big nearest = rounded(real / exact(at(q.scale, channel)), q.rounding) + q.zero;
  if (nearest < q.levels.low) return q.levels.low;
  if (nearest > q.levels.high) return q.levels.high;
  return static_cast<int64_t>(nearest);
}

bool is_movement(const std::string& op) {
  static const char* const names[] = {"MaxPool",   "Flatten", "Reshape", "Transpose", "Squeeze",
                                      "Unsqueeze", "Slice",   "Split",   "Gather",    "Identity",
                                      "Dropout",   "Resize",  "Pad",     "ReduceMax"};
  return std::any_of(std::begin(names), std::end(names), [&](const char* name) { return op == name; });
}

/// Bounds of a Relu or Clip.
struct Clip {
  std::optional<Ratio> low, high;
};

std::optional<Clip> clip_of(const Model& model, const Node& node) {
  if (node.op == "Relu") return Clip{Ratio(0), std::nullopt};
  if (node.op != "Clip") return std::nullopt;
  Clip clip;
  const auto bound = [&](size_t slot, const char* name) -> std::optional<Ratio> {
    const Tensor* tensor = slot < node.inputs.size() ? model.constant(node.inputs[slot]) : nullptr;
    if (!tensor && node.attributes.contains(name)) tensor = &node.attributes.at(name).tensor;
    if (!tensor || std::isinf(tensor->reals.at(0))) return std::nullopt;
    return exact(tensor->reals[0]);
  };
  clip.low = bound(1, "low");
  clip.high = bound(2, "high");
  return clip;
}

/// Integers on one scale: what a value of the fake network is.
struct OnGrid {
  double scale = 1;
  int64_t zero = 0;
  Range range;
};

/// Levels of a quantiser that the clips before it leave.
Range reach_of(const Model& model, const Quantiser& q) {
  Range range = q.levels;
  const Node* node = model.writer(q.input);
  while (node) {
    const auto clip = clip_of(model, *node);
    if (!clip) break;
    if (clip->low) range.low = std::max(range.low, level(q, *clip->low));
    if (clip->high) range.high = std::min(range.high, level(q, *clip->high));
    node = model.writer(node->inputs[0]);
  }
  return range;
}

std::optional<OnGrid> grid_of(const Model& model, const std::string& value) {
  const Node* node = model.writer(value);
  if (!node) return std::nullopt;
  if (const auto q = quantiser_of(model, node)) {
    if (q->scale.size() != 1 || model.constant(q->input)) return std::nullopt;
    return OnGrid{q->scale[0], q->zero, reach_of(model, *q)};
  }
  if (node->op == "Concat") {
    std::optional<OnGrid> all;
    for (const std::string& input : node->inputs) {
      const auto each = grid_of(model, input);
      if (!each) return std::nullopt;
      if (!all) all = each;
      if (each->scale != all->scale || each->zero != all->zero) unknown(*node, "joins values of two grids");
      all->range = {std::min(all->range.low, each->range.low), std::max(all->range.high, each->range.high)};
    }
    return all;
  }
  if (!is_movement(node->op)) return std::nullopt;
  auto grid = grid_of(model, node->inputs[0]);
  if (grid && node->op == "Pad")
    grid->range = {std::min(grid->range.low, grid->zero), std::max(grid->range.high, grid->zero)};
  return grid;
}

OnGrid need_grid(const Model& model, const Node& node, size_t slot) {
  const auto grid = grid_of(model, node.inputs.at(slot));
  if (!grid) unknown(node, "reads '" + node.inputs[slot] + "', which is on no grid");
  return *grid;
}

// ---- weights --------------------------------------------------------------------------------------------------------

/// Integers of a constant on its grid, each rounded exactly.
std::vector<int64_t> integers_of(const Tensor& reals, const Quantiser& q) {
  size_t inner = 1;
  for (size_t axis = static_cast<size_t>(q.axis + 1); q.axis >= 0 && axis < reals.shape.size(); ++axis)
    inner *= static_cast<size_t>(reals.shape[axis]);
  std::vector<int64_t> result;
  for (size_t i = 0; i < reals.reals.size(); ++i) {
    const size_t channel = q.axis < 0 ? 0 : i / inner % q.scale.size();
    const double u = reals.reals[i] / at(q.scale, channel), part = u - std::floor(u);
    const bool clear = std::abs(u) < 1e6 && std::abs(part - 0.5) > 1e-6 && part > 1e-6 && part < 1 - 1e-6;
    if (!clear) {
      result.push_back(level(q, exact(reals.reals[i]), channel));
      continue;
    }
    const auto whole = static_cast<int64_t>(std::floor(u)) + (q.rounding != Rounding::Floor && part > 0.5);
    result.push_back(std::clamp(whole + q.zero, q.levels.low, q.levels.high));
  }
  return result;
}

/// What an accumulator stands for, channel by channel: real = scale * a + shift, for a in range.
struct Source {
  const Node* node = nullptr;  ///< nullptr: the value itself is on a grid
  std::string value;
  std::vector<Ratio> scale, shift{Ratio(0)};
  std::vector<Range> range;
  std::vector<OnGrid> operands;  ///< of an Add or Sub of two grids
};

class Checker {
 public:
  Checker(const Model& fake, const Model& integer) : fake_(fake), integer_(integer) {}

  int run() {
    for (const Node& node : fake_.nodes)
      if (is_linear(node) && quantiser_of(fake_, fake_.writer(node.inputs.at(1)))) source_of_linear(node, true);
    for (const Node& node : fake_.nodes) {
      const auto q = quantiser_of(fake_, &node);
      if (!q || fake_.constant(q->input)) continue;
      if (std::find(fake_.inputs.begin(), fake_.inputs.end(), q->input) != fake_.inputs.end()) continue;
      check(*q);
    }
    std::printf("%lld weights computed again, %lld differ\n", count(weights_), count(weights_differing_));
    std::printf("%lld requantisations, %lld channels, %lld accumulator values: %lld differ, by %lld at most\n",
                count(nodes_), count(channels_), count(values_), count(differing_), count(worst_));
    std::printf("%lld tables not gone through\n", count(tables_));
    return unchecked_ ? 2 : weights_differing_ || differing_ ? 1 : 0;
  }

 private:
  static long long count(int64_t value) { return value; }

  static bool is_linear(const Node& node) { return node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul"; }

  /// The integer network's weights, after their comparison with those that the fake network's reals give.
  std::vector<int64_t> weights_of(const Node& node, const Node& made, bool counted) {
    const auto q = quantiser_of(fake_, fake_.writer(node.inputs.at(1)));
    const Tensor* reals = q ? fake_.constant(q->input) : nullptr;
    const Tensor* found = integer_.constant(made.inputs.at(1));
    if (!reals || !found) unknown(node, "has weights that are computed");
    std::vector<int64_t> integers = integers_of(*reals, *q);
    for (int64_t& each : integers) each -= q->zero;
    if (!counted) return integers;
    int64_t differing = 0;
    for (size_t i = 0; i < integers.size(); ++i)
      differing += i >= found->integers.size() || found->integers[i] != integers[i];
    if (differing) std::printf("node '%s': %lld weights differ\n", node.name.c_str(), count(differing));
    weights_ += static_cast<int64_t>(integers.size());
    weights_differing_ += differing;
    return integers;
  }

  Source source_of_linear(const Node& node, bool counted) {
    const Node* made = integer_.node(node.name);
    if (!made) unknown(node, "is not in the integer network");
    const auto weights = quantiser_of(fake_, fake_.writer(node.inputs.at(1)));
    const OnGrid x = need_grid(fake_, node, 0);
    const std::vector<int64_t> w = weights_of(node, *made, counted);
    compare_attributes(node, *made, x.zero);
    const std::vector<int64_t>& shape = fake_.constant(weights->input)->shape;
    const bool rows = node.op == "Conv" || (node.op == "Gemm" && node.integer("transB", 0) == 1);
    const auto outputs = static_cast<size_t>(rows ? shape.front() : shape.back());
    const size_t depth = w.size() / outputs;
    int64_t low = x.range.low - x.zero, high = x.range.high - x.zero;
    const auto pads = node.integers("pads");
    if (std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p != 0; }))
      low = std::min<int64_t>(low, 0), high = std::max<int64_t>(high, 0);
    Source source{&node, node.outputs[0], {}, {}, {}, {}};
    for (size_t o = 0; o < outputs; ++o) {
      Range sum;
      for (size_t k = 0; k < depth; ++k) {
        const int64_t each = rows ? w[o * depth + k] : w[k * outputs + o];
        sum.low += each * (each < 0 ? high : low), sum.high += each * (each < 0 ? low : high);
      }
      source.range.push_back(sum);
      source.scale.push_back(exact(at(weights->scale, o)) * exact(x.scale));
    }
    add_bias(node, *made, source, counted);
    return source;
  }

  void compare_attributes(const Node& node, const Node& made, int64_t zero) {
    for (const char* name : {"strides", "pads", "dilations"})
      if (node.op == "Conv" && node.integers(name) != made.integers(name)) unknown(node, "has other windows");
    if (node.op == "Conv" && node.integer("group", 1) != made.integer("group", 1)) unknown(node, "has other groups");
    const Tensor* point =
        made.op.ends_with("Integer") && made.inputs.size() > 2 ? integer_.constant(made.inputs[2]) : nullptr;
    const int64_t taken = point                                    ? point->integers.at(0)
                          : made.attributes.contains("zero_point") ? made.integer("zero_point", 0)
                                                                   : made.integer("zero_point_a", 0);
    if (taken != zero) unknown(node, "takes off zero point " + std::to_string(taken) + ", not " + std::to_string(zero));
  }

  /// A bias is in the integer network's sum, or in lambda.
  void add_bias(const Node& node, const Node& made, Source& source, bool counted) {
    if (node.inputs.size() < 3 || node.inputs[2].empty()) return source.shift.assign(1, Ratio(0));
    const auto q = quantiser_of(fake_, fake_.writer(node.inputs[2]));
    const Tensor* reals = fake_.constant(q ? q->input : node.inputs[2]);
    if (!reals) unknown(node, "has a bias that is computed");
    const bool integer = !made.op.ends_with("Integer") && made.inputs.size() > 2 && !made.inputs[2].empty();
    if (integer) {
      const Tensor* held = integer_.constant(made.inputs[2]);
      for (size_t o = 0; o < source.range.size(); ++o) {
        const int64_t b = held->integers.at(held->integers.size() == 1 ? 0 : o);
        const Ratio real = exact(reals->reals.at(reals->reals.size() == 1 ? 0 : o));
        const Big wanted = q ? Big(level(*q, real, o)) : rounded(real / source.scale[o], Rounding::HalfUp);
        if (counted && Big(b) != wanted) ++weights_differing_, std::printf("node '%s': bias\n", node.name.c_str());
        source.range[o].low += b, source.range[o].high += b;
      }
      return source.shift.assign(1, Ratio(0));
    }
    source.shift.clear();
    for (size_t o = 0; o < reals->reals.size(); ++o) {
      const Ratio real = exact(reals->reals[o]);
      source.shift.push_back(q ? Ratio(level(*q, real, o) - q->zero) * exact(at(q->scale, o)) : real);
    }
  }

  // ---- the real function --------------------------------------------------------------------------------------------

  /// y = clip(round(kappa a + lambda) + zero, levels) for one channel.
  struct Step {
    Ratio kappa, lambda;
    Rounding rounding = Rounding::HalfUp;
    int64_t zero = 0;
    Range levels;
  };

  int64_t extent_product(const Node& node, const std::vector<int64_t>& axes, const std::vector<int64_t>& shape) {
    int64_t product = 1;
    for (int64_t axis : axes) product *= shape.at(static_cast<size_t>(axis < 0 ? axis + std::ssize(shape) : axis));
    if (product <= 0) unknown(node, "takes a mean over an extent that is not known");
    return product;
  }

  /// How many elements of x lie in each window of a pool, along the spatial axes of y in order.
  std::vector<int64_t> window_counts(const Node& node) {
    const std::vector<int64_t>&x = fake_.shapes.at(node.inputs[0]), &y = fake_.shapes.at(node.outputs[0]);
    const std::vector<int64_t> kernel = node.integers("kernel_shape");
    const size_t axes = kernel.size();
    const auto of = [&](const char* name, size_t i, int64_t otherwise) {
      const std::vector<int64_t> values = node.integers(name);
      return values.empty() ? otherwise : values.at(i);
    };
    const bool pads_count = node.integer("count_include_pad", 0) != 0;
    std::vector<int64_t> counts{1};
    for (size_t axis = 0; axis < axes; ++axis) {
      const int64_t extent = x.at(axis + 2), begin = of("pads", axis, 0), end = of("pads", axes + axis, 0);
      if (extent <= 0 || y.at(axis + 2) <= 0) unknown(node, "takes means over an extent that is not known");
      std::vector<int64_t> longer;
      for (int64_t count : counts)
        for (int64_t at = 0; at < y[axis + 2]; ++at) {
          int64_t inside = 0;
          for (int64_t k = 0; k < kernel[axis]; ++k) {
            const int64_t position = at * of("strides", axis, 1) + k * of("dilations", axis, 1) - begin;
            inside += pads_count ? position < extent + end : position >= 0 && position < extent;
          }
          longer.push_back(count * inside);
        }
      counts = std::move(longer);
    }
    return counts;
  }

  /// A mean over windows of several sizes: the integer network multiplies each sum by `all` / (its count).
  Source source_of_pool(const Node& node) {
    const OnGrid x = need_grid(fake_, node, 0);
    const std::vector<int64_t> counts = window_counts(node);
    int64_t all = 1;
    for (int64_t count : counts) all = boost::integer::lcm(all, count);
    const Node* made = integer_.node(node.name);
    if (!made) unknown(node, "is not in the integer network");
    if (std::any_of(counts.begin(), counts.end(), [&](int64_t count) { return count != all; })) {
      const auto levels = [&](const Node& each) { return each.op == "Mul" && each.inputs[0] == made->outputs[0]; };
      const auto found = std::find_if(integer_.nodes.begin(), integer_.nodes.end(), levels);
      const Tensor* factors = found == integer_.nodes.end() ? nullptr : integer_.constant(found->inputs[1]);
      if (!factors || factors->integers.size() != counts.size()) unknown(node, "has no factor for each window");
      for (size_t i = 0; i < counts.size(); ++i)
        if (factors->integers[i] * counts[i] != all) unknown(node, "has a factor that is not the inverse of its count");
      made = &*found;
    }
    const int64_t low = std::min<int64_t>(x.range.low - x.zero, 0), high = std::max<int64_t>(x.range.high - x.zero, 0);
    return {made, node.outputs[0], {exact(x.scale) / all}, {Ratio(0)}, {{low * all, high * all}}, {}};
  }

  Source source_of_mean(const Node& node) {
    if (node.op == "AveragePool") return source_of_pool(node);
    const OnGrid x = need_grid(fake_, node, 0);
    const std::vector<int64_t>& shape = fake_.shapes.at(node.inputs[0]);
    std::vector<int64_t> axes = node.integers("axes");
    if (node.op == "ReduceMean" && node.inputs.size() > 1) axes = fake_.constant(node.inputs[1])->integers;
    if (axes.empty())
      for (int64_t axis = node.op == "ReduceMean" ? 0 : 2; axis < std::ssize(shape); ++axis) axes.push_back(axis);
    const int64_t count = extent_product(node, axes, shape);
    const int64_t low = std::min<int64_t>(x.range.low - x.zero, 0), high = std::max<int64_t>(x.range.high - x.zero, 0);
    return {&node, node.outputs[0], {exact(x.scale) / count}, {Ratio(0)}, {{low * count, high * count}}, {}};
  }

  Source source_of_pair(const Node& node) {
    const OnGrid a = need_grid(fake_, node, 0), b = need_grid(fake_, node, 1);
    if (node.op == "Mul") {
      const int64_t al = a.range.low - a.zero, ah = a.range.high - a.zero;
      const int64_t bl = b.range.low - b.zero, bh = b.range.high - b.zero;
      const auto [low, high] = std::minmax({al * bl, al * bh, ah * bl, ah * bh});
      return {&node, node.outputs[0], {exact(a.scale) * exact(b.scale)}, {Ratio(0)}, {{low, high}}, {}};
    }
    if (node.op == "Sub") {
      if (a.scale != b.scale || a.zero != b.zero) return {&node, node.outputs[0], {}, {}, {}, {a, b}};
      const Range range{a.range.low - b.range.high, a.range.high - b.range.low};
      return {&node, node.outputs[0], {exact(a.scale)}, {Ratio(0)}, {range}, {}};
    }
    return source_of_sum(node);
  }

  Source source_of_sum(const Node& node) {
    std::vector<OnGrid> all;
    int64_t zero = 0;
    Range range;
    bool alike = true;
    for (size_t slot = 0; slot < node.inputs.size(); ++slot) {
      all.push_back(need_grid(fake_, node, slot));
      alike = alike && all.back().scale == all[0].scale && all.back().zero == all[0].zero;
      zero += all.back().zero;
      range = {range.low + all.back().range.low, range.high + all.back().range.high};
    }
    if (!alike && all.size() > 2) unknown(node, "adds more than two values on grids of their own");
    if (!alike) return {&node, node.outputs[0], {}, {}, {}, all};
    return {&node, node.outputs[0], {exact(all[0].scale)}, {-exact(all[0].scale) * zero}, {range}, {}};
  }

  /// gain and shift of an affine node on one activation; nothing for any other node.
  struct Affine {
    std::vector<Ratio> gain, shift;
    std::string x;
  };
  std::optional<Affine> affine_of(const Node& node) {
    if (node.op == "Neg") return Affine{{Ratio(-1)}, {Ratio(0)}, node.inputs[0]};
    if (node.op == "BatchNormalization") return batch_norm(node);
    if (node.op != "Add" && node.op != "Sub" && node.op != "Mul" && node.op != "Div") return std::nullopt;
    if (node.inputs.size() != 2) return std::nullopt;
    const Tensor* left = fake_.constant(node.inputs[0]);
    const Tensor* right = fake_.constant(node.inputs[1]);
    if (!left && !right) return std::nullopt;
    Affine affine{{}, {}, node.inputs[left ? 1 : 0]};
    for (double each : (left ? left : right)->reals) {
      const Ratio c = exact(each);
      if (left && node.op == "Div") unknown(node, "divides a constant");
      affine.gain.push_back(node.op == "Mul" ? c : node.op == "Div" ? 1 / c : Ratio(node.op == "Sub" && left ? -1 : 1));
      affine.shift.push_back(node.op == "Add" || (node.op == "Sub" && left) ? c
                             : node.op == "Sub"                             ? Ratio(-c)
                                                                            : Ratio(0));
    }
    return affine;
  }

  /// 1/sqrt to 2^-140: nothing but a tie in reals could see the difference, and roots of these numbers make none.
  Affine batch_norm(const Node& node) {
    const auto reals = [&](size_t slot) { return fake_.constant(node.inputs.at(slot))->reals; };
    const auto gamma = reals(1), beta = reals(2), mean = reals(3), variance = reals(4);
    // The attribute is a decimal number that float32 rounded.
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, node.attributes.at("epsilon").number).ptr;
    *end = 0;
    const double epsilon = std::strtod(text, nullptr);
    Affine affine{{}, {}, node.inputs[0]};
    for (size_t c = 0; c < gamma.size(); ++c) {
      const Ratio under = exact(variance[c]) + exact(epsilon);
      const Big root = mp::sqrt(Big((mp::numerator(under) << 400) / mp::denominator(under)));
      affine.gain.push_back(exact(gamma[c]) * Ratio(Big(1) << 200, root));
      affine.shift.push_back(exact(beta[c]) - exact(mean[c]) * affine.gain.back());
    }
    return affine;
  }

  /// The accumulator that a quantiser's input is a function of, the affine function and the clips after it.
  struct Chain {
    Source source;
    std::vector<Affine> affine;  ///< first to last
    std::vector<Clip> clips;
    bool function = false;  ///< a table: nothing to derive
  };
  Chain chain_to(const std::string& value) {
    Chain chain;
    std::string v = value;
    for (;;) {
      if (const auto grid = grid_of(fake_, v)) {
        chain.source = {nullptr, v, {exact(grid->scale)}, {-exact(grid->scale) * grid->zero}, {grid->range}, {}};
        return chain;
      }
      const Node* node = fake_.writer(v);
      if (!node) throw std::runtime_error("'" + v + "' is on no grid");
      if (const auto clip = clip_of(fake_, *node)) {
        if (!chain.affine.empty()) unknown(*node, "clips before an affine function");
        chain.clips.push_back(*clip);
        v = node->inputs[0];
      } else if (const auto affine = affine_of(*node)) {
        chain.affine.insert(chain.affine.begin(), *affine);
        v = affine->x;
      } else if (is_linear(*node)) {
        if (!quantiser_of(fake_, fake_.writer(node->inputs.at(1)))) unknown(*node, "is a product of two activations");
        chain.source = source_of_linear(*node, false);
        return chain;
      } else if (node->op == "AveragePool" || node->op == "GlobalAveragePool" || node->op == "ReduceMean") {
        chain.source = source_of_mean(*node);
        return chain;
      } else if (node->op == "Add" || node->op == "Sum" || node->op == "Sub" || node->op == "Mul") {
        chain.source = source_of_pair(*node);
        return chain;
      } else if (is_movement(node->op)) {
        v = node->inputs[0];
      } else {
        chain.function = true;
        return chain;
      }
    }
  }

  Step step_of(const Quantiser& q, const Chain& chain, size_t channel) {
    Ratio scale = at(chain.source.scale, channel), shift = at(chain.source.shift, channel);
    for (const Affine& affine : chain.affine) {
      scale *= at(affine.gain, channel);
      shift = shift * at(affine.gain, channel) + at(affine.shift, channel);
    }
    const Ratio unit = exact(q.scale[0]);
    return {scale / unit, shift / unit, q.rounding, q.zero, clipped(q, chain)};
  }

  static Range clipped(const Quantiser& q, const Chain& chain) {
    Range levels = q.levels;
    // Rounding rises, so the levels of the clip are the clip of the levels: the last clip first.
    for (const Clip& clip : chain.clips) {
      if (clip.low) levels.low = std::clamp(level(q, *clip.low), levels.low, levels.high);
      if (clip.high) levels.high = std::clamp(level(q, *clip.high), levels.low, levels.high);
    }
    return levels;
  }

  // ---- the integer function -----------------------------------------------------------------------------------------

  /// Nodes from the accumulator to the value, first to last.
  std::vector<const Node*> integer_chain(const std::string& value, const Source& source) {
    std::vector<const Node*> chain;
    std::string v = value;
    // A graph input holds the integers of its quantiser.
    const Node* quantiser = fake_.writer(source.value);
    const bool is_input =
        quantiser && !quantiser->inputs.empty() &&
        std::find(fake_.inputs.begin(), fake_.inputs.end(), quantiser->inputs[0]) != fake_.inputs.end();
    const std::string start = is_input && !source.node ? quantiser->inputs[0] : source.value;
    for (;;) {
      const Node* node = integer_.writer(v);
      if (source.node ? node && node->name == source.node->name : v == start || v == source.value) return chain;
      if (!node) throw std::runtime_error("the integer network makes '" + value + "' of '" + v + "'");
      chain.insert(chain.begin(), node);
      v = node->inputs[integer_.constant(node->inputs[0]) ? 1 : 0];
      if (chain.size() > 64) throw std::runtime_error("the integer network makes '" + value + "' of something else");
    }
  }

  int64_t constant_of(const Node& node, size_t channel) {
    const Tensor* tensor = integer_.constant(node.inputs.at(1));
    if (!tensor) tensor = integer_.constant(node.inputs.at(0));
    if (!tensor) unknown(node, "has two operands that are computed");
    return tensor->integers.at(tensor->integers.size() == 1 ? 0 : channel);
  }

  using Function = std::function<int64_t(int64_t)>;

  Function function_of(const Node& node, size_t channel) {
    if (node.op == "Requantise") {
      const auto one = [&](const char* name) { return at(node.integers(name), channel); };
      const int64_t m = one("multiplier"), b = one("addend"), d = one("shift");
      const int64_t low = node.integer("low", 0), high = node.integer("high", 0);
      return [=](int64_t a) {
        const int128 sum = static_cast<int128>(a) * m + b;
        return static_cast<int64_t>(std::clamp<int128>(sum >> d, low, high));
      };
    }
    if (node.op == "Threshold") return threshold_of(node, channel);
    if (node.op == "Clip") {
      const auto low = static_cast<int64_t>(node.attributes.at("low").tensor.reals.at(0));
      const auto high = static_cast<int64_t>(node.attributes.at("high").tensor.reals.at(0));
      return [=](int64_t a) { return std::clamp(a, low, high); };
    }
    if (is_movement(node.op)) return [](int64_t a) { return a; };
    const int64_t c = constant_of(node, channel);
    if (node.op == "Mul") return [=](int64_t a) { return a * c; };
    if (node.op == "Add") return [=](int64_t a) { return a + c; };
    unknown(node, "is no step of a requantisation that is known here");
  }

  Function threshold_of(const Node& node, size_t channel) {
    const Tensor* rows = integer_.constant(node.inputs.at(1));
    const auto count = static_cast<size_t>(rows->shape.at(1));
    const size_t row = rows->shape[0] == 1 ? 0 : channel;
    const std::vector<int64_t> falling = node.integers("falling");
    const bool down = !falling.empty() && at(falling, row) != 0;
    std::vector<int64_t> at_level(rows->integers.begin() + static_cast<std::ptrdiff_t>(row * count),
                                  rows->integers.begin() + static_cast<std::ptrdiff_t>((row + 1) * count));
    for (int64_t& each : at_level) each = down ? -each : each;
    std::sort(at_level.begin(), at_level.end());
    const int64_t low = node.integer("low", 0);
    return [=](int64_t a) {
      return low + (std::upper_bound(at_level.begin(), at_level.end(), down ? -a : a) - at_level.begin());
    };
  }

  /// An integer batch-norm puts gains and shifts on a grid: the nearest, and what follows is a function of their sum.
  void take_gains(const std::vector<const Node*>& nodes, size_t channel, const Quantiser& q, Step& step) {
    if (nodes.size() < 2 || nodes[0]->op != "Mul" || nodes[1]->op != "Add") return;
    const std::string& note = integer_.notes.at(nodes[1]->outputs[0]);
    const size_t scale = note.rfind("scale ");
    if (scale == std::string::npos) unknown(*nodes[1], "has no scale");
    const Ratio unit = exact(std::strtod(note.c_str() + scale + 6, nullptr)) / exact(q.scale[0]);
    const Ratio gain = constant_of(*nodes[0], channel), shift = constant_of(*nodes[1], channel);
    // The library divides doubles: a half may fall either way.
    const Ratio half = Ratio(1, 2) + Ratio(1, 1 << 20);
    const bool nearest =
        mp::abs(Ratio(step.kappa / unit - gain)) <= half && mp::abs(Ratio(step.lambda / unit - shift)) <= half;
    // A channel of one level has no gain: it must be what it is in reals.
    if (!nearest && gain == 0) return;
    if (!nearest)
      unknown(*nodes[0], "has a gain or shift that is not the nearest, in channel " + std::to_string(channel));
    step.kappa = gain * unit;
    step.lambda = shift * unit;
  }

  // ---- every accumulator --------------------------------------------------------------------------------------------

  struct Walked {
    int64_t differing = 0, worst = 0;
  };

  /// Goes up the interval with quotient and remainder of (2 kappa a + 2 lambda + 1)/2 over one denominator.
  static Walked walk(const Step& step, Range range, const Function& integer) {
    const Ratio start = step.kappa * range.low + step.lambda;
    Big denominator = 2 * boost::integer::lcm(mp::denominator(step.kappa), mp::denominator(start));
    const bool wide = mp::msb(denominator) > 120;
    if (wide) denominator = Big(1) << 120;  // of irrational gains: to 2^-120
    const auto over = [&](const Ratio& x) { return floor_of(x * Ratio(denominator)); };
    const Big half = step.rounding == Rounding::Floor ? Big(0) : Big(denominator / 2);
    const Big first = over(start) + half, by = over(step.kappa);
    const auto narrow = [](const Big& x) { return static_cast<int128>(x); };
    const auto split = [&](const Big& x) {
      const Big q = floor_of(Ratio(x, denominator));
      return std::pair<int64_t, int128>(static_cast<int64_t>(std::clamp<Big>(q, -(Big(1) << 60), Big(1) << 60)),
                                        narrow(Big(x - q * denominator)));
    };
    auto [quotient, rest] = split(first);
    const auto [up, more] = split(by);
    const int128 whole = narrow(denominator);
    Walked walked;
    for (int64_t a = range.low;; ++a) {
      const bool odd_tie = step.rounding == Rounding::HalfEven && rest == 0 && (quotient & 1) != 0;
      const int64_t y = std::clamp(quotient - odd_tie + step.zero, step.levels.low, step.levels.high);
      const int64_t distance = std::abs(y - integer(a));
      walked.differing += distance != 0;
      walked.worst = std::max(walked.worst, distance);
      if (a == range.high) return walked;
      quotient += up;
      rest += more;
      if (rest >= whole) rest -= whole, ++quotient;
    }
  }

  void check(const Quantiser& q) {
    try {
      const Chain chain = chain_to(q.input);
      if (chain.function) return void(++tables_);
      if (vanishes(q, chain)) return;
      ++nodes_;
      if (!chain.source.operands.empty()) return check_operands(q, chain);
      check_channels(q, chain);
    } catch (const std::exception& error) {
      std::printf("quantiser '%s': not checked: %s\n", q.name.c_str(), error.what());
      unchecked_ = true;
    }
  }

  /// A quantiser on the very grid of its input does nothing.
  bool vanishes(const Quantiser& q, const Chain& chain) const {
    if (chain.source.node || !chain.affine.empty()) return false;
    const OnGrid grid = *grid_of(fake_, chain.source.value);
    return grid.scale == q.scale[0] && grid.zero == q.zero && !integer_.writer(q.output) &&
           grid.range.low >= q.levels.low && grid.range.high <= q.levels.high;
  }

  void check_channels(const Quantiser& q, const Chain& chain) {
    const std::vector<const Node*> nodes = integer_chain(q.output, chain.source);
    size_t channels = std::max({chain.source.scale.size(), chain.source.shift.size(), chain.source.range.size()});
    for (const Affine& affine : chain.affine) channels = std::max(channels, affine.gain.size());
    for (const Node* node : nodes) channels = std::max(channels, node->integers("multiplier").size());
    std::vector<Walked> walked(channels);
    std::vector<std::string> errors(channels);
    const auto one = [&](size_t c) {
      try {
        Step step = step_of(q, chain, c);
        take_gains(nodes, c, q, step);
        std::vector<Function> functions;
        for (const Node* node : nodes) functions.push_back(function_of(*node, c));
        Function all = functions.size() == 1 ? functions[0] : Function([&](int64_t a) {
          for (const Function& each : functions) a = each(a);
          return a;
        });
        walked[c] = walk(step, at(chain.source.range, c), all);
      } catch (const std::exception& error) {
        errors[c] = error.what();
      }
    };
    std::atomic<size_t> next{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
      threads.emplace_back([&] {
        for (size_t c = next++; c < channels; c = next++) one(c);
      });
    for (std::thread& thread : threads) thread.join();
    for (const std::string& error : errors)
      if (!error.empty()) throw std::runtime_error(error);
    Walked total;
    for (size_t c = 0; c < channels; ++c) {
      const Range range = at(chain.source.range, c);
      values_ += range.high - range.low + 1;
      total.differing += walked[c].differing;
      total.worst = std::max(total.worst, walked[c].worst);
    }
    channels_ += static_cast<int64_t>(channels);
    add(q, total);
  }

  void add(const Quantiser& q, const Walked& total) {
    if (total.differing)
      std::printf("quantiser '%s': %lld accumulator values differ, by %lld at most\n", q.name.c_str(),
                  count(total.differing), count(total.worst));
    differing_ += total.differing;
    worst_ = std::max(worst_, total.worst);
  }

  /// A value of the integer network of two operands.
  int64_t evaluate(const std::string& value, const std::string& a, int64_t at_a, const std::string& b, int64_t at_b) {
    if (value == a) return at_a;
    if (value == b) return at_b;
    if (const Tensor* constant = integer_.constant(value)) return constant->integers.at(0);
    const Node* node = integer_.writer(value);
    if (!node) throw std::runtime_error("the integer network reads '" + value + "'");
    const bool two = node->inputs.size() == 2 && node->op != "Threshold";
    const int64_t left = evaluate(node->inputs[0], a, at_a, b, at_b);
    if (!two) return function_of(*node, 0)(left);
    const int64_t right = evaluate(node->inputs[1], a, at_a, b, at_b);
    if (node->op == "Add") return left + right;
    if (node->op == "Sub") return left - right;
    if (node->op == "Mul") return left * right;
    unknown(*node, "is no step of a sum that is known here");
  }

  /// Branches on two grids: every pair.
  void check_operands(const Quantiser& q, const Chain& chain) {
    const OnGrid &a = chain.source.operands[0], &b = chain.source.operands[1];
    if (!chain.affine.empty()) unknown(*chain.source.node, "has an affine function behind branches on two grids");
    const Range levels = clipped(q, chain);
    const int sign = chain.source.node->op == "Sub" ? -1 : 1;
    const Ratio unit = exact(q.scale[0]), ka = exact(a.scale) / unit, kb = sign * exact(b.scale) / unit;
    const std::string &va = chain.source.node->inputs[0], &vb = chain.source.node->inputs[1];
    Walked total;
    for (int64_t i = a.range.low; i <= a.range.high; ++i)
      for (int64_t j = b.range.low; j <= b.range.high; ++j) {
        const Big nearest = rounded(ka * (i - a.zero) + kb * (j - b.zero), q.rounding) + q.zero;
        const int64_t y = static_cast<int64_t>(std::clamp<Big>(nearest, levels.low, levels.high));
        const int64_t distance = std::abs(y - evaluate(q.output, va, i, vb, j));
        total.differing += distance != 0;
        total.worst = std::max(total.worst, distance);
        ++values_;
      }
    ++channels_;
    add(q, total);
  }

  const Model& fake_;
  const Model& integer_;
  int64_t weights_ = 0, weights_differing_ = 0, nodes_ = 0, channels_ = 0, values_ = 0, differing_ = 0, worst_ = 0;
  int64_t tables_ = 0;
  bool unchecked_ = false;
};

}  // namespace
}  // namespace certificate

int main(int count, char** arguments) {
  try {
    if (count != 3) throw std::runtime_error("usage: certificate_checker FQ.onnx ID.onnx");
    const certificate::Model fake = certificate::read_model(arguments[1]);
    const certificate::Model integer = certificate::read_model(arguments[2]);
    return certificate::Checker(fake, integer).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "certificate_checker: %s\n", error.what());
    return 2;
  }
}
