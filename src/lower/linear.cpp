#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/int128.hpp"
#include "lower/lowering.hpp"
#include "lower/pack.hpp"
#include "lower/windowed.hpp"

namespace nibble::lower {
namespace {

using graph::Conv;
using graph::ConvTranspose;
using graph::Gemm;
using graph::MatMul;
using graph::Node;
using graph::ValueId;

/// A linear op with constant weights, as a convolution.
struct Linear {
  nibble_conv p{};
  View x;
  std::vector<int64_t> bias;                                         ///< of the output channels; empty: none
  std::function<int64_t(int64_t o, int64_t tap, int64_t c)> weight;  ///< c within the group
  size_t rank = 2;                                                   ///< of the result
  int64_t taps() const { return static_cast<int64_t>(p.kernel[0]) * p.kernel[1] * p.kernel[2]; }
  int64_t per_group() const { return p.in_channels / p.groups; }
};

std::vector<int64_t> integers_of(const Lowering& lowering, const Node& node, size_t input) {
  if (node.inputs.size() <= input || node.inputs[input] == graph::absent) return {};
  const Tensor* constant = lowering.graph.constant(node.inputs[input]);
  if (constant == nullptr) lowering.refuse(node, "a bias that is computed", "a constant");
  return constant->to_integers();
}

const Tensor& weights_of(const Lowering& lowering, const Node& node) {
  const Tensor* w = lowering.graph.constant(node.inputs[1]);
  if (w == nullptr) lowering.refuse(node, "weights that are computed", "a constant");
  return *w;
}

Linear linear_of(Lowering& lowering, const Node& node, const Conv& op) {
  const Tensor& w = weights_of(lowering, node);
  const graph::Ints kernel(w.shape().begin() + 2, w.shape().end());
  if (kernel.size() > 3) lowering.refuse(node, std::to_string(kernel.size()) + " spatial axes", "at most 3");
  Linear l;
  l.x = lowering.with_channels_last(node, lowering.view(node.inputs[0]));
  l.rank = l.x.rank();
  l.bias = integers_of(lowering, node, 2);
  l.p.batch = static_cast<int32_t>(l.x.extents[0]);
  l.p.in_channels = static_cast<int32_t>(l.x.extents[1]);
  l.p.out_channels = static_cast<int32_t>(w.shape()[0]);
  l.p.groups = static_cast<int32_t>(op.group);
  l.p.zero_point = op.zero_point;
  set_windows(l.p, op, kernel, l.x.extents, lowering.shape(node.outputs[0]));
  set_strides(l.p.x_stride, l.x);
  const int64_t taps = l.taps(), per_group = l.per_group();
  l.weight = [values = w.to_integers(), taps, per_group](int64_t o, int64_t tap, int64_t c) {
    return values[static_cast<size_t>((o * per_group + c) * taps + tap)];
  };
  return l;
}

/// rows positions of `inner` channels each, `row` elements apart.
void set_rows(Linear& l, int64_t rows, int64_t inner, int64_t columns, int64_t row) {
  for (size_t k = 0; k < 3; ++k) l.p.in[k] = l.p.out[k] = l.p.kernel[k] = l.p.stride[k] = l.p.dilation[k] = 1;
  l.p.in[2] = l.p.out[2] = static_cast<int32_t>(rows);
  l.p.batch = l.p.groups = 1;
  l.p.in_channels = static_cast<int32_t>(inner);
  l.p.out_channels = static_cast<int32_t>(columns);
  l.p.x_stride[3] = row;
}

/// Where memory holds the k-th element, in row-major order, of a dense view.
std::vector<int64_t> memory_order(const View& view) {
  const int64_t count = view.count();
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) {
    int64_t rest = k, at = 0;
    for (size_t axis = view.rank(); axis-- > 0;) {
      at += rest % view.extents[axis] * view.strides[axis];
      rest /= view.extents[axis];
    }
    order[static_cast<size_t>(k)] = at;
  }
  return order;
}

/// a [.., inner] times the constant weights.
Linear fully_connected(Lowering& lowering, const Node& node, bool transpose_a, int64_t zero_point, int64_t inner,
                       int64_t columns, const std::function<int64_t(int64_t k, int64_t o)>& weight) {
  Linear l;
  const ValueId a = node.inputs[0];
  l.rank = lowering.shape(node.outputs[0]).size();
  l.p.zero_point = zero_point;
  if (const auto turned = lowering.turned.find(a); turned != lowering.turned.end()) {
    l.x = turned->second;
    set_rows(l, 1, inner, columns, inner);
    std::vector<int64_t> k_at(static_cast<size_t>(inner));
    const std::vector<int64_t> order = memory_order(l.x);
    for (int64_t k = 0; k < inner; ++k) k_at[static_cast<size_t>(order[static_cast<size_t>(k)])] = k;
    l.weight = [=](int64_t o, int64_t, int64_t c) { return weight(k_at[static_cast<size_t>(c)], o); };
    return l;
  }
  View x = lowering.view(a);
  if (transpose_a) {
    std::swap(x.extents[0], x.extents[1]);
    std::swap(x.strides[0], x.strides[1]);
  }
  const int64_t rows = inner == 0 ? 0 : x.count() / inner;
  auto flat = reshaped(x, {rows, inner});
  if (!flat || (flat->strides[1] != 1 && inner > 1)) flat = reshaped(lowering.plain(node, x), {rows, inner});
  ensure(flat.has_value(), "a plain view is a matrix");
  l.x = *flat;
  set_rows(l, rows, inner, columns, rows == 1 ? inner : flat->strides[0]);
  l.weight = [weight](int64_t o, int64_t, int64_t c) { return weight(c, o); };
  return l;
}

Linear linear_of(Lowering& lowering, const Node& node, const Gemm& op) {
  const Tensor& b = weights_of(lowering, node);
  const int64_t inner = b.shape()[op.transpose_b], columns = b.shape()[!op.transpose_b];
  Linear l = fully_connected(lowering, node, op.transpose_a, op.zero_point, inner, columns,
                             [values = b.to_integers(), op, inner, columns](int64_t k, int64_t o) {
                               return values[static_cast<size_t>(op.transpose_b ? o * inner + k : k * columns + o)];
                             });
  l.bias = integers_of(lowering, node, 2);
  if (l.bias.size() == 1) l.bias.assign(static_cast<size_t>(columns), l.bias[0]);
  return l;
}

Linear linear_of(Lowering& lowering, const Node& node, const MatMul& op) {
  const Tensor& b = weights_of(lowering, node);
  const int64_t inner = b.shape()[0], columns = b.shape()[1];
  return fully_connected(lowering, node, false, op.zero_point_a, inner, columns,
                         [values = b.to_integers(), op, columns](int64_t k, int64_t o) {
                           return values[static_cast<size_t>(k * columns + o)] - op.zero_point_b;
                         });
}

Linear linear_of(Lowering& lowering, const Node& node) {
  if (const auto* conv = graph::get_if<Conv>(&node.op)) return linear_of(lowering, node, *conv);
  if (const auto* gemm = graph::get_if<Gemm>(&node.op)) return linear_of(lowering, node, *gemm);
  return linear_of(lowering, node, graph::get<MatMul>(node.op));
}

bool depthwise(const nibble_conv& p) {
  return p.groups > 1 && p.groups == p.in_channels && p.groups == p.out_channels;
}

Matrix matrix_of(const Linear& l) {
  const nibble_conv& p = l.p;
  if (depthwise(p))
    return {p.out_channels, 1, l.taps(), [&](int64_t o, int64_t, int64_t tap) { return l.weight(o, tap, 0); }};
  return {p.out_channels, static_cast<int64_t>(p.kernel[0]) * p.kernel[1],
          static_cast<int64_t>(p.kernel[2]) * l.per_group(), [&](int64_t o, int64_t segment, int64_t at) {
            return l.weight(o, segment * l.p.kernel[2] + at / l.per_group(), at % l.per_group());
          }};
}

/// Every weight in PLAIN's order.
std::vector<int64_t> all_weights(const Linear& l) {
  std::vector<int64_t> values;
  for (int64_t o = 0; o < l.p.out_channels; ++o)
    for (int64_t tap = 0; tap < l.taps(); ++tap)
      for (int64_t c = 0; c < l.per_group(); ++c) values.push_back(l.weight(o, tap, c));
  return values;
}

Interval range_of(const std::vector<int64_t>& values) {
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high};
}

/// bias - zero_point * the sum of each output channel's weights. Modulo 2^32: the whole sum fits, and its terms may come
/// in any order.
std::vector<int32_t> folded_bias(const Linear& l, const std::vector<int64_t>& weights) {
  std::vector<int64_t> bias = l.bias;
  bias.resize(static_cast<size_t>(l.p.out_channels + 15) / 16 * 16);
  const auto per_row = static_cast<int64_t>(weights.size()) / std::max(l.p.out_channels, 1);
  for (int64_t o = 0; o < l.p.out_channels; ++o) {
    int64_t sum = 0;
    for (int64_t i = 0; i < per_row; ++i) sum += weights[static_cast<size_t>(o * per_row + i)];
    bias[static_cast<size_t>(o)] -= l.p.zero_point * sum;
  }
  std::vector<int32_t> result;
  for (int64_t b : bias) result.push_back(static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(b))));
  return result;
}

/// Weights in as few bits as their levels take, where asked; `row`: how many begin on a byte.
void set_weights(Lowering& lowering, nibble_conv& p, const std::vector<int8_t>& values, int64_t row) {
  const Packing packing = lowering.options.pack ? packing_of(values) : Packing{};
  p.w_type = NIBBLE_I8;
  p.w_bits = packing.bits;
  p.w_low = packing.low;
  p.w_step = packing.step;
  p.weights =
      packing.bits == 8 ? lowering.constants.field(values) : lowering.constants.field(packed(values, packing, row));
}

/// [out_channels][kernel][in_channels / groups], of a depthwise one [kernel][channels].
std::vector<int8_t> folded_order(const Linear& l, const std::vector<int64_t>& weights) {
  std::vector<int8_t> result(weights.size());
  const int64_t taps = l.taps(), rows = l.p.out_channels;
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t to = depthwise(l.p) ? at % taps * rows + at / taps : at;
    result[static_cast<size_t>(to)] = static_cast<int8_t>(weights[i]);
  }
  return result;
}

/// Fills in weights, their format and the bias. `sums`: the accumulators' range; `input`: x's.
void pack(Lowering& lowering, Linear& l, Interval sums, Interval input) {
  nibble_conv& p = l.p;
  const std::vector<int64_t> values = all_weights(l);
  const Interval weights = range_of(values);
  const bool narrow = sums.low >= INT32_MIN && sums.high <= INT32_MAX;
  // Outside x stands the zero point: a byte too.
  const bool bytes = (l.x.type == NIBBLE_U8 && p.zero_point >= 0 && p.zero_point <= UINT8_MAX) ||
                     (l.x.type == NIBBLE_I8 && p.zero_point >= INT8_MIN && p.zero_point <= INT8_MAX);
  const bool eight = weights.low >= -128 && weights.high <= 127;
  const Weights wanted = narrow && bytes && eight ? lowering.options.weights : Weights::Plain;
  p.acc_type = narrow ? NIBBLE_I32 : NIBBLE_I64;
  p.x_type = l.x.type;
  if (wanted == Weights::Blocked && (p.groups == 1 || depthwise(p))) {
    const Matrix matrix = matrix_of(l);
    const std::vector<int8_t> packed = blocked(matrix);
    p.w_format = NIBBLE_BLOCKED;
    set_weights(lowering, p, packed, static_cast<int64_t>(packed.size()));
    p.pair_saturates =
        lowering.constants.field(pairs_that_saturate(packed, matrix, std::max(input.high, p.zero_point)));
    p.bias = lowering.constants.field(folded_bias(l, values));
    return;
  }
  if (wanted == Weights::Folded) {
    p.w_format = NIBBLE_FOLDED;
    set_weights(lowering, p, folded_order(l, values), depthwise(p) ? p.out_channels : l.taps() * l.per_group());
    p.bias = lowering.constants.field(folded_bias(l, values));
    return;
  }
  p.w_format = NIBBLE_PLAIN;
  p.w_bits = 8;
  p.w_step = 1;
  p.w_type = eight ? NIBBLE_I8 : narrowest({std::min<int64_t>(weights.low, -1), weights.high});
  p.weights = lowering.constant_field(values, p.w_type);
  if (!l.bias.empty()) p.bias = lowering.constant_field(l.bias, p.acc_type);
}

/// A view whose channels lie side by side, position after position.
bool suits(const View& view, bool spatial) {
  if (spatial) return has_channels_last(view);
  const int64_t columns = view.extents.back();
  const auto rows = reshaped(view, {view.count() / std::max<int64_t>(columns, 1), columns});
  return rows && (rows->strides[1] == 1 || columns == 1);
}

std::vector<size_t> fitting_order(size_t rank, bool spatial) {
  return spatial ? channels_last(rank) : in_order(rank);
}

/// As it is, or copied to where it suits.
View suited(Lowering& lowering, const Node& node, const View& view, bool spatial) {
  if (suits(view, spatial)) return view;
  const View to = lowering.temporary(view.extents, view.type, fitting_order(view.rank(), spatial));
  lowering.copy(node, view, to);
  return to;
}

void set_result(int64_t (&strides)[4], const View& view, bool spatial) {
  if (spatial) return set_strides(strides, view);
  strides[0] = strides[1] = strides[2] = 0;
  const int64_t columns = view.extents.back();
  const auto rows = reshaped(view, {view.count() / std::max<int64_t>(columns, 1), columns});
  ensure(rows.has_value(), "a product's rows are a matrix");
  strides[3] = rows->extents[0] == 1 ? columns : rows->strides[0];
}

int64_t operations_of(const Linear& l) {
  return static_cast<int64_t>(l.p.batch) * l.p.out[0] * l.p.out[1] * l.p.out[2] * l.p.out_channels * l.taps() *
         l.per_group();
}

/// What a sum of two requantised branches computes.
struct Sum {
  struct Term {
    ValueId source;
    int64_t multiplier = 1, addend = 0, shift = 0;
  };
  std::array<Term, 2> terms;
  graph::ValueId result;               ///< behind what requantises the sum
  std::optional<IntegerSum> integers;  ///< where all of it is one shift
  Stage stage;                         ///< of the sum else
};

bool fits_64(int128 x) {
  return x >= INT64_MIN && x <= INT64_MAX;
}

Sum::Term term_of(const Lowering& lowering, ValueId id, int sum) {
  Sum::Term term{id};
  const int writer = lowering.uses.writer[static_cast<size_t>(id)];
  if (writer < 0 || lowering.uses.only_reader(id) != sum) return term;
  const Node& node = lowering.graph.nodes[static_cast<size_t>(writer)];
  const auto* op = graph::get_if<graph::Requantise>(&node.op);
  if (op == nullptr || op->multiplier.size() != 1 || lowering.claimed(writer)) return term;
  // In 64 bits, and without a clip that cuts: floor((x m + b) / 2^d) at both ends.
  const Interval x = lowering.hull_of(node.inputs[0]);
  for (int64_t end : {x.low, x.high}) {
    const int128 product = static_cast<int128>(end) * op->multiplier[0], moved = product + op->addend[0];
    const int128 level = moved >> op->shift[0];
    if (!fits_64(product) || !fits_64(moved) || level < op->low || level > op->high) return term;
  }
  return Sum::Term{node.inputs[0], op->multiplier[0], op->addend[0], op->shift[0]};
}

bool same_shapes(const Lowering& lowering, const Node& node) {
  return lowering.shape(node.inputs[0]) == lowering.shape(node.inputs[1]) &&
         lowering.shape(node.inputs[0]) == lowering.shape(node.outputs[0]);
}

bool is_sum(const Lowering& lowering, int index) {
  const Node& node = lowering.graph.nodes[static_cast<size_t>(index)];
  return lowering.options.fuse && graph::holds_alternative<graph::Add>(node.op) && node.inputs.size() == 2 &&
         !lowering.real(node.outputs[0]) && same_shapes(lowering, node) && node.inputs[0] != node.inputs[1];
}

/// The Add that a value's only reader leads to, by at most one Requantise; or -1.
int sum_behind(const Lowering& lowering, ValueId id) {
  int reader = lowering.uses.only_reader(id);
  if (reader < 0) return -1;
  const Node* node = &lowering.graph.nodes[static_cast<size_t>(reader)];
  if (graph::holds_alternative<graph::Requantise>(node->op)) {
    if (!waits_for_sum(lowering, reader)) return -1;
    reader = lowering.uses.only_reader(node->outputs[0]);
    if (reader < 0) return -1;
  }
  return is_sum(lowering, reader) ? reader : -1;
}

std::optional<IntegerSum> integers_of(const Sum& sum, const graph::Requantise* last) {
  if (sum.terms[0].shift != 0 || sum.terms[1].shift != 0) return std::nullopt;
  if (last != nullptr && last->multiplier.size() != 1) return std::nullopt;
  const int64_t m = last ? last->multiplier[0] : 1;
  const auto fits = [](int128 x) { return x >= -(int128{1} << 62) && x < (int128{1} << 62); };
  const int128 a = int128{sum.terms[0].multiplier} * m, b = int128{sum.terms[1].multiplier} * m;
  const int128 c = (int128{sum.terms[0].addend} + sum.terms[1].addend) * m + (last ? last->addend[0] : 0);
  if (!fits(a) || !fits(b) || !fits(c)) return std::nullopt;
  return IntegerSum{static_cast<int64_t>(a),
                    static_cast<int64_t>(b),
                    static_cast<int64_t>(c),
                    last ? last->shift[0] : 0,
                    {INT64_MIN, INT64_MAX}};
}

bool stays_in_64_bits(const Lowering& lowering, const Sum& sum) {
  const IntegerSum& s = *sum.integers;
  int128 most = s.c < 0 ? -int128{s.c} : int128{s.c};
  for (size_t i = 0; i < 2; ++i) {
    const Interval x = lowering.hull_of(sum.terms[i].source);
    const int64_t factor = i == 0 ? s.a : s.b;
    const int128 largest = std::max(-int128{x.low}, int128{x.high});
    most += largest * (factor < 0 ? -int128{factor} : int128{factor});
  }
  return most < (int128{1} << 62);
}

Sum sum_of(Lowering& lowering, int index) {
  const Node& node = lowering.graph.nodes[static_cast<size_t>(index)];
  Sum sum;
  for (size_t i = 0; i < 2; ++i) sum.terms[i] = term_of(lowering, node.inputs[i], index);
  const int reader = lowering.uses.only_reader(node.outputs[0]);
  const auto* last =
      reader < 0 ? nullptr : graph::get_if<graph::Requantise>(&lowering.graph.nodes[static_cast<size_t>(reader)].op);
  const Chain chain = lowering.absorb(node.outputs[0], 1);
  sum.result = chain.result;
  sum.stage = chain.stage;
  const int form = chain.stage.fields.form;
  const bool product = form == NIBBLE_STAGE_PRODUCT || form == NIBBLE_STAGE_PRODUCT32 || form == NIBBLE_STAGE_FLOAT;
  if (product && last != nullptr) sum.integers = integers_of(sum, last);
  if (form == NIBBLE_STAGE_NONE) sum.integers = integers_of(sum, nullptr);
  if (sum.integers) {
    sum.integers->levels = {chain.stage.fields.low, chain.stage.fields.high};
    if (!stays_in_64_bits(lowering, sum)) sum.integers.reset();
  }
  return sum;
}

/// The axis of a linear node's result along which its columns or channels lie, -1 where a stage cannot tell them apart.
int64_t channels_at(const Lowering& lowering, const Node& node) {
  return graph::holds_alternative<Conv>(node.op) || lowering.shape(node.outputs[0]).size() == 2 ? 1 : -1;
}

/// Writes one linear step: alone, or with the sum that takes its result in as term `own`.
void add_linear(Lowering& lowering, int index, const Sum* sum, size_t own) {
  const Node& node = lowering.graph.nodes[static_cast<size_t>(index)];
  Linear l = linear_of(lowering, node);
  const ValueId out = node.outputs[0];
  const Interval sums = lowering.hull_of(out), input = lowering.hull_of(node.inputs[0]);
  const bool spatial = graph::holds_alternative<Conv>(node.op);
  const Chain chain = lowering.absorb(out, channels_at(lowering, node));
  pack(lowering, l, sums, input);
  l.p.stage = chain.stage.fields;
  const ValueId result = sum == nullptr ? chain.result : sum->result;
  const View y = lowering.fresh(result, fitting_order(lowering.shape(result).size(), spatial));
  const View to = suits(y, spatial) ? y : lowering.temporary(y.extents, y.type, fitting_order(y.rank(), spatial));
  l.p.y_type = to.type;
  set_result(l.p.y_stride, to, spatial);
  std::vector<View> in{l.x};
  std::string requantisation = chain.stage.form;
  if (sum != nullptr) {
    const View r = suited(lowering, node, lowering.view(sum->terms[1 - own].source), spatial);
    const IntegerSum& s = *sum->integers;
    const bool turned = own == 1;
    const IntegerSum mine{turned ? s.b : s.a, turned ? s.a : s.b, s.c, s.shift, s.levels};
    l.p.r_type = r.type;
    set_result(l.p.r_stride, r, spatial);
    l.p.sum_a = mine.a, l.p.sum_b = mine.b, l.p.sum_c = mine.c;
    l.p.sum_shift = static_cast<int32_t>(mine.shift);
    l.p.sum_low = mine.levels.low, l.p.sum_high = mine.levels.high;
    l.p.sum_form = 1;
    const auto floats = lowering.options.floats ? certified_sum(mine, lowering.hull_of(chain.result),
                                                                lowering.hull_of(sum->terms[1 - own].source))
                                                : std::nullopt;
    if (floats) {
      l.p.sum_form = 2;
      l.p.sum_fa = (*floats)[0], l.p.sum_fb = (*floats)[1], l.p.sum_fc = (*floats)[2];
    }
    requantisation += floats ? " + float sum" : " + 64-bit sum";
    in.push_back(r);
  }
  const int64_t positions = static_cast<int64_t>(l.p.batch) * l.p.out[0] * l.p.out[1] * l.p.out[2];
  l.p.split = positions <= 4 ? 1 : 0;
  const bool direct = to.buffer == y.buffer;
  lowering.add(NIBBLE_KIND_CONV, l.p, node, std::move(in), to,
               direct ? std::vector<ValueId>{result} : std::vector<ValueId>{}, operations_of(l), requantisation);
  if (!direct) lowering.copy(node, to, y, {result});
}

/// A branch that can be taken in by its sum: a linear node whose result, requantised, only the sum reads.
bool can_wait(const Lowering& lowering, int index) {
  const Node& node = lowering.graph.nodes[static_cast<size_t>(index)];
  if (lowering.turned.contains(node.inputs[0])) return false;
  const int reader = lowering.uses.only_reader(node.outputs[0]);
  if (reader < 0) return false;
  const Node& next = lowering.graph.nodes[static_cast<size_t>(reader)];
  const auto* op = graph::get_if<graph::Requantise>(&next.op);
  // As add_linear absorbs it.
  if (op == nullptr || (op->multiplier.size() > 1 && channels_at(lowering, node) != 1)) return false;
  return sum_behind(lowering, next.outputs[0]) >= 0;
}

/// No bias, or a constant that is one number, or one a column.
bool has_bias_of_rows(const Lowering& lowering, const Node& node) {
  if (node.inputs.size() < 3 || node.inputs[2] == graph::absent) return true;
  const Tensor* bias = lowering.graph.constant(node.inputs[2]);
  if (bias == nullptr) return false;
  const int64_t columns = lowering.shape(node.outputs[0]).back();
  const bool row = !bias->shape().empty() && bias->shape().back() == columns;
  return bias->size() == 1 || (row && static_cast<int64_t>(bias->size()) == columns);
}

}  // namespace

bool multiplies_rows(const Lowering& lowering, const Node& node) {
  if (node.inputs.size() < 2) return false;
  const Tensor* weights = lowering.graph.constant(node.inputs[1]);
  if (weights == nullptr || weights->size() == 0) return false;
  if (graph::holds_alternative<graph::Gemm>(node.op)) return has_bias_of_rows(lowering, node);
  return graph::holds_alternative<graph::MatMul>(node.op) && lowering.shape(node.inputs[1]).size() == 2 &&
         lowering.shape(node.inputs[0]).size() > 1;
}

bool waits_for_sum(const Lowering& lowering, int index) {
  if (!graph::holds_alternative<graph::Requantise>(lowering.graph.nodes[static_cast<size_t>(index)].op)) return false;
  const ValueId out = lowering.graph.nodes[static_cast<size_t>(index)].outputs[0];
  const int reader = lowering.uses.only_reader(out);
  if (reader < 0 || !is_sum(lowering, reader)) return false;
  return term_of(lowering, out, reader).source != out;
}

bool lower_linear(Lowering& lowering, int index) {
  const Node& node = lowering.graph.nodes[static_cast<size_t>(index)];
  if (!graph::holds_alternative<Conv>(node.op) && !multiplies_rows(lowering, node)) return false;
  if (lowering.options.fuse && can_wait(lowering, index)) {
    const int reader = lowering.uses.only_reader(node.outputs[0]);
    lowering.deferred[lowering.graph.nodes[static_cast<size_t>(reader)].outputs[0]] = index;
    lowering.claim(reader);
    return true;
  }
  add_linear(lowering, index, nullptr, 0);
  return true;
}

bool lower_sum(Lowering& lowering, int index) {
  const Node& node = lowering.graph.nodes[static_cast<size_t>(index)];
  if (!is_sum(lowering, index)) return false;
  const Sum sum = sum_of(lowering, index);
  // Which branch waits, and can be taken in: the later one; any other is written now.
  std::optional<size_t> taken;
  for (size_t i = 0; i < 2; ++i) {
    const auto waits = lowering.deferred.find(sum.terms[i].source);
    if (waits == lowering.deferred.end() || !sum.integers) continue;
    if (!taken || waits->second > lowering.deferred.at(sum.terms[*taken].source)) taken = i;
  }
  for (size_t i = 0; i < 2; ++i) {
    const auto waits = lowering.deferred.find(sum.terms[i].source);
    if (waits != lowering.deferred.end() && taken != i) add_linear(lowering, waits->second, nullptr, 0);
  }
  if (taken) {
    add_linear(lowering, lowering.deferred.at(sum.terms[*taken].source), &sum, *taken);
    return true;
  }

  const auto& [t0, t1] = sum.terms;
  const auto floats = sum.integers && lowering.options.floats
                          ? certified_sum(*sum.integers, lowering.hull_of(t0.source), lowering.hull_of(t1.source))
                          : std::nullopt;
  nibble_pointwise p{};
  p.op = floats ? NIBBLE_FLOAT_SUM : NIBBLE_WEIGHTED;
  if (floats) std::copy(floats->begin(), floats->end(), p.f);
  const std::array<int64_t, 6> s{t0.multiplier, t0.addend, t0.shift, t1.multiplier, t1.addend, t1.shift};
  std::copy(s.begin(), s.end(), p.s);
  Stage stage = floats ? no_stage() : sum.stage;
  stage.fields.low = sum.stage.fields.low, stage.fields.high = sum.stage.fields.high;
  if (floats) stage.form = "float sum";
  add_pointwise(lowering, node, p, {lowering.view(t0.source), lowering.view(t1.source)}, {sum.result, stage});
  return true;
}

}  // namespace nibble::lower
