#include "equal/kernels/laid.hpp"

namespace nibble::tests {
namespace {

using graph::Ints;

Shape any_shape(Random& random, size_t rank) {
  Shape shape(rank);
  for (int64_t& extent : shape) extent = between(random, 1, 5);
  return shape;
}

Tensor any_elements(Random& random, const Shape& shape, int32_t type) {
  if (type != NIBBLE_F64) return any_integers(random, shape, range_of(type));
  Tensor values(ElementType::Float64, shape);
  for (double& value : values.as<double>()) value = random.normal();
  return values;
}

int32_t any_type_or_real(Random& random) {
  return static_cast<int32_t>(between(random, NIBBLE_I8, NIBBLE_F64));
}

int32_t any_type_of(Random& random, const Tensor& y) {
  return is_real(y.type()) ? static_cast<int32_t>(NIBBLE_F64) : any_type_for(random, y);
}

/// A movement of x whose extents are y's: axis k of y steps along `strides[k]`, or at `lists[k]` where that is given.
void expect_moved(Random& random, const Tensor& x, const Laid& in, const Tensor& y, const Ints& strides,
                  const std::vector<Ints>& lists, int64_t fill = 0) {
  nibble_move p{};
  Ints offsets;
  const Laid room = room_for(random, y.shape(), any_type_of(random, y), axes_in_any_order(random, y.rank()));
  p.x_type = in.type, p.y_type = room.type, p.rank = static_cast<int32_t>(y.rank()), p.fill = fill;
  for (size_t k = 0; k < y.rank(); ++k) {
    p.extent[k] = static_cast<int32_t>(y.shape()[k]), p.y_stride[k] = room.strides[k], p.x_stride[k] = strides[k];
    if (lists[k].empty()) continue;
    p.listed |= 1 << k, p.first[k] = static_cast<int32_t>(offsets.size());
    offsets.insert(offsets.end(), lists[k].begin(), lists[k].end());
  }
  p.offsets = offsets.data();
  expect_of_kernels(random, NIBBLE_KIND_MOVE, &p, {in.data()}, room, y);
  ASSERT_FALSE(::testing::Test::HasFailure()) << to_string(x.shape()) << " to " << to_string(y.shape());
}

}  // namespace

TEST(Move, StepsAlongAnyAxesAsATransposition) {
  Random random(61);
  for (int i = 0; i < 500 && !::testing::Test::HasFailure(); ++i) {
    const size_t rank = random.below(6);
    const int32_t type = any_type_or_real(random);
    const Tensor x = any_elements(random, any_shape(random, rank), type);
    const Laid in = laid_out(random, x, type, axes_in_any_order(random, rank));
    const Ints perm = random.permutation(static_cast<int64_t>(rank));
    Ints strides;
    for (int64_t axis : perm) strides.push_back(in.strides[static_cast<size_t>(axis)]);
    expect_moved(random, x, in, value_of(graph::Transpose{perm}, {&x}), strides, std::vector<Ints>(rank));
  }
}

TEST(Move, TakesListedOffsetsAndFillsBeyondAsPadsAndSlices) {
  Random random(62);
  for (int i = 0; i < 500 && !::testing::Test::HasFailure(); ++i) {
    const size_t rank = 1 + random.below(4);
    const int32_t type = any_type_or_real(random);
    const Tensor x = any_elements(random, any_shape(random, rank), type);
    const Laid in = laid_out(random, x, type, axes_in_any_order(random, rank));
    graph::Pad pad{Ints(2 * rank, 0), graph::PadMode::Constant, type == NIBBLE_F64 ? 0.0 : 17.0};
    std::vector<Ints> lists(rank);
    for (size_t k = 0; k < rank; ++k) {
      if (random.below(3) == 0) continue;
      pad.pads[k] = between(random, -1, 3), pad.pads[k + rank] = between(random, 0, 2);
      for (int64_t at = -pad.pads[k]; at < x.shape()[k] + pad.pads[k + rank]; ++at)
        lists[k].push_back(at < 0 || at >= x.shape()[k] ? -1 : at * in.strides[k]);
    }
    expect_moved(random, x, in, value_of(pad, {&x}), in.strides, lists, 17);
  }
}

TEST(Gather, TakesTheEvaluatorsElementsAndRefusesAnIndexBeyond) {
  Random random(63);
  int refused = 0;
  for (int i = 0; i < 800; ++i) {
    const int32_t type = any_type_or_real(random);
    const Tensor x = any_elements(random, any_shape(random, 3), type);
    nibble_gather p{};
    p.outer = static_cast<int32_t>(x.shape()[0]), p.extent = static_cast<int32_t>(x.shape()[1]);
    p.inner = static_cast<int32_t>(x.shape()[2]), p.indices = static_cast<int32_t>(random.below(6));
    const bool beyond = random.below(8) == 0;
    const Tensor indices = any_integers(random, {p.indices}, {-p.extent - beyond, p.extent - 1 + beyond});
    const Meaning meant = meaning_of(graph::Gather{1}, {&x, &indices});
    refused += meant.refused;
    const Tensor y = meant.y ? *meant.y : Tensor(x.type(), {p.outer, p.indices, p.inner});
    const Laid in = laid_out(random, x, type, axes_in_any_order(random, 3));
    const Laid at = laid_out(random, indices, any_type_for(random, indices), {0}, true);
    const Laid room = room_for(random, y.shape(), any_type_of(random, y), axes_in_any_order(random, 3));
    p.x_type = type, p.y_type = room.type, p.index_type = at.type;
    std::copy(in.strides.begin(), in.strides.end(), p.x_stride);
    std::copy(room.strides.begin(), room.strides.end(), p.y_stride);
    expect_of_kernels(random, NIBBLE_KIND_GATHER, &p, {in.data(), at.data()}, room, y,
                      meant.refused ? NIBBLE_BEYOND_TABLE : NIBBLE_FINE);
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
  EXPECT_GT(refused, 10);
}

}  // namespace nibble::tests
