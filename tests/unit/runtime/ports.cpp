#include <cmath>
#include <limits>
#include <numeric>

#include "equal/runtime/integer_net.hpp"
#include "equal/runtime/runtime.hpp"
#include "graph/input_rounding.hpp"

/// What goes into a program and comes out of it: layouts, levels of reals.
namespace nibble::tests {
namespace {

using graph::ValueId;

/// A pool after which x lies as its kernels want it, and x itself.
std::vector<uint8_t> program_of(const Shape& shape, const Grid& grid, Rounding rounding) {
  IntegerNet net;
  const ValueId x = net.input(shape, {grid.low, grid.high});
  net.graph[x].grid = grid;
  graph::set_input_rounding(net.graph, net.graph[x].name, rounding);
  const ValueId pooled = net.node(graph::MaxPool{{1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, false}, {x});
  return program::write(lower::lower(net.give({pooled, net.node(graph::Identity{}, {x})}), {}));
}

/// Reals about the grid: between its levels, on ties, beyond its ends.
std::vector<float> reals_about(const Grid& grid, const Shape& shape, Random& random) {
  std::vector<float> x(static_cast<size_t>(element_count(shape)));
  const auto span = static_cast<double>(grid.high - grid.low + 20);
  for (float& each : x) {
    const double level = static_cast<double>(grid.low - grid.zero_point) - 10 + random.uniform() * span;
    each = static_cast<float>(grid.scale[0] * (random.below(3) == 0 ? std::floor(level) + 0.5 : level));
    if (random.below(50) == 0) each = std::numeric_limits<float>::infinity() * (random.below(2) == 0 ? 1.0F : -1.0F);
    if (random.below(50) == 0) each = 0;
  }
  return x;
}

TEST(Ports, TakeRealsAsTheLevelsOfTheirGrid) {
  Random random(3);
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{1, 3, 2, 700}, Shape{1, 5, 1, 3}})
    for (const Interval& range : {Interval{0, 255}, {-128, 127}, {-7, 8}, {-32768, 32767}, {-(1 << 30), 1 << 30}})
      for (Rounding rounding : {Rounding::HalfUp, Rounding::HalfEven})
        for (int axis : {-1, 1, 3}) {
          Grid grid{
              .scale = {0.25}, .axis = axis, .zero_point = range.low / 2 + 3, .low = range.low, .high = range.high};
          if (axis >= 0) grid.scale.resize(static_cast<size_t>(shape[static_cast<size_t>(axis)]));
          for (size_t c = 1; c < grid.scale.size(); ++c)
            grid.scale[c] = static_cast<double>(0.01F * static_cast<float>(c));
          const auto program = opened(program_of(shape, grid, rounding));
          const auto context = context_of(program.get());
          std::vector<float> x = reals_about(grid, shape, random);
          ASSERT_EQ(nibble_set_reals(context.get(), 0, x.data()), NIBBLE_OK);
          ASSERT_EQ(nibble_run(context.get()), NIBBLE_OK);
          const std::vector<int64_t> found = outputs_of(program.get(), context.get())[1].to_integers();
          const size_t inner = axis == 1 ? static_cast<size_t>(shape[2] * shape[3]) : 1;
          for (size_t i = 0; i < x.size(); ++i)
            ASSERT_EQ(found[i], grid.quantise(static_cast<double>(x[i]), i / inner % grid.scale.size(), rounding))
                << x[i] << " of range " << range.low << " rounding " << to_string(rounding) << " axis " << axis;
          x[x.size() / 2] = std::numeric_limits<float>::quiet_NaN();
          EXPECT_EQ(nibble_set_reals(context.get(), 0, x.data()), NIBBLE_BAD_INPUT);
        }
}

TEST(Ports, WithoutAScaleTakeRealsThatAreTheirIntegers) {
  IntegerNet net;
  const ValueId x = net.input({1, 2, 3, 4}, {-5, 100});
  const auto program = opened(program::write(lower::lower(net.give({net.node(graph::Identity{}, {x})}), {})));
  const auto context = context_of(program.get());
  std::vector<float> reals(24, -5);
  reals[7] = 100;
  ASSERT_EQ(nibble_set_reals(context.get(), 0, reals.data()), NIBBLE_OK);
  ASSERT_EQ(nibble_run(context.get()), NIBBLE_OK);
  const std::vector<int64_t> found = outputs_of(program.get(), context.get())[0].to_integers();
  EXPECT_EQ(found, std::vector<int64_t>(reals.begin(), reals.end()));
  for (float wrong : {0.5F, 101.0F, -6.0F, std::numeric_limits<float>::quiet_NaN()}) {
    reals[23] = wrong;
    EXPECT_EQ(nibble_set_reals(context.get(), 0, reals.data()), NIBBLE_BAD_INPUT) << wrong;
  }
}

TEST(Ports, GiveBackWhatTheyTookInEveryLayout) {
  for (const Shape& shape :
       {Shape{2, 2, 5, 7}, Shape{1, 3, 17, 19}, Shape{3, 4, 1, 33}, Shape{1, 5, 3, 2}, Shape{0, 3, 2, 2}})
    for (const Interval& range : {Interval{0, 255}, {-100, 100}, {-3000, 3000}, {-100000, 100000}})
      for (const char* set : kernel_sets()) {
        const auto program = opened(program_of(shape, {.low = range.low, .high = range.high}, Rounding::HalfUp), set);
        const auto context = context_of(program.get());
        Random random(5);
        Tensor x(ElementType::Int64, shape);
        for (int64_t& each : x.as<int64_t>())
          each = range.low + static_cast<int64_t>(random.below(static_cast<uint64_t>(range.high - range.low + 1)));
        set_inputs(program.get(), context.get(), {x});
        ASSERT_EQ(nibble_run(context.get()), NIBBLE_OK);
        for (const Tensor& y : outputs_of(program.get(), context.get())) EXPECT_EQ(y.to_integers(), x.to_integers());
      }
}

/// More axes than a step walks over.
TEST(Ports, OfEightAxesGiveBackWhatTheyTook) {
  IntegerNet net;
  const Shape shape{1, 2, 1, 3, 2, 1, 2, 2};
  const ValueId x = net.input(shape, {-100, 100});
  const auto program = opened(program::write(lower::lower(net.give({net.node(graph::Identity{}, {x})}), {})));
  const auto context = context_of(program.get());
  Tensor numbers(ElementType::Int64, shape);
  std::iota(numbers.as<int64_t>().begin(), numbers.as<int64_t>().end(), -20);
  set_inputs(program.get(), context.get(), {numbers});
  ASSERT_EQ(nibble_run(context.get()), NIBBLE_OK);
  EXPECT_EQ(outputs_of(program.get(), context.get())[0].to_integers(), numbers.to_integers());
}

}  // namespace
}  // namespace nibble::tests
