#include "equal/kernels/laid.hpp"

namespace nibble::tests {
namespace {

using graph::Ints;

/// A function of rows: the op, its numbers, and the operands or the table that it reads.
struct Row {
  int32_t op;
  graph::Op node;
  Ints s;
  std::vector<Tensor> operands;
  std::optional<Tensor> table;
  bool of_reals = false;
};

Shape operand_shape(Random& random, int64_t width) {
  return {random.below(2) == 0 ? 1 : width};
}

Row any_softmax(Random& random) {
  const graph::TableSoftmax op{-1,
                               between(random, 1, 100000),
                               random.below(3) == 0 ? 31 * between(random, 0, 1) : between(random, 0, 6),
                               static_cast<Rounding>(random.below(3)),
                               between(random, -9, 9),
                               -128,
                               127};
  Tensor table = any_integers(random, {between(random, 1, 300)}, {0, random.below(2) == 0 ? 4 : 1 << 30});
  table.as<int64_t>()[0] = between(random, 1, 1 << 30);
  if (random.below(2) == 0) table.as<int64_t>()[0] = 2;
  return {NIBBLE_TABLE_SOFTMAX,
          op,
          {op.multiplier, op.shift, static_cast<int64_t>(op.rounding), op.zero_point, op.low, op.high},
          {},
          table};
}

Row any_normalisation(Random& random, int64_t width) {
  const graph::IntegerNormalization op{-1,
                                       random.below(2) == 0,
                                       between(random, -128, 128),
                                       between(random, 0, 99),
                                       between(random, 0, 8),
                                       between(random, 0, 40),
                                       random.below(4) == 0 ? 62 : between(random, 0, 40),
                                       -128,
                                       127};
  return {NIBBLE_NORMALISATION,
          op,
          {op.centred, op.zero_point, op.epsilon, op.root_shift, op.inverse_shift, op.shift, op.low, op.high},
          {any_integers(random, operand_shape(random, width), {-300, 300}),
           any_integers(random, operand_shape(random, width), {-100000, 100000})},
          {}};
}

Row any_row(Random& random, int64_t width) {
  const int64_t levels = between(random, 2, 256), shift = between(random, 0, 20);
  switch (random.below(7)) {
    case 0: return any_softmax(random);
    case 1: return any_normalisation(random, width);
    case 2: {
      const bool flat = random.below(10) == 0;
      const graph::ISoftmax op{flat ? 0 : between(random, 0, 99), between(random, -999, 999),
                               flat ? 0 : between(random, 0, 99999), between(random, 1, 99), levels};
      return {NIBBLE_I_SOFTMAX, op, {op.a, op.b, op.c, op.log2, levels}, {}, {}};
    }
    case 3: return {NIBBLE_ITA_MAX, graph::ItaMax{levels}, {levels}, {}, {}};
    case 4: {
      const int64_t group = width % 3 == 0 ? width / 3 : width % 2 == 0 ? width / 2 : width;
      return {NIBBLE_ITA_PARTIAL_MAX, graph::ItaPartialMax{levels, group}, {levels, group}, {}, {}};
    }
    case 5:
      return {NIBBLE_I_LAYER_NORM,
              graph::ILayerNorm{shift, levels},
              {shift, levels},
              {any_integers(random, operand_shape(random, width), {-9999, 9999}),
               any_integers(random, operand_shape(random, width), {-100000, 100000})},
              {}};
    default:
      return {NIBBLE_I_RMS_NORM,
              graph::IRmsNorm{shift, levels},
              {shift, levels},
              {any_integers(random, operand_shape(random, width), {-9999, 9999})},
              {}};
  }
}

/// Rows lie along the last axis.
void place(nibble_row& p, const Laid& x, const Laid& y) {
  const size_t rank = x.shape.size() - 1;
  p.rank = static_cast<int32_t>(rank), p.width = static_cast<int32_t>(x.shape[rank]);
  p.x_type = x.type, p.y_type = y.type, p.x_step = x.strides[rank], p.y_step = y.strides[rank];
  for (size_t k = 0; k < rank; ++k) {
    p.extent[k] = static_cast<int32_t>(x.shape[k]);
    p.x_stride[k] = x.strides[k], p.y_stride[k] = y.strides[k];
  }
}

}  // namespace

TEST(Row, EveryIntegerFunctionIsTheEvaluators) {
  Random random(51);
  std::vector<int> computed(NIBBLE_I_RMS_NORM + 1), refused(NIBBLE_I_RMS_NORM + 1);
  for (int i = 0; i < 8000; ++i) {
    const int64_t width = between(random, 1, 12);
    const Row row = any_row(random, width);
    Shape shape(random.below(3));
    for (int64_t& extent : shape) extent = between(random, random.below(40) == 0 ? 0 : 1, 4);
    shape.push_back(width);
    Tensor x = any_integers(random, shape, random.below(2) == 0 ? Interval{-128, 127} : range_of(any_type(random)));
    if (random.below(10) == 0)
      for (int64_t& value : x.as<int64_t>()) value = random.below(2) == 0 ? INT32_MIN : any_integer(random);
    std::vector<const Tensor*> inputs{&x};
    if (row.table) inputs.push_back(&*row.table);
    for (const Tensor& operand : row.operands) inputs.push_back(&operand);
    const Meaning meant = meaning_of(row.node, inputs);
    const int fault = meant.refused ? NIBBLE_DIVISION_BY_ZERO : meant.y ? NIBBLE_FINE : any_result;
    if (fault != any_result) ++(meant.refused ? refused : computed)[static_cast<size_t>(row.op)];
    const Tensor y = meant.y ? *meant.y : x;
    const Laid in = laid_out(random, x, any_type_for(random, x), axes_in_any_order(random, x.rank()));
    const Laid room = room_for(random, y.shape(), any_type_for(random, y), axes_in_any_order(random, y.rank()));
    nibble_row p{};
    p.op = row.op;
    std::copy(row.s.begin(), row.s.end(), p.s);
    if (row.table) p.table = row.table->as<int64_t>().data(), p.steps = static_cast<int32_t>(row.table->size());
    std::vector<Laid> operands;
    std::vector<const void*> all{in.data()};
    for (const Tensor& each : row.operands)
      operands.push_back(laid_out(random, each, any_type_for(random, each), {0}, true));
    for (size_t k = 0; k < operands.size(); ++k) {
      all.push_back(operands[k].data());
      p.operand_type[k] = operands[k].type, p.operand_step[k] = row.operands[k].size() > 1;
    }
    place(p, in, room);
    expect_of_kernels(random, NIBBLE_KIND_ROW, &p, all, room, y, fault);
    ASSERT_FALSE(HasFailure()) << "case " << i << " op " << row.op << " s " << ::testing::PrintToString(row.s);
  }
  for (int32_t op = 0; op <= NIBBLE_I_RMS_NORM; ++op) EXPECT_GT(computed[static_cast<size_t>(op)], 200) << op;
  EXPECT_GT(refused[NIBBLE_I_SOFTMAX], 0);
}

TEST(Row, SoftmaxOfRealsAndItsLogarithmGiveTheEvaluatorsBits) {
  Random random(52);
  for (int i = 0; i < 2000; ++i) {
    Shape shape{between(random, 0, 3), between(random, 1, 3), between(random, 1, 12)};
    Tensor x(ElementType::Float64, shape);
    for (double& value : x.as<double>()) value = random.normal() * std::ldexp(1.0, static_cast<int>(random.below(8)));
    if (x.size() > 0 && random.below(8) == 0) x.as<double>()[0] = std::nan("");
    if (x.size() > 0 && random.below(8) == 0) x.as<double>()[x.size() - 1] = std::numeric_limits<double>::infinity();
    nibble_row p{};
    p.op = random.below(2) == 0 ? NIBBLE_REAL_SOFTMAX : NIBBLE_REAL_LOG_SOFTMAX;
    const Tensor y =
        value_of(p.op == NIBBLE_REAL_SOFTMAX ? graph::Op(graph::Softmax{}) : graph::Op(graph::LogSoftmax{}), {&x});
    const Laid in = laid_out(random, x, NIBBLE_F64, axes_in_any_order(random, 3));
    const Laid room = room_for(random, shape, NIBBLE_F64, axes_in_any_order(random, 3));
    place(p, in, room);
    expect_of_kernels(random, NIBBLE_KIND_ROW, &p, {in.data()}, room, y);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

TEST(Row, OfNoElementsWritesNothing) {
  Random random(53);
  const Tensor none(ElementType::Int64, {3, 0});
  for (int32_t op = 0; op <= NIBBLE_REAL_LOG_SOFTMAX; ++op) {
    const int32_t type = op < NIBBLE_REAL_SOFTMAX ? NIBBLE_I8 : NIBBLE_F64;
    const Laid in = room_for(random, {3, 0}, type, {0, 1}), room = room_for(random, {3, 0}, type, {0, 1});
    nibble_row p{};
    p.op = op;
    place(p, in, room);
    expect_of_kernels(random, NIBBLE_KIND_ROW, &p, {in.data()}, room, none);
  }
}

}  // namespace nibble::tests
