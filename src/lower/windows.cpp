#include <algorithm>

#include "base/error.hpp"
#include "graph/windows.hpp"
#include "lower/lowering.hpp"
#include "lower/windowed.hpp"

namespace nibble::lower {
namespace {

using graph::Node;
using graph::ValueId;

/// Room whose channels lie side by side, copied to where the result is to stand once it is written.
class Target {
 public:
  Target(Lowering& lowering, const Node& node, ValueId result)
      : lowering_(lowering),
        node_(node),
        result_(result),
        y_(lowering.fresh(result, channels_last(lowering.shape(result).size()))) {
    to_ = has_channels_last(y_) ? y_ : lowering.temporary(y_.extents, y_.type, channels_last(y_.rank()));
  }
  const View& view() const { return to_; }
  template <class Parameters>
  void add(int kind, const Parameters& p, const View& x, int64_t operations, const std::string& form) {
    const bool direct = to_.buffer == y_.buffer;
    lowering_.add(kind, p, node_, {x}, to_, direct ? std::vector<ValueId>{result_} : std::vector<ValueId>{}, operations,
                  form);
    if (!direct) lowering_.copy(node_, to_, y_, {result_});
  }

 private:
  Lowering& lowering_;
  const Node& node_;
  ValueId result_;
  View y_, to_;
};

template <class Pool>
void lower_windows(Lowering& lowering, const Node& node, const Pool& op, int kernel_op, int64_t zero_point) {
  if (op.kernel.size() > 3) lowering.refuse(node, std::to_string(op.kernel.size()) + " spatial axes", "at most 3");
  const View x = lowering.with_channels_last(node, lowering.view(node.inputs[0]));
  const Chain chain = kernel_op == 1 ? lowering.absorb(node.outputs[0], 1) : Chain{node.outputs[0], no_stage()};
  Target target(lowering, node, chain.result);
  nibble_pool p{};
  p.op = kernel_op;
  p.x_type = x.type;
  p.y_type = target.view().type;
  p.batch = static_cast<int32_t>(x.extents[0]);
  p.channels = static_cast<int32_t>(x.extents[1]);
  p.zero_point = zero_point;
  set_windows(p, op, op.kernel, x.extents, target.view().extents, op.ceil_mode);
  set_strides(p.x_stride, x);
  set_strides(p.y_stride, target.view());
  p.stage = chain.stage.fields;
  target.add(NIBBLE_KIND_POOL, p, x, 0, chain.stage.form);
}

void lower_transposed(Lowering& lowering, const Node& node, const graph::ConvTranspose& op) {
  const Tensor* w = lowering.graph.constant(node.inputs[1]);
  if (w == nullptr) lowering.refuse(node, "weights that are computed", "a constant");
  const graph::Ints kernel(w->shape().begin() + 2, w->shape().end());
  if (kernel.size() > 3) lowering.refuse(node, std::to_string(kernel.size()) + " spatial axes", "at most 3");
  const View x = lowering.with_channels_last(node, lowering.view(node.inputs[0]));
  const Interval sums = lowering.hull_of(node.outputs[0]);
  const Chain chain = lowering.absorb(node.outputs[0], 1);
  Target target(lowering, node, chain.result);
  const int64_t inputs = w->shape()[0], outputs = w->shape()[1], taps = element_count(kernel);
  nibble_conv_transpose p{};
  p.x_type = x.type;
  p.y_type = target.view().type;
  p.acc_type = sums.low >= INT32_MIN && sums.high <= INT32_MAX ? NIBBLE_I32 : NIBBLE_I64;
  p.w_bits = 8, p.w_step = 1;
  p.batch = static_cast<int32_t>(x.extents[0]);
  p.in_channels = static_cast<int32_t>(x.extents[1]);
  p.out_channels = static_cast<int32_t>(outputs * op.group);
  p.groups = static_cast<int32_t>(op.group);
  p.zero_point = op.zero_point;
  set_windows(p, op, kernel, x.extents, target.view().extents, false);
  set_strides(p.x_stride, x);
  set_strides(p.y_stride, target.view());
  // [in][out / groups][taps] to [in][taps][out / groups]
  const std::vector<int64_t> values = w->to_integers();
  std::vector<int64_t> weights;
  for (int64_t c = 0; c < inputs; ++c)
    for (int64_t t = 0; t < taps; ++t)
      for (int64_t o = 0; o < outputs; ++o)
        weights.push_back(values[static_cast<size_t>((c * outputs + o) * taps + t)]);
  const Interval range = graph::range_of_constant(*w);
  p.w_type = narrowest({std::min<int64_t>(range.low, -1), range.high});
  p.weights = lowering.constant_field(weights, p.w_type);
  if (node.inputs.size() > 2 && node.inputs[2] != graph::absent) {
    const Tensor* bias = lowering.graph.constant(node.inputs[2]);
    if (bias == nullptr) lowering.refuse(node, "a bias that is computed", "a constant");
    p.bias = lowering.constant_field(bias->to_integers(), p.acc_type);
  }
  p.stage = chain.stage.fields;
  target.add(NIBBLE_KIND_CONV_TRANSPOSE, p, x, x.count() * outputs * taps, chain.stage.form);
}

/// Where along the result's axes the kept axes stand, and what a stage's channel is among them.
struct Reduction {
  std::vector<size_t> kept, reduced;
  int64_t channel = -1;  ///< of x
};

Reduction reduction_of(const Shape& x, const graph::Ints& axes, bool keep_dims) {
  const graph::Ints all = graph::normalised_axes(axes, x.size(), true);
  Reduction r;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool gone = std::binary_search(all.begin(), all.end(), static_cast<int64_t>(i));
    (gone ? r.reduced : r.kept).push_back(i);
  }
  if (keep_dims)
    r.channel = std::count(r.kept.begin(), r.kept.end(), size_t{1}) != 0 ? 1 : -1;
  else
    r.channel = r.kept.size() > 1 ? static_cast<int64_t>(r.kept[1]) : -1;
  return r;
}

/// Which reduction: a sum, a maximum, the first or last index of one.
struct Reducing {
  int op = 0;
  graph::Ints axes;
  bool keep_dims = true;
  int64_t zero_point = 0;
};

std::optional<Reducing> reducing_of(const Node& node) {
  if (const auto* sum = graph::get_if<graph::ReduceSum>(&node.op))
    return Reducing{0, sum->axes, sum->keep_dims, sum->zero_point};
  if (const auto* max = graph::get_if<graph::ReduceMax>(&node.op)) return Reducing{1, max->axes, max->keep_dims, 0};
  if (const auto* place = graph::get_if<graph::ArgMax>(&node.op))
    return Reducing{place->last ? 3 : 2, {place->axis}, place->keep_dims, 0};
  return std::nullopt;
}

void add_reduction(Lowering& lowering, const Node& node, const View& x, const View& y, const Chain* chain) {
  const Reducing what = *reducing_of(node);
  const Reduction r = reduction_of(x.extents, what.axes, what.keep_dims);
  if (r.kept.size() > NIBBLE_MAX_RANK || r.reduced.size() > NIBBLE_MAX_RANK)
    lowering.refuse(node, "more than six axes", "fewer");
  nibble_reduce p{};
  p.op = what.op;
  p.x_type = x.type;
  p.y_type = y.type;
  p.zero_point = what.zero_point;
  p.channel_axis = -1;
  for (size_t axis : r.kept) {
    const size_t to = what.keep_dims ? axis : static_cast<size_t>(p.rank);
    if (static_cast<int64_t>(axis) == r.channel) p.channel_axis = p.rank;
    p.extent[p.rank] = static_cast<int32_t>(x.extents[axis]);
    p.x_stride[p.rank] = x.strides[axis];
    p.y_stride[p.rank++] = y.strides[to];
  }
  for (size_t axis : r.reduced) {
    p.reduced[p.reduced_rank] = static_cast<int32_t>(x.extents[axis]);
    p.reduced_stride[p.reduced_rank++] = x.strides[axis];
  }
  p.stage = chain == nullptr ? no_stage().fields : chain->stage.fields;
  lowering.add(NIBBLE_KIND_REDUCE, p, node, {x}, y,
               chain == nullptr ? std::vector<ValueId>{} : std::vector{chain->result}, 0,
               chain == nullptr ? "" : chain->stage.form);
}

}  // namespace

bool lower_pool(Lowering& lowering, const Node& node) {
  if (const auto* max = graph::get_if<graph::MaxPool>(&node.op))
    lower_windows(lowering, node, *max, 0, 0);
  else if (const auto* sum = graph::get_if<graph::SumPool>(&node.op))
    lower_windows(lowering, node, *sum, 1, sum->zero_point);
  else if (const auto* conv = graph::get_if<graph::ConvTranspose>(&node.op))
    lower_transposed(lowering, node, *conv);
  else
    return false;
  return true;
}

bool lower_reduction(Lowering& lowering, const Node& node) {
  const auto what = reducing_of(node);
  if (!what) return false;
  const bool sum = what->op == 0 && !lowering.real(node.outputs[0]);
  const Chain chain = sum ? lowering.absorb(node.outputs[0], 1) : Chain{node.outputs[0], no_stage()};
  const View x = lowering.view(node.inputs[0]);
  const View y = lowering.fresh(chain.result, in_order(lowering.shape(chain.result).size()));
  add_reduction(lowering, node, x, y, &chain);
  return true;
}

void add_sum(Lowering& lowering, const Node& node, const View& x, const View& y) {
  add_reduction(lowering, node, x, y, nullptr);
}

}  // namespace nibble::lower
