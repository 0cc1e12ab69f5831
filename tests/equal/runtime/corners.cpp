#include "equal/runtime/integer_net.hpp"
#include "equal/runtime/runtime.hpp"

/// Integers at the ends of what is proven of them.
namespace nibble::tests {
namespace {

using graph::Gemm;
using graph::ValueId;

constexpr Interval bytes{0, 255}, signed_bytes{-128, 127};

/// Every integer of 8 bits, as one row a channel of 16 columns.
Meaning all_of(const graph::Graph& graph, Interval range) {
  Tensor x(ElementType::Int64, {1, 16, 4, 4});
  for (size_t i = 0; i < x.size(); ++i) x.as<int64_t>()[i] = range.low + static_cast<int64_t>(i);
  return meaning_of(graph, {x});
}

TEST(Corners, AccumulatorsReachBothEndsOf32BitsAndPassThem) {
  for (int64_t terms : {66311, 66400})
    for (int64_t weight : {127, -128}) {
      SCOPED_TRACE(terms);
      IntegerNet net;
      const ValueId x = net.input({1, terms}, bytes);
      const std::vector<int64_t> weights(static_cast<size_t>(2 * terms),
                                         weight == 127 || terms > 66311 ? weight : -127);
      const ValueId y = net.node(Gemm{1, 1, false, true, 0}, {x, net.constant({2, terms}, weights)});
      Tensor most(ElementType::Int64, {1, terms});
      for (int64_t& value : most.as<int64_t>()) value = 255;
      const graph::Graph& graph = net.give({y, net.requantise(y, 1, 0, 24, {-200, 200})});
      const std::vector<Meaning> meanings{meaning_of(graph, {most})};
      for (const lower::Options& options : options_to_try())
        for (const char* set : kernel_sets())
          expect_meaning(program::write(lower::lower(graph, options)), {options, set, 1}, meanings);
    }
}

TEST(Corners, PairsOfProductsThatSaturate16BitsAreExact) {
  for (const std::vector<int64_t>& pair :
       {std::vector<int64_t>{127, 127}, {-128, -128}, {127, -128}, {64, 65}, {-65, -64}})
    for (const Interval& range : {bytes, signed_bytes}) {
      IntegerNet net;
      const ValueId x = net.input({1, 4, 3, 5}, range);
      std::vector<int64_t> weights;
      for (int i = 0; i < 20 * 4 * 9; ++i) weights.push_back(pair[static_cast<size_t>(i) % 2]);
      const ValueId y =
          net.node(graph::Conv{{1, 1}, {1, 1, 1, 1}, {1, 1}, 1, 0}, {x, net.constant({20, 4, 3, 3}, weights)});
      expect_every_way(net.give({net.requantise(y, 1, 0, 10, {-1000, 1000})}));
    }
}

TEST(Corners, RequantisationsHaveShiftsFrom0To63AndAnyMultiplier) {
  struct Parameters {
    int64_t multiplier, addend, shift;
  };
  const std::vector<Parameters> all{{1, 0, 0},
                                    {-1, 0, 0},
                                    {0, 7, 0},
                                    {0, INT64_MIN, 63},
                                    {1, 0, 1},
                                    {1, 1, 1},
                                    {-1, 0, 1},
                                    {-1, 1, 1},
                                    {3, 4, 3},
                                    {5, -4, 3},
                                    {INT32_MAX, 0, 31},
                                    {INT32_MIN, 0, 31},
                                    {INT32_MAX, int64_t{1} << 30, 31},
                                    {INT32_MAX, INT64_MAX, 62},
                                    {INT32_MIN, INT64_MIN, 62},
                                    {int64_t{1} << 54, 0, 62},
                                    {-(int64_t{1} << 54), 0, 62},
                                    {int64_t{1} << 55, int64_t{1} << 61, 62},
                                    {INT64_MAX, INT64_MAX, 63},
                                    {INT64_MIN, INT64_MIN, 63},
                                    {INT64_MAX, INT64_MIN, 62}};
  for (const Parameters& p : all)
    for (const Interval& range : {bytes, signed_bytes})
      for (const Interval& to : {bytes, signed_bytes, Interval{-100000, 100000}, Interval{5, 5}}) {
        SCOPED_TRACE(std::to_string(p.multiplier) + " " + std::to_string(p.addend) + " " + std::to_string(p.shift));
        IntegerNet net;
        const ValueId x = net.input({1, 16, 4, 4}, range);
        const ValueId direct = net.requantise(x, p.multiplier, p.addend, p.shift, to);
        const ValueId copy = net.node(graph::Conv{{1, 1}, {}, {1, 1}, 16, 0},
                                      {x, net.constant({16, 1, 1, 1}, std::vector<int64_t>(16, 1))});
        const graph::Graph& graph = net.give({direct, net.requantise(copy, p.multiplier, p.addend, p.shift, to)});
        const std::vector<Meaning> meanings{all_of(graph, range)};
        for (size_t i : {0, 2, 3})
          for (const char* set : kernel_sets())
            expect_meaning(program::write(lower::lower(graph, options_to_try()[i])), {options_to_try()[i], set, 1},
                           meanings);
        if (HasFatalFailure()) return;
      }
}

TEST(Corners, TiesRoundAsTheIntegersSay) {
  // Halves at every level, up, down and one beside, with a residual sum too.
  for (int64_t addend : {-1, 0, 1, 7, 8, 9, 15, 16, 17})
    for (int64_t multiplier : {8, -8, 24, 5}) {
      IntegerNet net;
      const ValueId x = net.input({1, 16, 4, 4}, signed_bytes);
      const ValueId y = net.requantise(x, multiplier, addend, 4, {-512, 511});
      const ValueId sum =
          net.node(graph::Add{}, {net.requantise(x, multiplier, 0, 0, {-5000, 5000}), net.node(graph::Abs{}, {x})});
      const graph::Graph& graph = net.give({y, net.requantise(sum, 1, addend, 4, signed_bytes)});
      const std::vector<Meaning> meanings{all_of(graph, signed_bytes)};
      for (size_t i : {0, 1, 2, 3})
        for (const char* set : kernel_sets())
          expect_meaning(program::write(lower::lower(graph, options_to_try()[i])), {options_to_try()[i], set, 1},
                         meanings);
    }
}

TEST(Corners, ThresholdsAndTablesAreMetAtTheirEnds) {
  IntegerNet net;
  const ValueId x = net.input({1, 16, 4, 4}, signed_bytes);
  const ValueId rising =
      net.node(graph::Threshold{-2, {}}, {x, net.constant({1, 4}, std::vector<int64_t>{-128, -128, 0, 127})});
  const ValueId falling =
      net.node(graph::Threshold{0, {1}}, {x, net.constant({1, 3}, std::vector<int64_t>{-128, 1, 127})});
  const ValueId table = net.node(graph::Table{-128}, {x, net.constant({256}, Interval{-100000, 100000})});
  const graph::Graph& graph = net.give({rising, falling, table});
  expect_every_way(graph, {all_of(graph, signed_bytes)});
}

TEST(Corners, TensorsOfNoElementsPassThrough) {
  IntegerNet net;
  const ValueId x = net.input({2, 3, 4}, bytes);
  const ValueId none = net.node(graph::Slice{{1}, {1}, {1}, {1}}, {x});
  const ValueId moved = net.node(graph::Transpose{{2, 0, 1}}, {net.node(graph::Abs{}, {none})});
  const ValueId joined = net.node(graph::Concat{1}, {x, none});
  const ValueId sums = net.node(graph::ReduceSum{{1}, false, 3}, {none});
  const ValueId backwards = net.node(graph::Slice{{0}, {INT64_MIN}, {1}, {-2}}, {net.node(graph::Abs{}, {none})});
  const ValueId inner =
      net.node(graph::MatMul{}, {net.node(graph::Reshape{{8, 0}, true}, {none}), net.constant({0, 5}, bytes)});
  const ValueId rows = net.node(graph::MatMul{}, {none, net.constant({4, 5}, bytes)});
  expect_every_way(net.give({none, moved, joined, sums, backwards, inner, net.requantise(rows, 3, 1, 2, bytes),
                             net.node(graph::Relu{}, {joined})}));
}

}  // namespace
}  // namespace nibble::tests
