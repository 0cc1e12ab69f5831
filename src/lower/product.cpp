#include <algorithm>

#include "base/error.hpp"
#include "lower/loops.hpp"
#include "lower/lowering.hpp"

namespace nibble::lower {
namespace {

using graph::Node;

/// A matrix or a batch of them: a vector gets the axis that it lacks.
View matrices(View view, bool row) {
  if (view.rank() != 1) return view;
  view.extents = row ? Shape{1, view.extents[0]} : Shape{view.extents[0], 1};
  view.strides = row ? std::vector<int64_t>{0, view.strides[0]} : std::vector<int64_t>{view.strides[0], 0};
  return view;
}

View transposed(View view, bool turn) {
  if (!turn) return view;
  std::swap(view.extents[0], view.extents[1]);
  std::swap(view.strides[0], view.strides[1]);
  return view;
}

/// Leading extents of the result, and each operand's strides along them.
void set_batch(Lowering& lowering, const Node& node, nibble_matmul& p, const Shape& batch, const View& a, const View& b,
               const View& y) {
  View lead{View::none, 0, batch, dense_strides(batch, in_order(batch.size())), 0};
  const auto leading = [&](const View& view, bool skip) {
    View of = view;
    of.extents.resize(view.rank() - 2);
    of.strides.resize(view.rank() - 2);
    return skip ? of : broadcast_to(of, batch);
  };
  const Loops loops = loops_of({lead, leading(a, false), leading(b, false), leading(y, false)});
  if (loops.rank() > 3) lowering.refuse(node, "a batch of more than three axes", "fewer");
  std::fill(p.batch, p.batch + 3, 1);
  for (size_t i = 0; i < loops.rank(); ++i) {
    const size_t to = 3 - loops.rank() + i;
    p.batch[to] = static_cast<int32_t>(loops.extents[i]);
    p.a_stride[to] = loops.strides[1][i];
    p.b_stride[to] = loops.strides[2][i];
    p.y_stride[to] = loops.strides[3][i];
  }
}

}  // namespace

bool lower_product(Lowering& lowering, const Node& node) {
  const auto* matmul = graph::get_if<graph::MatMul>(&node.op);
  const auto* gemm = graph::get_if<graph::Gemm>(&node.op);
  if (matmul == nullptr && gemm == nullptr) return false;
  nibble_matmul p{};
  View a = lowering.view(node.inputs[0]), b = lowering.view(node.inputs[1]);
  bool addend = false;
  if (gemm != nullptr) {
    if (gemm->alpha != 1 || gemm->beta != 1) lowering.refuse(node, "alpha or beta beside 1", "1");
    a = transposed(a, gemm->transpose_a);
    b = transposed(b, gemm->transpose_b);
    p.zero_a = gemm->zero_point;
    addend = node.inputs.size() > 2 && node.inputs[2] != graph::absent;
  } else {
    p.zero_a = matmul->zero_point_a;
    p.zero_b = matmul->zero_point_b;
  }
  const bool row = a.rank() == 1, column = b.rank() == 1;
  a = matrices(a, true);
  b = matrices(b, false);
  const graph::ValueId out = node.outputs[0];
  const size_t rank = lowering.shape(out).size();
  const Chain chain = addend ? Chain{out, no_stage()} : lowering.absorb(out, rank == 2 && !row && !column ? 1 : -1);
  const View place = lowering.fresh(chain.result, in_order(rank));
  // A sum with an addend is wider than the product alone.
  View target = addend ? lowering.temporary(place.extents, NIBBLE_I64, in_order(rank)) : place;
  View y = target;
  const auto insert = [&](size_t at) {
    y.extents.insert(y.extents.begin() + static_cast<std::ptrdiff_t>(at), 1);
    y.strides.insert(y.strides.begin() + static_cast<std::ptrdiff_t>(at), 0);
  };
  if (column) insert(y.rank());
  if (row) insert(y.rank() - 1);
  p.a_type = a.type, p.b_type = b.type, p.y_type = y.type;
  p.acc_type = NIBBLE_I64;
  const Interval sums = lowering.hull_of(out);
  if (!addend && sums.low >= INT32_MIN && sums.high <= INT32_MAX) p.acc_type = NIBBLE_I32;
  p.rows = static_cast<int32_t>(a.extents[a.rank() - 2]);
  p.inner = static_cast<int32_t>(a.extents.back());
  p.columns = static_cast<int32_t>(b.extents.back());
  set_batch(lowering, node, p, Shape(y.extents.begin(), y.extents.end() - 2), a, b, y);
  const auto last_two = [](int64_t* to, const View& view) {
    to[3] = view.strides[view.rank() - 2];
    to[4] = view.strides[view.rank() - 1];
  };
  last_two(p.a_stride, a);
  last_two(p.b_stride, b);
  last_two(p.y_stride, y);
  p.stage = chain.stage.fields;
  const int64_t operations = int64_t{p.batch[0]} * p.batch[1] * p.batch[2] * p.rows * p.inner * p.columns;
  const auto completes = addend ? std::vector<graph::ValueId>{} : std::vector{chain.result};
  lowering.add(NIBBLE_KIND_MATMUL, p, node, {a, b}, target, completes, operations, chain.stage.form);
  if (!addend) return true;
  nibble_pointwise sum{};
  sum.op = NIBBLE_ADD;
  add_pointwise(lowering, node, sum, {target, lowering.view(node.inputs[2])}, {out, no_stage()});
  return true;
}

}  // namespace nibble::lower
